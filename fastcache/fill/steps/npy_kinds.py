"""Which .npy files a column of images can hold, and what it holds then."""

from collections import Counter

from fastcache.fill.images.file_table import FileTable


def settle_arrays(table: FileTable, asked: str | None) -> tuple[str, int] | None:
    """Decide what a column of images holds, and refuse the .npy files that do not fit it.

    Parameters
    ----------
    table : FileTable
        Of the column; rows that do not fit are failed in it.
    asked : str or None
        ``color=`` as the user gave it.

    Returns
    -------
    (dtype, channels) or None
        Of .npy files that are kept as they are; None where all files become 8-bit images.
    """
    color = asked or "RGB"
    npy = table.npy
    kinds = Counter(header.kind for header in npy.values())
    alone = int(table.good().sum()) == len(npy)
    if asked is None and alone and len(kinds) == 1:
        (kind,) = kinds
        return kind
    kept = ("uint16", 1) if color == "I;16" else None  # as that colour has it
    for row, header in list(npy.items()):
        if header.dtype == "uint8" or header.kind == kept:
            continue
        if asked is not None:
            remedy = "convert it to uint8, or leave color= out to keep arrays as they are"
        elif alone:
            told = ", ".join(f"{n} of {d} x {c}" for (d, c), n in sorted(kinds.items())[:4])
            remedy = f"arrays are kept only if all are of one kind, these are {told}"
        else:
            remedy = "convert it to uint8, or keep .npy files in a dataset of their own"
        table.fail(
            row,
            f"holds {header.dtype}, {header.channels} x {header.height} x {header.width}, in a "
            f"column of {color} images: {remedy}",
        )
    return kept
