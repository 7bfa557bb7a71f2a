"""Machines and containers as a process sees them: folders that look like /proc and /sys."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

GIB = 1 << 30
KIB = 1 << 10
V1_NONE = 9223372036854771712  # what version 1 writes for "no limit"


class Host:
    """The files below a root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.meminfo(16 * GIB)

    def write(self, path: str, text: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def meminfo(self, available: int, total: int = 32 * GIB) -> None:
        self.write(
            "proc/meminfo",
            f"MemTotal:       {total // KIB} kB\nMemFree:        {available // 2 // KIB} kB\n"
            f"MemAvailable:   {available // KIB} kB\nBuffers:            1024 kB\n",
        )

    def place(self, cgroup: str, *mounts: str) -> None:
        """Say in which group the process is, and what is mounted."""
        self.write("proc/self/cgroup", cgroup)
        self.write("proc/self/mountinfo", ROOT_MOUNT + "".join(mounts))

    def v2(self, folder: str, current: object, cache: object = 0, **limits: object) -> None:
        """Write a group of version 2; ``max`` and ``high`` are its limits ("max" if not given)."""
        self.write(f"{folder}/memory.current", f"{current}\n")
        self.write(f"{folder}/memory.stat", f"anon 1\ninactive_file {cache}\nactive_file 9\n")
        for name in ("max", "high"):
            self.write(f"{folder}/memory.{name}", f"{limits.get(name, 'max')}\n")

    def v1(self, folder: str, usage: object, limit: object, stat: str | None = None) -> None:
        """Write a group of version 1."""
        self.write(f"{folder}/memory.usage_in_bytes", f"{usage}\n")
        self.write(f"{folder}/memory.limit_in_bytes", f"{limit}\n")
        self.write(f"{folder}/memory.stat", stat or "inactive_file 0\ntotal_inactive_file 0\n")


ROOT_MOUNT = (
    "23 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    "37 25 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
)


def v2_mount(point: str = "/sys/fs/cgroup", root: str = "/") -> str:
    return f"29 23 0:26 {root} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def v1_mount(point: str = "/sys/fs/cgroup/memory", root: str = "/") -> str:
    return f"36 25 0:31 {root} {point} rw shared:15 - cgroup cgroup rw,memory\n"


class Expected(NamedTuple):
    """What the smallest limit leaves, what it is called, and what could not be read."""

    bytes: int
    limit: str
    unread: tuple[str, ...] = ()


MACHINE = "available memory"
CG = "sys/fs/cgroup"


def v2_name(path: str, limit: str = "max") -> str:
    return f"control group {path} (memory.{limit})"


def v1_name(path: str) -> str:
    return f"control group {path} (memory.limit_in_bytes)"


HOSTS: dict[str, tuple[Callable[[Host], None], Expected]] = {}


def host(*expected: object) -> Callable[[Callable[[Host], None]], None]:
    """Register a host under its function's name, with what it must give."""

    def register(build: Callable[[Host], None]) -> None:
        HOSTS[build.__name__] = (build, Expected(*expected))

    return register


@host(16 * GIB, MACHINE)
def bare_metal(h: Host) -> None:
    pass


@host(16 * GIB, MACHINE)
def v2_root_group(h: Host) -> None:
    h.place("0::/\n", v2_mount())
    h.write(f"{CG}/memory.stat", "inactive_file 7\n")  # all that the root has


@host(3 * GIB, v2_name("/job"))
def v2_flat(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", 2 * GIB, cache=GIB, max=4 * GIB)


@host(2 * GIB - GIB // 2, v2_name("/user.slice"))
def v2_nested_with_a_tighter_parent(h: Host) -> None:
    h.place("0::/user.slice/job\n", v2_mount())
    h.v2(f"{CG}/user.slice/job", 100, max=8 * GIB)
    h.v2(f"{CG}/user.slice", GIB, cache=GIB // 2, max=2 * GIB)


@host(16 * GIB, MACHINE)
def v2_unlimited(h: Host) -> None:
    h.place("0::/a/b\n", v2_mount())
    h.v2(f"{CG}/a/b", 10 * GIB)
    h.v2(f"{CG}/a", 20 * GIB)


@host(GIB, v2_name("/job", "high"))
def v2_high_below_max(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, max=8 * GIB, high=2 * GIB)


@host(0, v2_name("/job", "high"))
def v2_beyond_its_limit(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", 3 * GIB, max=8 * GIB, high=2 * GIB)


@host(3 * GIB, v2_name("/job"))
def v2_with_no_swap(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, max=4 * GIB)
    h.write(f"{CG}/job/memory.swap.max", "0\n")


@host(4 * GIB, v2_name("/job"))
def v2_with_more_cache_than_use(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, cache=2 * GIB, max=4 * GIB)


@host(5 * GIB, v1_name("/a"))
def v1_flat(h: Host) -> None:
    h.place("4:memory:/a\n2:cpu,cpuacct:/c\n1:name=systemd:/d\n", v1_mount())
    h.v1(f"{CG}/memory/a", GIB, 6 * GIB)
    h.v1(f"{CG}/memory", 9 * GIB, V1_NONE)


@host(16 * GIB, MACHINE)
def v1_unlimited(h: Host) -> None:
    h.place("4:memory:/a\n", v1_mount())
    h.v1(f"{CG}/memory/a", GIB, V1_NONE)
    h.v1(f"{CG}/memory", GIB, 1 << 63)


@host(5 * GIB, v1_name("/a"))
def v1_with_hierarchical_cache(h: Host) -> None:
    h.place("4:memory:/a\n", v1_mount())
    stat = f"inactive_file 1\ntotal_inactive_file {2 * GIB}\n"
    h.v1(f"{CG}/memory/a", 3 * GIB, 6 * GIB, stat)


@host(GIB, v1_name("/a"))
def v1_nested(h: Host) -> None:
    h.place("4:memory:/a/b\n", v1_mount())
    h.v1(f"{CG}/memory/a/b", GIB, 5 * GIB)
    h.v1(f"{CG}/memory/a", 2 * GIB, 3 * GIB)
    h.v1(f"{CG}/memory", 3 * GIB, V1_NONE)


@host(2 * GIB, v1_name("/a"))
def hybrid(h: Host) -> None:
    h.place("4:memory:/a\n0::/b\n", v1_mount(), v2_mount("/sys/fs/cgroup/unified"))
    h.v1(f"{CG}/memory/a", GIB, 3 * GIB)
    h.write(f"{CG}/unified/b/cgroup.procs", "1\n")  # the memory controller is version 1's


@host(GIB, v2_name("/b"))
def hybrid_with_memory_in_both(h: Host) -> None:
    h.place("4:memory:/a\n0::/b\n", v1_mount(), v2_mount("/sys/fs/cgroup/unified"))
    h.v1(f"{CG}/memory/a", GIB, 3 * GIB)
    h.v2(f"{CG}/unified/b", GIB, max=2 * GIB)


@host(GIB, v2_name("/"))
def container_with_a_namespaced_root(h: Host) -> None:
    h.place("0::/\n", v2_mount())
    h.v2(CG, GIB, max=2 * GIB)


@host(GIB, v2_name("/"))
def container_that_mounts_its_own_group(h: Host) -> None:
    h.place("0::/docker/abc\n", v2_mount(root="/docker/abc"))
    h.v2(CG, GIB, max=2 * GIB)


@host(GIB, v2_name("/"))
def group_outside_of_the_mount(h: Host) -> None:
    h.place("0::/other\n", v2_mount(root="/docker/abc"))
    h.v2(CG, GIB, max=2 * GIB)


@host(GIB, v2_name("/"))
def group_above_the_namespace(h: Host) -> None:
    h.place("0::/../../x\n", v2_mount())
    h.v2(CG, GIB, max=2 * GIB)


@host(GIB, v1_name("/a"))
def escaped_mount_point(h: Host) -> None:
    h.place("4:memory:/a\n", v1_mount("/sys/fs/cg\\040with\\011blanks\\134"))
    h.v1("sys/fs/cg with\tblanks\\/a", GIB, 2 * GIB)
