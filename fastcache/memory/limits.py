"""What the system still lets this process have: free memory, control groups, address space.

Tools that ask the machine alone report the host's memory inside a container, so every limit is
read here and the smallest binds.  All functions take the texts or the root folder that they read,
and none keeps anything.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

if sys.platform != "win32":
    import resource

# cgroup v1 writes "no limit" as the largest multiple of a page in an int64.
_V1_UNLIMITED = 1 << 62


@dataclass(frozen=True)
class Limit:
    """Bytes that one limit leaves, and what to call it in a message."""

    name: str
    bytes: int


@dataclass(frozen=True)
class _CgroupFiles:
    """Names of the files of one version of control groups."""

    limits: tuple[str, ...]
    usage: str
    cache: str  # key in memory.stat: file pages that the kernel drops before it refuses


_V1 = _CgroupFiles(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")
_V2 = _CgroupFiles(("memory.max", "memory.high"), "memory.current", "inactive_file")


def mem_available(meminfo: str) -> int | None:
    """Return MemAvailable in bytes from the text of /proc/meminfo, None if it is not there."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _memory_paths(cgroup: str) -> dict[str, str]:
    """Return the process's group by file-system type from the text of /proc/self/cgroup."""
    paths = {}
    for line in cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            paths["cgroup2"] = path
        elif "memory" in controllers.split(","):
            paths["cgroup"] = path
    return paths


def _memory_mounts(mountinfo: str) -> Iterator[tuple[str, str, str]]:
    """Yield (file-system type, root, mount point) of the hierarchies that govern memory."""
    for line in mountinfo.splitlines():
        fields, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            root, point = (
                re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), field)
                for field in fields.split(" ")[3:5]
            )
            yield kind, root, point


def _read(path: Path) -> str | None:
    """Return a file's text; None for one that this kernel, or this group, does not have."""
    try:
        return path.read_text()
    except OSError:
        return None


def _group_limits(folder: Path, label: str, files: _CgroupFiles) -> Iterator[Limit]:
    """Yield what the limits of one group leave."""
    usage, stat = _read(folder / files.usage), _read(folder / "memory.stat")
    if usage is None or stat is None:
        return
    cache = re.search(rf"^{files.cache} (\d+)$", stat, re.MULTILINE)
    used = int(usage) - (int(cache[1]) if cache else 0)
    for name in files.limits:
        text = (_read(folder / name) or "max").strip()
        if text != "max" and int(text) < _V1_UNLIMITED:
            yield Limit(f"control group {label} ({name})", max(0, int(text) - used))


def cgroup_limits(root: Path = Path("/")) -> list[Limit]:
    """Return what each control group above this process leaves, nearest first.

    Parameters
    ----------
    root : Path
        Where the system's files start; /proc/self and the mount points are looked up below it.
    """
    cgroup = _read(root / "proc/self/cgroup")
    mountinfo = _read(root / "proc/self/mountinfo")
    if cgroup is None or mountinfo is None:
        return []
    paths = _memory_paths(cgroup)
    found: list[Limit] = []
    for kind, mount_root, point in _memory_mounts(mountinfo):
        if kind not in paths:
            continue
        path = PurePosixPath(paths[kind])
        # In a container the path may lie outside of what is mounted: then the mount is our group.
        inside = path.is_relative_to(mount_root) and ".." not in path.parts
        below = path.relative_to(mount_root) if inside else PurePosixPath()
        files = _V2 if kind == "cgroup2" else _V1
        for group in (below, *below.parents) if below.parts else (below,):
            folder = root / point.lstrip("/") / group
            found += _group_limits(folder, str(PurePosixPath("/") / group), files)
    return found


def address_space_limit(statm: str | None) -> list[Limit]:
    """Return what RLIMIT_AS leaves, given the text of /proc/self/statm."""
    if sys.platform == "win32" or statm is None:
        return []
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return []
    used = int(statm.split()[0]) * resource.getpagesize()
    return [Limit("address space (ulimit -v)", max(0, limit - used))]


def system_limits(root: Path = Path("/")) -> list[Limit]:
    """Return every limit on this process's memory, the machine's own first."""
    available = mem_available(_read(root / "proc/meminfo") or "")
    if available is None:  # no Linux: psutil knows how to ask
        available = int(psutil.virtual_memory().available)
    return [
        Limit("available memory", available),
        *cgroup_limits(root),
        *address_space_limit(_read(root / "proc/self/statm")),
    ]
