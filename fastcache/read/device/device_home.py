"""What ``home=`` means: a device, or something that the fill knows."""

from collections.abc import Callable

from fastcache.errors import ArgumentError
from fastcache.fill.options import Accept
from fastcache.memory.arena import Arena
from fastcache.read.device import cuda
from fastcache.read.device.device_arena import to_device
from fastcache.read.device.device_columns import Place
from fastcache.read.device.device_room import DeviceRoom
from fastcache.read.reader import ArenaReader


def is_device(home: object) -> bool:
    """Return whether ``home=`` names a device."""
    return isinstance(home, str) and home.partition(":")[0] == "cuda"


def place_of(home: object) -> Place | None:
    """Return the device that ``home=`` names; None if it names none.

    Raises
    ------
    ArgumentError
        If there is no such device.
    """
    if not is_device(home):
        return None
    device = cuda.checked_device(home, "home")
    assert device is not None
    return Place(*cuda.opened(device))


def decoded_only(keep: str, home: str) -> str:
    """Return how samples are kept on a device, or refuse ``keep=``."""
    if keep == "encoded":
        raise ArgumentError(
            f'keep="encoded" with home={home!r}: a device decodes no files; leave keep= out, or '
            'use home="ram" with ArenaLoader(device=)'
        )
    return "decoded" if keep == "auto" else keep


def opened_at(
    place: Place | None,
    make: Callable[[Accept | None], Arena],
    threads: int | None,
    seed: int = 0,
) -> ArenaReader:
    """Return a reader of the arena that `make` returns, which is given what may refuse it.

    Without a device it is that arena; else its columns are copied there, and it is closed.
    """
    if place is None:
        return ArenaReader(make(None), seed)
    return to_device(make(DeviceRoom(place.device).accept), place, threads, seed)
