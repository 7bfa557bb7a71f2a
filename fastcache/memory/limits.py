"""What the system still lets this process have: free memory, control groups, address space, disk.

Tools that ask the machine alone report the host's memory inside a container, so every limit is
read here and the smallest binds.  What cannot be read, or makes no sense, is named and does not
bind: it must not hide the limits that can be read.  Nothing is kept from call to call.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from fastcache.errors import BlockError
from fastcache.memory.cgroups import cgroup_limits
from fastcache.memory.system import Limit, SystemFiles, nearest_folder

if sys.platform != "win32":
    import resource

__all__ = ["Limit", "SystemLimits", "disk_limit", "room_for_files", "system_limits"]


@dataclass(frozen=True)
class SystemLimits:
    """Every limit that could be read, and the names of those that could not.

    Attributes
    ----------
    limits : tuple of Limit
        The machine's own first, then control groups from the nearest outwards.
    unread : tuple of str
        Files of limits that are there but cannot be read or make no sense. They bind nothing.
    """

    limits: tuple[Limit, ...]
    unread: tuple[str, ...] = ()


def _kilobytes(text: str, key: str) -> tuple[bool, int | None]:
    """Return whether a line of /proc/meminfo is there, and its bytes if it makes sense."""
    line = re.search(rf"^{key}:(.*)$", text, re.MULTILINE)
    value = re.fullmatch(r"\s*([0-9]{1,20}) kB\s*", line[1]) if line else None
    return line is not None, int(value[1]) * 1024 if value else None


def _machine(system: SystemFiles) -> Limit:
    """Return the memory that the kernel would give without swapping."""
    text = system.text("proc/meminfo") or ""
    stated, available = _kilobytes(text, "MemAvailable")
    if available is None:
        if stated:
            system.refuse("proc/meminfo")
        available = _asked_otherwise()
    return Limit("available memory", available, _kilobytes(text, "MemTotal")[1])


def _asked_otherwise() -> int:
    """Return the memory that is available where /proc does not tell: no Linux, or an old one."""
    try:
        return int(psutil.virtual_memory().available)
    except OSError as error:
        raise BlockError(
            error.errno or 0,
            f"the memory that is available cannot be read ({error.strerror}); close files or other "
            "datasets, or raise the limit of open files (ulimit -n)",
        ) from error


def _address_space(system: SystemFiles) -> Iterator[Limit]:
    """Yield what RLIMIT_AS leaves."""
    if sys.platform == "win32":
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    statm = system.text("proc/self/statm")
    if limit == resource.RLIM_INFINITY or statm is None:
        return
    pages = re.match(r"[0-9]{1,20}(?=\s)", statm)
    if pages is None:
        system.refuse("proc/self/statm")
        return
    used = int(pages[0]) * resource.getpagesize()
    yield Limit("address space (ulimit -v)", max(0, limit - used), limit)


def system_limits(root: Path = Path("/")) -> SystemLimits:
    """Read every limit on this process's memory.

    Parameters
    ----------
    root : Path
        Where the system's files start: /proc and the mount points are looked up below it.
    """
    system = SystemFiles(root)
    limits = [
        _machine(system),
        *cgroup_limits(system),
        *_address_space(system),
    ]
    return SystemLimits(tuple(dict.fromkeys(limits)), tuple(system.unread))


def room_for_files(root: Path = Path("/")) -> int:
    """Return how many bytes of files the system could hold in its cache for this process.

    Whatever is in the cache now counts as room: it would make way.

    Parameters
    ----------
    root : Path
        As for :func:`system_limits`.
    """
    system = SystemFiles(root)
    limits = [_machine(system), *cgroup_limits(system, active=True)]
    return min(limit.bytes for limit in limits)


def disk_limit(folder: Path) -> Limit:
    """Return the bytes that an ordinary user may still write into a folder's file system.

    Parameters
    ----------
    folder : Path
        Need not exist yet: its nearest parent that does is asked.

    Raises
    ------
    BlockError
        If the system does not tell.
    """
    try:
        free = shutil.disk_usage(nearest_folder(folder)).free  # statvfs: f_bavail * f_frsize
    except OSError as error:
        raise BlockError(
            error.errno or 0,
            f"the free space of the file system of {folder} cannot be read ({error.strerror}); "
            "choose a folder on another one",
        ) from error
    return Limit(f"free space of the file system of {folder}", free)
