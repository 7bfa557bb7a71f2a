"""How fast a loader was, and what it held."""

from dataclasses import dataclass

from fastcache.memory.units import format_bytes


@dataclass(frozen=True)
class LoaderStats:
    """What :meth:`fastcache.ArenaLoader.stats` tells of the newest iteration; prints as a table.

    Attributes
    ----------
    batches, samples : int
        What was delivered.
    seconds : float
        From the first request to the last delivery: the time of the loop, and that of the loader
        where it was waited for.
    waited : float
        Seconds of these in which the loop waited for a batch; the first is always waited for.
    bytes : int
        Bytes of the tensors that were delivered; with a device, that were moved there.
    locked_bytes : int
        Bytes of memory that are page-locked for batches on their way to the device.
    arena_locked_bytes : int
        Bytes of the arena that are page-locked, with ``pin="arena"``.
    gathered_by : str
        The function of the CUDA runtime by which a device read these; "" if the processor did.
    buffers, buffers_most : int
        Batches that were ready, or being made, at the last delivery, and the most that there were
        at a time. What was delivered belongs to the loop, and is not counted.
    scratch_bytes : int
        Most bytes that threads hold beside batches while they make them, of an arena in memory or
        files; see :meth:`fastcache.ArenaDataset.scratch_bytes`. Each worker process holds them.
    """

    batches: int = 0
    samples: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    bytes: int = 0
    locked_bytes: int = 0
    arena_locked_bytes: int = 0
    gathered_by: str = ""
    buffers: int = 0
    buffers_most: int = 0
    scratch_bytes: int = 0

    @property
    def samples_per_second(self) -> float:
        """Samples per second of `seconds`; 0 before there were any."""
        return self.samples / self.seconds if self.seconds else 0.0

    @property
    def waited_share(self) -> float:
        """Share of `seconds` in which the loop waited, from 0 to 1."""
        return self.waited / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        rows = (
            ("delivered", f"{self.samples:,} samples in {self.batches:,} batches"),
            ("rate", f"{self.samples_per_second:,.0f} samples/s"),
            ("waited", f"{self.waited_share:.1%} of {self.seconds:.2f} s"),
            ("bytes", format_bytes(self.bytes)),
            ("page-locked", format_bytes(self.locked_bytes)),
            *self._arena_told(),
            ("ahead", f"{self.buffers} batches, at most {self.buffers_most}"),
            ("scratch", format_bytes(self.scratch_bytes)),
        )
        return "\n".join(f"{name:<12} {value}" for name, value in rows)

    def _arena_told(self) -> tuple[tuple[str, str], ...]:
        if not self.gathered_by:
            return ()
        told = f"{format_bytes(self.arena_locked_bytes)} page-locked, read by {self.gathered_by}"
        return (("arena", told),)


@dataclass
class Meter:
    """Counts what an iteration delivers; plain numbers, which a loader can be pickled with."""

    batches: int = 0
    samples: int = 0
    bytes: int = 0
    waited: float = 0.0
    began: float | None = None
    ended: float = 0.0
    locked_bytes: int = 0
    arena_locked_bytes: int = 0
    gathered_by: str = ""
    buffers: int = 0
    buffers_most: int = 0

    def delivered(self, samples: int, size: int, asked: float, given: float) -> None:
        """Count a batch of so many bytes, asked for and given at these times in seconds."""
        self.batches += 1
        self.samples += samples
        self.bytes += size
        self.waited += given - asked
        self.began = asked if self.began is None else self.began
        self.ended = given

    def stats(self) -> LoaderStats:
        """Return what was counted."""
        return LoaderStats(
            batches=self.batches,
            samples=self.samples,
            seconds=0.0 if self.began is None else self.ended - self.began,
            waited=self.waited,
            bytes=self.bytes,
            locked_bytes=self.locked_bytes,
            arena_locked_bytes=self.arena_locked_bytes,
            gathered_by=self.gathered_by,
            buffers=self.buffers,
            buffers_most=self.buffers_most,
        )
