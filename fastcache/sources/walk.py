"""Finding image files under a folder, in torchvision's order."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from fastcache.errors import ArgumentError, SourceNotFoundError

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# Taken where a folder has no file of the above, so that what ImageFolder finds stays what is found:
# arrays often lie beside images without being samples.
NPY_EXTENSIONS = (".npy",)


def path_of(path: object, what: str) -> str:
    """Return a path as a str with ``~`` expanded; raise ArgumentError for anything else."""
    if isinstance(path, str | os.PathLike):
        plain = os.fspath(path)
        if isinstance(plain, str) and plain and "\0" not in plain:
            return os.path.expanduser(str(plain))
    raise ArgumentError(f"{what} must be a path (str or os.PathLike), not {path!r}")


def is_ordered(values: object) -> bool:
    """Whether this can be walked once, in an order of its own: a list, a column, a generator."""
    return isinstance(values, Iterable) and not isinstance(
        values, str | bytes | os.PathLike | Mapping | Set
    )


def entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds; raise SourceNotFoundError where it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        raise SourceNotFoundError(f"cannot list {folder!r}: {error.strerror}") from error


def is_folder(entry: "os.DirEntry[str]", follow_links: bool = True) -> bool:
    """Whether an entry is a folder; a link that leads nowhere or in a circle is none."""
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except OSError:
        return False


def files_below(
    folder: str, accept: Callable[[str], bool], follow_links: bool = True
) -> Iterator[str]:
    """Yield paths of accepted files below a folder, in the order of ``sorted(os.walk(folder))``.

    Files are not touched: only folders are listed.

    Parameters
    ----------
    folder : str
    accept : callable
        Takes a path, returns whether it counts.
    follow_links : bool
        Whether to enter folders that are symbolic links.

    Raises
    ------
    SourceNotFoundError
        For a folder that cannot be listed, and for a link that leads back to a folder that it lies
        in: what lies below would be found again and again.
    """
    found: list[tuple[str, list[str]]] = []
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [(folder, (_identity(folder),))]
    while pending:
        here, above = pending.pop()
        names = []
        for entry in entries(here):
            if not is_folder(entry):
                names.append(entry.name)
            elif follow_links or not entry.is_symlink():
                identity = _identity(entry.path)
                if identity in above:
                    raise SourceNotFoundError(
                        f"{entry.path!r} is a link that leads back to a folder above it: remove "
                        "it, or pass follow_links=False"
                    )
                pending.append((entry.path, (*above, identity)))
        found.append((here, sorted(names)))
    for here, names in sorted(found):
        for name in names:
            path = os.path.join(here, name)
            if accept(path):
                yield path


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise SourceNotFoundError(f"cannot read {folder!r}: {error.strerror}") from error
    return status.st_dev, status.st_ino


def by_extension(extensions: str | tuple[str, ...]) -> Callable[[str], bool]:
    """Return a test whether a path ends with one of the extensions, whatever their case."""
    given = (extensions,) if isinstance(extensions, str) else tuple(extensions)
    if not given or not all(given) or not all(isinstance(one, str) for one in given):
        raise ArgumentError(f"extensions must be strings such as '.jpg', not {extensions!r}")
    lowered = tuple(one.lower() for one in given)
    return lambda path: path.lower().endswith(lowered)
