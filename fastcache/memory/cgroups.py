"""What control groups leave: every group above this process, of both versions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from fastcache.memory.system import Limit, SystemFiles

# cgroup v1 writes "no limit" as the largest multiple of a page in an int64.
_V1_UNLIMITED = 1 << 62


@dataclass(frozen=True)
class _CgroupFiles:
    """Names of the files of one version of control groups."""

    limits: tuple[str, ...]
    usage: str
    cache: str  # key in memory.stat: file pages that the kernel drops before it refuses
    active: str  # file pages that were used more than once: it drops them, but not as readily
    unlimited: int | None  # from which number on a limit is none


_V1 = _CgroupFiles(
    ("memory.limit_in_bytes",),
    "memory.usage_in_bytes",
    "total_inactive_file",
    "total_active_file",
    _V1_UNLIMITED,
)
# memory.swap.max is left out on purpose: it bounds swap, which no plan counts on.
_V2 = _CgroupFiles(
    ("memory.max", "memory.high"), "memory.current", "inactive_file", "active_file", None
)


def _memory_paths(system: SystemFiles) -> dict[str, str]:
    """Return the process's group by file-system type."""
    paths = {}
    for line in (system.text("proc/self/cgroup") or "").splitlines():
        if line.count(":") < 2:
            system.refuse("proc/self/cgroup")
            continue
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            paths["cgroup2"] = path
        elif "memory" in controllers.split(","):
            paths["cgroup"] = path
    return paths


def _memory_mounts(system: SystemFiles) -> Iterator[tuple[str, str, str]]:
    """Yield (file-system type, root, mount point) of the hierarchies that govern memory."""
    for line in (system.text("proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields, about = left.split(" "), right.split(" ", 2)
        if len(fields) < 5 or len(about) < 3:
            system.refuse("proc/self/mountinfo")
            continue
        kind, _, options = about
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            root, point = (
                re.sub(r"\\([0-3][0-7]{2})", lambda octal: chr(int(octal[1], 8)), field)
                for field in fields[3:5]
            )
            yield kind, root, point


def _stated(stat: str, key: str) -> int | None:
    line = re.search(rf"^{key} ([0-9]{{1,20}})$", stat, re.MULTILINE)
    return int(line[1]) if line else None


def _used(system: SystemFiles, folder: str, files: _CgroupFiles, active: bool) -> int | None:
    """Return what a group uses, less what the kernel would drop first; or less all file pages."""
    usage = system.number(f"{folder}/{files.usage}")
    if usage is None:
        return None
    stat = system.text(f"{folder}/memory.stat") or ""
    cache = _stated(stat, files.cache)
    if cache is None:  # all of the usage counts then: less is allowed, never more
        system.refuse(f"{folder}/memory.stat")
        return usage
    if active:
        cache += _stated(stat, files.active) or 0
    return max(0, usage - cache)


def _group_limits(
    system: SystemFiles, folder: str, label: str, files: _CgroupFiles, active: bool
) -> Iterator[Limit]:
    """Yield what the limits of one group leave."""
    if not any(system.has(f"{folder}/{name}") for name in (*files.limits, files.usage)):
        return  # the root of all groups, or one without the memory controller
    for name in files.limits:
        path = f"{folder}/{name}"
        text = system.text(path)
        if text is not None and text.strip() == "max":
            continue
        limit = system.number(path)
        if limit is None or (files.unlimited is not None and limit >= files.unlimited):
            continue
        used = _used(system, folder, files, active)
        if used is not None:
            yield Limit(f"control group {label} ({name})", max(0, limit - used), limit)


def cgroup_limits(system: SystemFiles, active: bool = False) -> Iterator[Limit]:
    """Yield what each control group above this process leaves, nearest first.

    Pages of files that the kernel would drop before it refuses count as left; with `active` those
    as well that it would rather keep.
    """
    paths = _memory_paths(system)
    for kind, mount_root, point in _memory_mounts(system):
        if kind not in paths:
            continue
        path = PurePosixPath(paths[kind])
        # In a container the path may lie outside of what is mounted: then the mount is our group.
        inside = path.is_relative_to(mount_root) and ".." not in path.parts
        below = path.relative_to(mount_root) if inside else PurePosixPath()
        files = _V2 if kind == "cgroup2" else _V1
        for group in (below, *below.parents) if below.parts else (below,):
            folder = str(PurePosixPath(point) / group)
            label = str(PurePosixPath("/") / group)
            yield from _group_limits(system, folder, label, files, active)
