"""The manifest of files that have just been written."""

from collections.abc import Mapping
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.memory.files.manifest import FileEntry, Manifest, identify, package_version
from fastcache.memory.files.plan import FilePlan


def compose(
    plan: FilePlan,
    generation: int,
    shards: tuple[tuple[FileEntry, ...], ...],
    columns_file: FileEntry,
    catalog: Mapping[str, Any],
    source: Mapping[str, Any],
    name: str | None = None,
) -> bytes:
    """Return the manifest of files that are written, as it is to stand in its folder.

    `name` is the id of the arena of which it is another generation; None: of a new one.

    Raises
    ------
    ArgumentError
        If catalogue or source are not plain JSON.
    """
    every = [*(entry for row in shards for entry in row), columns_file]
    try:
        made = Manifest(
            name or identify(plan, every, {"catalog": catalog, "source": source}),
            generation,
            package_version(),
            plan,
            shards,
            columns_file,
            dict(catalog),
            dict(source),
        )
        return made.to_bytes()
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the catalogue must be plain JSON: {error}") from error
