"""What the report says of a column's files."""

from collections import Counter

import numpy as np

from fastcache._core import image as core
from fastcache.fill.images.file_table import FileTable
from fastcache.fill.images.formats import NPY, misnomer

_SHOWN = 5  # misnamed files that are told by name


def file_facts(table: FileTable) -> dict[str, object]:
    """Return who decoded how many files of which format, and what is odd about them.

    Files that failed are not counted.
    """
    ways: dict[str, Counter[str]] = {"C": Counter(), "Pillow": Counter(), NPY: Counter()}
    wrong: list[tuple[str, str]] = []
    good, names = table.good(), table.formats()
    in_c = np.isin(table.status, (core.OK, core.PENDING)).tolist()  # left for later: in C too
    for row in np.flatnonzero(good).tolist():
        name, path = names[row], table.paths[row]
        ways["C" if in_c[row] else NPY if name == NPY else "Pillow"][name] += 1
        if why := misnomer(path, name):
            wrong.append((path, why))
    return {
        "decoded_in_c": dict(ways["C"]),
        "through_pillow": dict(ways["Pillow"]),
        "through_numpy": dict(ways[NPY]),
        "animated": int((table.animated & good).sum()),
        "misnamed": len(wrong),
        "misnamed_files": wrong[:_SHOWN],
    }
