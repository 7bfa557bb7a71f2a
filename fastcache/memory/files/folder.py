"""The folder of an arena before it is written: what is there, and what has to go."""

from collections.abc import Collection, Iterable
from pathlib import Path

from fastcache.errors import ArenaDamagedError, ArenaExistsError, ArenaFormatError
from fastcache.memory.files import naming
from fastcache.memory.files.disk import disk_full, free_bytes, sync_folder, system_calls
from fastcache.memory.files.journal import is_journal
from fastcache.memory.files.manifest import Manifest, read_manifest
from fastcache.memory.files.naming import MANIFEST


def names_in(folder: Path) -> list[str]:
    """Return the names of everything in a folder."""
    with system_calls("listing", folder):
        return [each.name for each in folder.iterdir()]


def check_room(folder: Path, need: int) -> None:
    """Raise BudgetError unless the file system of a folder has room for ``need`` bytes."""
    with system_calls("looking at the file system of", folder):
        if free_bytes(folder) < need:
            raise disk_full(folder, need)


def make_folder(folder: Path, need: int) -> None:
    """Make a folder for an arena whose files have ``need`` bytes, or see that it can be used.

    Raises
    ------
    ArenaExistsError
        If there is a file, or a folder of other things.
    BudgetError
        If the disk has no room.
    """
    with system_calls("making", folder):
        if not folder.exists():
            check_room(folder, need)
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
        elif not folder.is_dir():
            raise ArenaExistsError(f"{folder} is a file: choose another name")
    names = names_in(folder)
    foreign = _foreign(folder, names)
    if foreign:
        raise ArenaExistsError(
            f"{folder} holds other things ({foreign[0]}...): choose a folder that is empty, or not "
            "there yet"
        )


def _foreign(folder: Path, names: Collection[str]) -> list[str]:
    """Return what a folder holds that is not ours; nothing if it is, or becomes, an arena.

    A manifest or a journal of ours shows that it is an arena's folder, whatever else lies there.
    Without them names have to show it: `journal.jsonl` may well be a user's own.
    """
    if MANIFEST in names or (naming.JOURNAL in names and is_journal(folder / naming.JOURNAL)):
        return []
    foreign = sorted(name for name in names if not naming.is_ours(name))
    if foreign or naming.LOCK in names:  # which every writer makes first
        return foreign
    return [name for name in names if name == naming.JOURNAL]


def arena_there(folder: Path, overwrite: bool) -> Manifest | None:
    """Return the manifest of the arena that is to be replaced, None if there is none to keep.

    Raises
    ------
    ArenaExistsError
        If there is one that may not be replaced, or cannot be read by this version.
    """
    path = folder / MANIFEST
    with system_calls("looking for", path):
        if not path.exists() and not path.is_symlink():
            return None
    if not overwrite:
        raise ArenaExistsError(
            f"{folder} is an arena already: choose another name, or say overwrite=True"
        )
    try:
        return read_manifest(folder)
    except ArenaDamagedError:  # nobody can open it
        remove_names(folder, [MANIFEST])
        return None
    except ArenaFormatError as error:
        raise ArenaExistsError(
            f"{folder} cannot be replaced: {error}; delete it, or choose another name"
        ) from error


def remove_names(folder: Path, names: Iterable[str]) -> None:
    """Remove files; those that have gone already are no error."""
    for name in names:
        with system_calls("removing", folder / name):
            (folder / name).unlink(missing_ok=True)


def remove_unfinished(folder: Path, journal: bool) -> None:
    """Remove what a run was writing when it was killed: the next could not write it again.

    With ``journal``, that goes as well, and with it all that the run has finished.
    """
    names = [name for name in names_in(folder) if naming.is_unfinished(name)]
    remove_names(folder, names + [naming.JOURNAL] * journal)


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Remove all files of ours but these, the manifest, and the lock."""
    kept = {MANIFEST, naming.LOCK, *names}
    ours = filter(naming.is_ours, names_in(folder))
    remove_names(folder, [name for name in ours if name not in kept])
