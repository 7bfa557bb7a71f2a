"""The table of the codecs: which workers decode each set, and which target was set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bomb_files import BOMBS, write_bombs
from codec_sets import SETS, write_mixed
from harness import Measured, Task
from inputs import spread
from rows import Row, rate_ratio
from serve import Settings

OURS = "fastcache"
# Worker: its script below benchmarks/, and the function that it calls.
_DECODERS = {
    OURS: ("ours/decode_whole.py", ""),
    "Pillow": ("peers/pillow_decode.py", ""),
    "OpenCV": ("peers/opencv_decode.py", ""),
    "libpng": ("peers/imagecodecs_decode.py", "png_decode"),
    "libspng": ("peers/imagecodecs_decode.py", "spng_decode"),
    "libwebp": ("peers/imagecodecs_decode.py", "webp_decode"),
}
_PNG, _WEBP = ("Pillow", "OpenCV", "libpng", "libspng"), ("Pillow", "OpenCV", "libwebp")
PEERS = {
    "png-photos": _PNG,
    "png-flat": _PNG,
    "png-flat-alpha": _PNG,
    "png-palette": _PNG,
    "png-grey16": ("Pillow", "OpenCV", "libpng"),  # libspng's wrapper has no 16-bit grey
    "webp-lossy": _WEBP,
    "webp-lossless": _WEBP,
}
WINDOWS = ("webp-window-lossy", "webp-window-lossless")
DECODERS = [f"{group}: {who}" for group, peers in PEERS.items() for who in (OURS, *peers)]


def _against(group: str, target: float, *peers: str) -> Row:
    rivals = peers[0] if len(peers) == 1 else f"the fastest of {', '.join(peers)}"
    return Row(
        f"{SETS[group].title}, 1 thread / {rivals}", target, True, "x",
        (f"{group}: {OURS}", *(f"{group}: {peer}" for peer in peers)), rate_ratio,
    )  # fmt: skip


def _window(group: str, part: int) -> Row:
    """Return the row of a window in the middle, held against the rows down to its last."""

    def share(window: Measured) -> list[float]:
        return window.series(lambda one: 100 * one["share"][str(part)])

    return Row(
        f"{SETS[group].title}: window of 1/{part} of both sides / whole image, time "
        f"({100 / part**2:g}% of its area)",
        50 + 50 / part, False, "%", (group,), share,
    )  # fmt: skip


def _refusal(bomb: str) -> tuple[Row, Row]:
    def milliseconds(one: Measured) -> list[float]:
        return one.series(lambda round_: round_["seconds"] * 1e3)

    def megabytes(one: Measured) -> list[float]:
        return one.series(lambda round_: round_["growth"] / 1e6)

    return (
        Row(f"{bomb} refused by a dataset: time", 50, False, "ms", (bomb,), milliseconds),
        Row(f"{bomb} refused by a dataset: memory", 16, False, "MB", (bomb,), megabytes),
    )


ROWS: tuple[Row, ...] = (
    _against("png-photos", 3.0, "Pillow"),
    _against("png-photos", 1.8, "OpenCV", "libpng", "libspng"),
    _against("png-flat", 1.0, *PEERS["png-flat"]),
    _against("png-flat-alpha", 1.0, *PEERS["png-flat-alpha"]),
    _against("png-palette", 1.0, *PEERS["png-palette"]),
    _against("png-grey16", 1.0, *PEERS["png-grey16"]),
    _against("webp-lossy", 1.0, "OpenCV"),
    _against("webp-lossy", 1.0, "Pillow"),
    _against("webp-lossless", 1.0, "OpenCV"),
    _against("webp-lossless", 1.0, "Pillow"),
    *(_window(group, part) for group in WINDOWS for part in (2, 4)),
    Row(
        "mixed folder, whole ArenaDataset, 2 threads / Pillow in 2 DataLoader workers",
        2.5, True, "x", ("mixed fill", "mixed Pillow loader"), rate_ratio,
    ),
    *(row for bomb in BOMBS for row in _refusal(bomb)),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What the groups are made from.

    Attributes
    ----------
    photos : sequence of str
    count, mixed : int
        Files of each set, and of the mixed folder.
    folder : Path
        Where inputs are written.
    cores : sequence of int
    ours, peers : str
        The interpreters.
    """

    photos: Sequence[str]
    count: int
    mixed: int
    folder: Path
    cores: Sequence[int]
    ours: str
    peers: str

    def groups(self) -> dict[str, Callable[[], dict[str, Task]]]:
        """Return what makes each group's inputs and tasks."""
        made: dict[str, Callable[[], dict[str, Task]]] = {
            group: lambda group=group: self._decoders(group)  # type: ignore[misc]
            for group in PEERS
        }
        made |= {
            group: lambda group=group: {group: self._window(group)}  # type: ignore[misc]
            for group in WINDOWS
        }
        return made | {"mixed": self._mixed, "bombs": self._bombs}

    def _one_core(self, paths: Sequence[str], color: str = "RGB", function: str = "") -> Settings:
        return Settings(list(paths), [self.cores[-1]], 1, color=color, function=function)

    def _two_cores(self, paths: Sequence[str]) -> Settings:
        return Settings(list(paths), list(self.cores[:2]), 2)

    def _make(self, group: str) -> list[str]:
        return SETS[group].make(spread(self.photos, self.count), self.folder / group)

    def _decoders(self, group: str) -> dict[str, Task]:
        paths = self._make(group)
        tasks = {}
        for who in (OURS, *PEERS[group]):
            script, function = _DECODERS[who]
            settings = self._one_core(paths, SETS[group].color, function)
            python = self.ours if who == OURS else self.peers
            tasks[f"{group}: {who}"] = Task(script, python, settings)
        return tasks

    def _window(self, group: str) -> Task:
        return Task("ours/webp_window.py", self.ours, self._one_core(self._make(group)))

    def _mixed(self) -> dict[str, Task]:
        settings = self._two_cores(write_mixed(self.photos, self.folder / "mixed", self.mixed))
        return {
            "mixed fill": Task("ours/fill.py", self.ours, settings),
            "mixed Pillow loader": Task("peers/pillow_loader.py", self.peers, settings),
        }

    def _bombs(self) -> dict[str, Task]:
        return {
            name: Task("ours/refuse.py", self.ours, self._two_cores([path]), fresh=True)
            for name, path in write_bombs(self.folder / "bombs").items()
        }
