"""More hosts: files that are missing, unreadable or mangled beside limits that still hold."""

from hosts import CG, GIB, MACHINE, Host, host, v1_mount, v1_name, v2_mount, v2_name


@host(GIB, v2_name("/job"), ("/sys/fs/cgroup/job/memory.stat",))
def no_stat(h: Host) -> None:
    """Without it nothing is known to be droppable: all that is used counts."""
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", 3 * GIB, cache=GIB, max=4 * GIB)
    (h.root / CG / "job/memory.stat").unlink()


@host(GIB, v2_name("/job"), ("/sys/fs/cgroup/job/memory.stat",))
def negative_cache(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", 3 * GIB, cache=-5, max=4 * GIB)


@host(2 * GIB, v2_name("/a"), ("/sys/fs/cgroup/a/b/memory.max",))
def garbage_does_not_hide_the_parent(h: Host) -> None:
    h.place("0::/a/b\n", v2_mount())
    h.v2(f"{CG}/a/b", GIB, max="lots")
    h.v2(f"{CG}/a", GIB, max=3 * GIB)


@host(GIB, v2_name("/job", "high"), ("/sys/fs/cgroup/job/memory.max",))
def negative_limit(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, max=-1, high=2 * GIB)


@host(16 * GIB, MACHINE, ("/sys/fs/cgroup/job/memory.max", "/sys/fs/cgroup/job/memory.high"))
def empty_files(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", "", max="", high="")


@host(16 * GIB, MACHINE, ("/sys/fs/cgroup/job/memory.current",))
def limit_without_usage(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", 1, max=GIB)
    (h.root / CG / "job/memory.current").unlink()


@host(2 * GIB, v2_name("/job"), ("/sys/fs/cgroup/job/memory.high",))
def a_limit_is_missing(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, max=3 * GIB)
    (h.root / CG / "job/memory.high").unlink()


@host(2 * GIB, v2_name("/job"), ("/sys/fs/cgroup/job/memory.high",))
def a_limit_is_unreadable(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, max=3 * GIB)
    (h.root / CG / "job/memory.high").unlink()
    (h.root / CG / "job/memory.high").mkdir()


@host(16 * GIB, MACHINE, ("/sys/fs/cgroup/job/memory.max",))
def more_digits_than_python_reads(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, max="9" * 5000)


@host(
    16 * GIB,
    MACHINE,
    tuple(f"/sys/fs/cgroup/{name}/memory.max" for name in ("a/b/c/d", "a/b/c", "a/b", "a")),
)
def numbers_that_only_python_reads(h: Host) -> None:
    h.place("0::/a/b/c/d\n", v2_mount())
    for group, text in (("a", "1_000"), ("a/b", "+5"), ("a/b/c", "٣"), ("a/b/c/d", "1e9")):
        h.v2(f"{CG}/{group}", GIB, max=text)


@host(16 * GIB, MACHINE, ("/sys/fs/cgroup/job/memory.max",))
def no_text_at_all(h: Host) -> None:
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB)
    h.write(f"{CG}/job/memory.max", b"\xff\xfe\x00")


@host(2 * GIB, v1_name("/a"), ("/proc/self/cgroup", "/proc/self/mountinfo"))
def mangled_tables(h: Host) -> None:
    h.place("garbage\n4:memory:/a\n", "short line\n\n12 - \n", v1_mount())
    h.v1(f"{CG}/memory/a", GIB, 3 * GIB)


@host(16 * GIB, MACHINE)
def a_group_that_is_no_path(h: Host) -> None:
    h.place("0::/a\0b\n", v2_mount())


@host(16 * GIB, MACHINE)
def empty_tables(h: Host) -> None:
    h.write("proc/self/cgroup", "")
    h.write("proc/self/mountinfo", "")


@host(16 * GIB, MACHINE, ("/proc/self/cgroup",))
def unreadable_table(h: Host) -> None:
    h.place("", v2_mount())
    (h.root / "proc/self/cgroup").unlink()
    (h.root / "proc/self/cgroup").mkdir()


@host(7 * GIB, MACHINE)
def no_available_memory(h: Host) -> None:
    """Kernels before 3.14: psutil, which the test makes answer 7 GiB, is asked."""
    h.write("proc/meminfo", "MemTotal: 32 kB\nMemFree: 5 kB\n")


@host(7 * GIB, MACHINE, ("/proc/meminfo",))
def mangled_available_memory(h: Host) -> None:
    h.write("proc/meminfo", "MemTotal: 32 kB\nMemAvailable: -12 kB\n")


@host(7 * GIB, MACHINE)
def no_proc(h: Host) -> None:
    (h.root / "proc/meminfo").unlink()


@host(GIB, v2_name("/job"))
def limits_hold_without_available_memory(h: Host) -> None:
    (h.root / "proc/meminfo").unlink()
    h.place("0::/job\n", v2_mount())
    h.v2(f"{CG}/job", GIB, max=2 * GIB)
