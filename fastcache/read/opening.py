"""Opening arenas that were saved."""

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, overload

from fastcache.errors import ArgumentError
from fastcache.fill.editing.editor import ArenaEditor
from fastcache.memory.arena import Arena
from fastcache.memory.files.naming import AnyPath, folder_of
from fastcache.read.checking import check_catalog
from fastcache.read.choices import check_choice
from fastcache.read.dataset import ArenaDataset
from fastcache.read.device.device_home import is_device, opened_at, place_of
from fastcache.read.transform_steps import Transform
from fastcache.read.view import ArenaView


@overload
def open(  # noqa: A001
    path: AnyPath,
    mode: Literal["r"] = "r",
    *,
    home: str = "auto",
    transform: Transform = None,
    transform_input: Literal["pil", "tensor"] = "pil",
    target_transform: Transform = None,
    output: Literal["tuple", "dict"] = "tuple",
    threads: int | None = None,
    seed: int = 0,
) -> ArenaDataset: ...


@overload
def open(  # noqa: A001
    path: AnyPath, mode: Literal["r+"], *, threads: int | None = None
) -> ArenaEditor: ...


def open(  # noqa: A001 - users write fastcache.open
    path: AnyPath,
    mode: Literal["r", "r+"] = "r",
    *,
    home: str = "auto",
    transform: Transform = None,
    transform_input: Literal["pil", "tensor"] = "pil",
    target_transform: Transform = None,
    output: Literal["tuple", "dict"] = "tuple",
    threads: int | None = None,
    seed: int = 0,
) -> ArenaDataset | ArenaEditor:
    """Open a saved arena as a dataset; no pixel is read before it is asked for.

    Parameters
    ----------
    path : path
        A folder ``NAME.arena`` that :meth:`ArenaDataset.save` or ``cache_dir=`` made.
    mode : {"r", "r+"}
        "r" opens a dataset. "r+" locks the folder for other writers, and returns an
        :class:`ArenaEditor`, with which columns and samples are put into the arena; of the other
        arguments it takes `threads` alone.
    home : {"auto", "ram", "disk", "cuda"}
        "disk", as "auto": the files are the memory, and all processes that open them share the
        system's cache. "ram": they are read into memory, and are not needed afterwards. "cuda" (or
        "cuda:1"): they are read into the memory of a device, as for :class:`ArenaDataset`.
    transform, transform_input, target_transform, output, threads, seed
        As for :class:`ArenaDataset`.

    Raises
    ------
    ArenaFormatError, ArenaDamagedError
        If it is no arena, or its files are not as they were written (:func:`fastcache.verify`
        looks at every byte).
    ArenaLockedError
        With "r+", if somebody else is writing there.
    BudgetError, NoMemoryError
        If memory has no room for it, or not even for its tables.
    ArgumentError
        A value that cannot be used.

    Examples
    --------
    >>> import fastcache as fc
    >>> fc.ArenaDataset("photos/train").save("train.arena")
    >>> ds = fc.open("train.arena")
    """
    check_choice("mode", mode, ("r", "r+"))
    if not is_device(home):
        check_choice("home", home, ("auto", "ram", "disk"))
    options: dict[str, Any] = {
        "transform": transform,
        "transform_input": transform_input,
        "target_transform": target_transform,
        "output": output,
    }
    place = folder_of(path)
    if mode == "r+":
        given = [name for name, value in options.items() if value not in (None, "pil", "tuple")]
        given += ["seed"] if seed else []
        if given or home != "auto":
            raise ArgumentError(
                f"mode='r+' returns an editor, which knows no {', '.join(given or ['home'])}: open "
                "the arena with mode='r' for that"
            )
        with Arena.open(place) as arena:
            check_catalog(arena, place)
        return ArenaEditor(place, threads=threads)
    where = place_of(home)
    dataset = ArenaDataset.__new__(ArenaDataset)
    options |= {"threads": threads}
    reader = opened_at(where, lambda _: _checked(place, home, threads), threads, seed)
    try:
        ArenaView.__init__(dataset, reader, **options)
    except BaseException:
        with suppress(BufferError):  # a frame of this traceback looks at the memory:
            reader.close()  # it goes when the traceback does
        raise
    return dataset


def _checked(place: Path, home: str, threads: int | None) -> Arena:
    arena = Arena.load(place, "ram", threads) if home == "ram" else Arena.open(place)
    try:
        check_catalog(arena, place)
    except BaseException:
        with suppress(BufferError):
            arena.close()
        raise
    return arena
