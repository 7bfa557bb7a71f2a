"""The manifest: which files an arena is, what is in them, and their checksums."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastcache.errors import ArenaFormatError
from fastcache.memory.files import naming
from fastcache.memory.files.disk import read_whole, system_calls
from fastcache.memory.files.naming import MANIFEST, PAGE
from fastcache.memory.files.plan import FilePlan, Shard
from fastcache.memory.files.stated import fail, member, number, plan_from_json, plan_to_json
from fastcache.memory.files.sums import id_of, seal, unpack_sums, unseal

FORMAT = "fastcache arena"
VERSION = 1
_MOST = 1 << 30  # bytes of a manifest: checksums of an arena of 90 TiB


def package_version() -> str:
    """Return the version of the package that writes."""
    try:
        return version("fastcache")
    except PackageNotFoundError:  # run from the sources
        return "unknown"


@dataclass(frozen=True)
class FileEntry:
    """One file.

    Attributes
    ----------
    file : str
        Its name in the folder.
    bytes : int
    header : str
        Digest of its header.
    sums : str
        Checksums of each MiB, packed.
    """

    file: str
    bytes: int
    header: str
    sums: str

    def to_json(self) -> dict[str, Any]:
        """Return a dict that :meth:`from_json` turns back into this entry."""
        return vars(self).copy()

    @classmethod
    def from_json(cls, document: Any, shard: Shard, what: str) -> "FileEntry":
        """Return the entry of a file that holds ``shard``; refuse what cannot belong to it."""
        size = number(document, "bytes", what)
        header = size - shard.data_bytes
        if header <= 0 or header % PAGE:
            raise fail(f"{what} has {size} bytes, {shard.data_bytes} of them data")
        name, sums = member(document, "file", str, what), member(document, "sums", str, what)
        unpack_sums(sums, size, what)
        return cls(name, size, member(document, "header", str, what), sums)


@dataclass(frozen=True)
class Manifest:
    """Everything that the manifest of an arena states.

    Attributes
    ----------
    id : str
        32 hexadecimal digits: of what was written first, and kept from then on.
    generation : int
        Counts the manifests that this folder has had, from 1 on.
    written_by : str
        Version of the package.
    plan : FilePlan
    shards : tuple of tuples of FileEntry
        By family.
    columns_file : FileEntry
    catalog, source : dict
    digest : str
        As it stands in the file; empty for one that is not written yet. Of two manifests of one
        generation, such as a copy that was edited on its own, it tells which is which.
    """

    id: str
    generation: int
    written_by: str
    plan: FilePlan
    shards: tuple[tuple[FileEntry, ...], ...]
    columns_file: FileEntry
    catalog: dict[str, Any]
    source: dict[str, Any]
    digest: str = ""

    @property
    def files(self) -> list[tuple[FileEntry, Shard]]:
        """All files with what they hold, the columns file last."""
        pairs = [
            pair
            for entries, family in zip(self.shards, self.plan.families, strict=True)
            for pair in zip(entries, family.shards, strict=True)
        ]
        return [*pairs, (self.columns_file, self.plan.tables)]

    def to_bytes(self) -> bytes:
        """Return the file's content.

        Raises
        ------
        TypeError, ValueError
            If catalogue or source are more than JSON can say.
        """
        stated = plan_to_json(self.plan)
        for family, entries in zip(stated["families"], self.shards, strict=True):
            for shard, entry in zip(family["shards"], entries, strict=True):
                shard.update(entry.to_json())
        head = {"format": FORMAT, "version": VERSION, "written_by": self.written_by}
        about = {"id": self.id, "generation": self.generation}
        columns_file = {"columns_file": self.columns_file.to_json()}
        owners = {"catalog": self.catalog, "source": self.source}
        return seal({**head, **about, **stated, **columns_file, **owners})

    @classmethod
    def from_bytes(cls, text: bytes, path: Path) -> "Manifest":
        """Return the manifest that :meth:`to_bytes` wrote.

        Raises
        ------
        ArenaDamagedError
            If its digest does not fit.
        ArenaFormatError
            If it states what cannot be.
        """
        if FORMAT.encode() not in text[:200]:
            raise ArenaFormatError(f"{path} is not the manifest of an arena")
        document = unseal(text, str(path))
        if document.get("format") != FORMAT:
            raise ArenaFormatError(f"{path} is not the manifest of an arena")
        _check_version(document, path)
        try:
            return cls._from_json(document)
        except ArenaFormatError as error:
            raise type(error)(f"{path}: {error}") from None

    @classmethod
    def _from_json(cls, document: dict[str, Any]) -> "Manifest":
        plan = plan_from_json(document)
        shards = []
        for family, stated in zip(plan.families, document["families"], strict=True):
            pairs = zip(stated["shards"], family.shards, strict=True)
            shards.append(tuple(FileEntry.from_json(s, shard, "a shard") for s, shard in pairs))
        what = "the arena"
        columns = member(document, "columns_file", dict, what)
        manifest = cls(
            member(document, "id", str, what),
            number(document, "generation", what, least=1),
            member(document, "written_by", str, what),
            plan,
            tuple(shards),
            FileEntry.from_json(columns, plan.tables, "the columns file"),
            member(document, "catalog", dict, what),
            member(document, "source", dict, what),
            member(document, "digest", str, what),
        )
        _check_names(manifest)
        return manifest


def _check_version(document: Mapping[str, Any], path: Path) -> None:
    found = number(document, "version", str(path))
    if found != VERSION:
        writer = document.get("written_by")
        raise ArenaFormatError(
            f"{path} has version {found} of the format, written by fastcache {writer}; this is "
            f"fastcache {package_version()}, which reads version {VERSION}: "
            + ("install a newer one" if found > VERSION else "write the arena again")
        )


def _check_names(manifest: Manifest) -> None:
    names = [entry.file for entries in manifest.shards for entry in entries]
    bad = [name for name in names if not naming.is_shard_name(name)]
    if not naming.is_columns_name(manifest.columns_file.file):
        bad.append(manifest.columns_file.file)
    if bad or len(set(names)) != len(names):
        raise fail(f"files are called {bad or 'the same'}"[:300])


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an arena.

    Raises
    ------
    ArenaFormatError
        If the folder is no whole arena.
    ArenaDamagedError
        If the manifest is not as it was written.
    ArenaFileError
        If the system refuses to read it.
    """
    path = folder / MANIFEST
    with system_calls("looking for", path):
        if not path.exists() and not path.is_symlink():
            raise _no_arena(folder)
    return Manifest.from_bytes(read_whole(path, _MOST), path)


