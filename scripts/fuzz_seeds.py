"""Write one small file of every kind that the tests know into a folder: where fuzzing starts.

usage: fuzz_seeds.py FOLDER
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import images

LARGEST = 16 << 10  # libFuzzer mutates small inputs far more often


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {**images.jpeg_kinds(), **images.other_kinds(), **images.broken_kinds()}
    for kind, data in kinds.items():
        if len(data) <= LARGEST:
            (folder / kind.replace(":", "")).write_bytes(data)
    print(f"{len(list(folder.iterdir()))} seeds in {folder}")


if __name__ == "__main__":
    main()
