"""Arenas whose manifest, headers or tables say what they should not, with every checksum right."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fastcache.memory.files.sums import digest_of, seal, sums_of


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest as JSON, without its digest."""
    document = json.loads((folder / "manifest.json").read_text())
    document.pop("digest")
    return document


def write_manifest(folder: Path, document: dict[str, Any]) -> None:
    """Write a manifest with the digest that belongs to it."""
    (folder / "manifest.json").write_bytes(seal(document))


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Let a function change the manifest."""
    document = manifest_of(folder)
    change(document)
    write_manifest(folder, document)


def entries_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of each file."""
    shards = [shard for family in document["families"] for shard in family["shards"]]
    return {entry["file"]: entry for entry in [*shards, document["columns_file"]]}


def resum(folder: Path, name: str) -> None:
    """Make the manifest say what a file has become."""
    document, data = manifest_of(folder), (folder / name).read_bytes()
    entry = entries_of(document)[name]
    header = 8 + int.from_bytes(data[:8], "little")
    entry["bytes"], entry["header"] = len(data), digest_of(data[:header])
    sums = sums_of(memoryview(data)).astype("<u8")
    entry["sums"] = base64.b64encode(sums.tobytes()).decode()
    write_manifest(folder, document)


def split(folder: Path, name: str) -> tuple[dict[str, Any], bytes]:
    """Return header and data of a file."""
    data = (folder / name).read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def write_header(folder: Path, name: str, text: bytes, length: int | None = None) -> None:
    """Give a file another header, as long as pages are, or of the length given."""
    _, data = split(folder, name)
    whole = -(-(8 + len(text)) // 65536) * 65536 - 8
    size = whole if length is None else length
    (folder / name).write_bytes(size.to_bytes(8, "little") + text.ljust(whole) + data)
    resum(folder, name)


def change_header(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Let a function change the header of a file."""
    header, _ = split(folder, name)
    change(header)
    write_header(folder, name, json.dumps(header).encode())


def change_tensor(folder: Path, tensor: str, dtype: str, change: Callable[[Any], Any]) -> None:
    """Let a function change the values of a tensor, in the first file that has it."""
    names = entries_of(manifest_of(folder))
    name = next(name for name in names if tensor in split(folder, name)[0])
    header, data = split(folder, name)
    start, end = header[tensor]["data_offsets"]
    values = np.frombuffer(data[start:end], dtype).reshape(header[tensor]["shape"]).copy()
    change(values)
    path = folder / name
    begin = path.stat().st_size - len(data)
    with path.open("r+b") as file:
        file.seek(begin + start)
        file.write(values.tobytes())
    resum(folder, name)
