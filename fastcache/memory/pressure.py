"""Callbacks for when memory becomes short: the limits are looked at once a second."""

import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.memory.limits import system_limits
from fastcache.memory.system import SystemFiles
from fastcache.memory.units import format_bytes

_log = logging.getLogger("fastcache")

_INTERVAL = 1.0  # seconds
_CALM = 0.05  # by so much the share must have fallen before a callback is called again


@dataclass(frozen=True)
class MemoryPressure:
    """How much of the limit that binds is used.

    Attributes
    ----------
    used, total : int
        Bytes that are used of the limit, and bytes that it allows. What the system would drop
        from its cache does not count as used.
    limit : str
        Its name: "available memory" is the machine's.
    fraction : float
        used / total.
    stalled : float or None
        Percent of the last ten seconds in which some process waited for memory; None where the
        system does not tell (Linux does in /proc/pressure/memory).
    """

    used: int
    total: int
    limit: str
    fraction: float
    stalled: float | None = None

    def __str__(self) -> str:
        stalled = "" if self.stalled is None else f"; {self.stalled:g}% of the time is waited"
        return (
            f"{format_bytes(self.used)} of {format_bytes(self.total)} are used "
            f"({self.fraction:.0%} of {self.limit}{stalled})"
        )


def memory_pressure(root: Path = Path("/")) -> MemoryPressure | None:
    """Read how much of each limit is used, and return the one of which most is.

    Parameters
    ----------
    root : Path
        Where the system's files start, as for :func:`fastcache.memory.limits.system_limits`.

    Returns
    -------
    MemoryPressure or None
        None where no limit says what it allows in all.
    """
    known = [  # more may be free than there is in all: files of the system may contradict
        (max(0, limit.total - limit.bytes), limit.total, limit.name)
        for limit in system_limits(root).limits
        if limit.total
    ]
    if not known:
        return None
    used, total, name = max(known, key=lambda entry: entry[0] / entry[1])
    return MemoryPressure(used, total, name, used / total, _stalled(root))


def _stalled(root: Path) -> float | None:
    text = SystemFiles(root).text("proc/pressure/memory") or ""
    found = re.search(r"^some avg10=([0-9]{1,3}(?:\.[0-9]{1,4})?) ", text, re.MULTILINE)
    return float(found[1]) if found else None


class PressureHandle:
    """A callback that is being called; see :func:`on_memory_pressure`."""

    def __init__(self, callback: Callable[[MemoryPressure], object], fraction: float) -> None:
        self._callback = callback
        self._fraction = fraction
        self._armed = True

    def __repr__(self) -> str:
        state = "watching" if _watch.has(self) else "cancelled"
        return f"<PressureHandle at {self._fraction:.0%}, {state}>"

    def cancel(self) -> None:
        """Do not call it any more; a second call does nothing."""
        _watch.remove(self)

    def _see(self, now: MemoryPressure) -> None:
        if now.fraction < self._fraction - _CALM:
            self._armed = True
        if not self._armed or now.fraction <= self._fraction:
            return
        self._armed = False
        try:
            self._callback(now)
        except BaseException:  # noqa: BLE001 - sys.exit() too: others are to be called yet
            _log.exception("a callback for memory pressure failed (%s)", now)


class _Watch:
    """The handles, and the thread that is there as long as there are any."""

    def __init__(
        self,
        read: Callable[[], MemoryPressure | None] = memory_pressure,
        interval: float = _INTERVAL,
    ) -> None:
        self._read = read
        self._interval = interval
        self.forget()

    def forget(self) -> None:
        """Start anew: called in a forked child, where the thread is gone."""
        self._lock = threading.Lock()
        self._handles: tuple[PressureHandle, ...] = ()
        self._stop: threading.Event | None = None

    def has(self, handle: PressureHandle) -> bool:
        return handle in self._handles

    def add(self, handle: PressureHandle) -> None:
        with self._lock:
            if self._stop is None:
                stop = threading.Event()
                thread = threading.Thread(
                    target=self._run, args=(stop,), name="fastcache-pressure", daemon=True
                )
                thread.start()
                self._stop = stop
            self._handles = (*self._handles, handle)

    def remove(self, handle: PressureHandle) -> None:
        with self._lock:
            self._handles = tuple(other for other in self._handles if other is not handle)
            if not self._handles and self._stop is not None:
                self._stop.set()
                self._stop = None

    def look(self) -> None:
        """Read the limits once, and call whom it concerns."""
        now = self._read()
        if now is None:
            return
        for handle in self._handles:
            if self.has(handle):  # a callback may cancel others
                handle._see(now)

    def _run(self, stop: threading.Event) -> None:
        failing = False
        while not stop.wait(self._interval):
            failing = not self._could_look(failing)

    def _could_look(self, told: bool) -> bool:
        """Look once; where that fails, say so unless it was told, since the next may go well."""
        try:
            self.look()
        except Exception:  # noqa: BLE001 - no descriptors, say
            if not told:
                _log.exception("memory pressure cannot be told now; watching goes on")
            return False
        return True


_watch = _Watch()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch.forget)


def on_memory_pressure(
    callback: Callable[[MemoryPressure], object], fraction: float = 0.9
) -> PressureHandle:
    """Have a function called when memory becomes short.

    The machine's memory, the limits of all control groups above this process, and that on its
    address space are looked at once a second, by a thread that exists as long as there are
    callbacks. What matters is the limit of which the largest share is used.

    Parameters
    ----------
    callback : callable
        Gets a :class:`MemoryPressure`, on that thread. It is called when the share rises above
        `fraction`, and again only after it has been 5 points below. What it raises is logged.
    fraction : float
        Between 0 and 1.

    Returns
    -------
    PressureHandle
        Its ``cancel`` ends it. It need not be kept otherwise.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        For what cannot be called, and a fraction out of range.

    Notes
    -----
    A child made by fork starts without callbacks: it registers its own if it wants any.

    Examples
    --------
    >>> import fastcache as fc
    >>> handle = fc.on_memory_pressure(lambda now: val_ds.close(), fraction=0.9)
    >>> handle.cancel()
    """
    if not callable(callback):
        raise ArgumentTypeError(f"callback={callback!r}: give a function that takes one argument")
    is_number = isinstance(fraction, Real) and not isinstance(fraction, bool)
    if not is_number or not 0 < fraction < 1:
        raise ArgumentError(f"fraction={fraction!r}: give a share between 0 and 1, such as 0.9")
    handle = PressureHandle(callback, float(fraction))
    _watch.add(handle)
    return handle
