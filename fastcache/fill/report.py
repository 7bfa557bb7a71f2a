"""The report: what was chosen, what it took, and what failed."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastcache.fill.text import printable, table
from fastcache.memory.units import format_bytes

_SHOWN = 10  # failures spelled out when a report is printed

_WORDS = {
    "decoded_in_c": "decoded in C",
    "through_pillow": "through Pillow",
    "through_numpy": "through NumPy",
    "codec_warnings": "codec warnings",
    "store_in_python": "store runs in Python",
    "skipped_windows": "windows left out for values that are not finite",
    "short_series": "series shorter than a window",
    "interpolated_values": "interpolated values",
    "dropped_boxes": "boxes dropped, of which too little is on the image",
    "turned_images": "images whose EXIF orientation is ignored, boxes may be meant for it",
}


class Report(Mapping[str, Any]):
    """Facts about a filled arena: a read-only mapping that prints as a table.

    Keys: ``samples`` (rows that the dataset shows), ``shard`` (rank, world and the samples of all
    parts together, or None), ``failed`` (pairs of path and reason),
    ``on_error``, ``home``, ``pinned``, ``keep``, ``budget`` (the limit that binds),
    ``arena_bytes``, ``scratch_bytes``, ``threads``, ``ranks`` (processes of this
    node that filled it together), ``cpu`` (instruction set in use), ``probe_seconds``,
    ``fill_seconds``, ``columns`` (name to what is known of the column),
    ``failed_later`` (path and reason of files that broke or changed after the fill, as far as this
    process has asked for them; also when they can be had again), ``stays`` (of an arena on disk
    that is larger than the room in memory now: the share of its rows, from the first on, that stay
    there while others pass; else 1).

    Of every column: ``row``, a row in words. Of a column that was decoded from files also:

    ``decoded_in_c``, ``through_pillow``, ``through_numpy``
        Who decoded how many files: format to number.
    ``codec_warnings``
        Number of warnings of the codecs in C about files that were kept.
    ``animated``
        Number of files of which only the first frame is kept.
    ``misnamed``, ``misnamed_files``
        Number of files whose name claims another format than they have; the first few of them,
        as pairs of path and what is wrong.
    ``kept``
        Number of samples that are kept decoded, encoded or absent (read on each use), and of those
        that failed; not there where all are decoded.
    ``store_in_python``
        Why C could not do ``store=`` of some or all images; "" if it could.

    Of a column of windows:

    ``skipped_windows``, ``interpolated_values``
        Number of windows left out, and of values filled in, for values that are not finite.
    ``short_series``
        Number of series that are shorter than a window, and so give none.

    Of columns of boxes, and of their labels:

    ``dropped_boxes``
        Number of boxes of which less than `min_visibility` is on the image as it is kept.
    ``turned_images``
        With ``exif="ignore"``, number of images whose files ask for being turned, as far as that
        is known: what they show as they are may not be what was labelled.
    """

    def __init__(self, facts: Mapping[str, Any], late: Sequence[tuple[str, str]] = ()) -> None:
        self._facts = {**facts, "failed_later": list(late)}

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]

    def __iter__(self) -> Any:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    @property
    def failed(self) -> list[tuple[str, str]]:
        """Path (or ``"sample k"``) and reason of every sample that could not be had."""
        return [(path, reason) for path, reason in self._facts["failed"]]

    def __str__(self) -> str:
        facts = self._facts
        rows = [
            ("samples", f"{facts['samples']:,}"),
            *_shard_told(facts.get("shard")),
            ("failed", f"{len(facts['failed']):,} (on_error={facts['on_error']!r})"),
            ("home", f"{facts['home']}, {'pinned' if facts['pinned'] else 'not pinned'}"),
            *_stays_told(facts.get("stays", 1.0)),
            ("keep", str(facts["keep"])),
            ("arena", format_bytes(facts["arena_bytes"])),
            ("scratch", f"at most {format_bytes(facts['scratch_bytes'])}"),
            ("threads", f"{facts['threads']} ({facts['cpu']})"),
            *_ranks_told(facts.get("ranks", 1)),
            ("time", f"headers {facts['probe_seconds']:.2f} s, fill {facts['fill_seconds']:.2f} s"),
        ]
        for name, column in facts["columns"].items():
            rows.append((f"column {name}", column["row"]))
            rows += [
                ("", _told(key, value)) for key, value in column.items() if _counts(key, value)
            ]
        text = [table("arena", rows)]
        for name, column in facts["columns"].items():
            if column.get("misnamed_files"):
                text.append(f"misnamed, the first of {column['misnamed']:,} in column {name}")
                text += [f"  {path}: {why}" for path, why in column["misnamed_files"]]
        if self.failed:
            text += ["failed", *(f"  {path}: {why}" for path, why in self.failed[:_SHOWN])]
        if len(self.failed) > _SHOWN:
            text.append(f"  … and {len(self.failed) - _SHOWN} more in report.failed")
        return printable("\n".join(text))

    __repr__ = __str__


def _shard_told(shard: list[int] | None) -> list[tuple[str, str]]:
    if shard is None:
        return []
    rank, world, samples = shard
    return [("shard", f"{rank} of {world}, which have {samples:,} samples together")]


def _ranks_told(ranks: int) -> list[tuple[str, str]]:
    return [("filled by", f"{ranks} ranks of this node together")] if ranks > 1 else []


def _stays_told(stays: float) -> list[tuple[str, str]]:
    if stays == 1:
        return []
    return [("in memory", f"the first {stays:.0%} of the rows stay there, the others pass")]


def _counts(key: str, value: object) -> bool:
    """Whether a fact of a column has a line of its own."""
    return bool(value) and key not in ("row", "misnamed_files")


def _told(key: str, value: object) -> str:
    if key == "animated":
        return f"first frame kept of {value} animated files"
    if isinstance(value, dict):
        value = " ".join(f"{count} {name}" for name, count in value.items())
    return f"{_WORDS.get(key, key)}: {value}"