def check_same(folder: Path, manifest: Manifest) -> None:
    """Refuse to go on where a folder has another manifest than was read from it.

    Raises
    ------
    ArenaFormatError
        If it has, or cannot be read any more.
    ArenaFileError
        If the system refuses to read it.
    """
    if read_manifest(folder).digest != manifest.digest:
        raise ArenaFormatError(
            f"{folder / MANIFEST} was replaced meanwhile, by somebody who did not ask for the "
            "lock: nothing was changed; open the arena again"
        )


def _no_arena(folder: Path) -> ArenaFormatError:
    if not folder.exists():
        return ArenaFormatError(f"{folder} does not exist: give the folder of an arena")
    if not folder.is_dir():
        return ArenaFormatError(f"{folder} is no folder: an arena is one, with {MANIFEST} in it")
    if (folder / naming.JOURNAL).exists() or (folder / naming.LOCK).exists():
        return ArenaFormatError(
            f"{folder} is being written, or writing was interrupted (there is no {MANIFEST} in it "
            "yet): wait for it to end, or write the arena again, which keeps what is whole"
        )
    return ArenaFormatError(f"{folder} is no arena: there is no {MANIFEST} in it")


def identify(plan: FilePlan, entries: list[FileEntry], about: Mapping[str, Any]) -> str:
    """Return the id of a new arena: it follows from what is written, and from nothing else."""
    files = [[entry.bytes, entry.header, entry.sums] for entry in entries]
    return id_of(seal({"plan": plan_to_json(plan), "files": files, **about}))
