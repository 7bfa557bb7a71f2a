"""Imports go one way: tools → read → fill → memory → data descriptions → _core → errors."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import source_files, source_root

PACKAGE = source_root() / "fastcache"
RANKS = {  # who may know whom: only parts of a lower rank; within a rank, without cycles
    "errors": 0,
    "_core": 1,
    "schema": 2,
    "sources": 2,
    "transforms": 2,
    "gaf": 2,
    "memory": 3,
    "fill": 4,
    "read": 5,
    "tools": 6,
    "__init__": 7,
}
PYTHON = source_files("fastcache/**/*.py", "fastcache/**/*.pyi")
CYTHON = source_files("fastcache/**/*.pyx", "fastcache/**/*.pxd")
IMPORT_LINE = re.compile(
    r"^\s*(?:from\s+(?P<base>[\w.]+)\s+c?import\s+(?P<names>\(?[^#\n]*)"
    r"|c?import\s+(?P<module>[\w.]+))",
    re.MULTILINE,
)


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.split(".")[0]


def absolute(path: Path, module: str, level: int) -> str:
    """Resolve `level` leading dots of an import in the file at `path`."""
    if level == 0:
        return module
    folder = path.relative_to(PACKAGE.parent).parts[:-1]
    return ".".join([*folder[: len(folder) - level + 1], *([module] if module else [])])


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports; `from a import b` counts as a.b."""
    text = path.read_text()
    if path.suffix in {".pyx", ".pxd"}:
        for line in IMPORT_LINE.finditer(text):
            if line["module"]:
                yield line["module"]
                continue
            level = len(line["base"]) - len(line["base"].lstrip("."))
            base = absolute(path, line["base"].lstrip("."), level)
            yield from (f"{base}.{word}" for word in re.findall(r"\w+", line["names"]) or [""])
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(path, node.module or "", node.level)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def parts_known(path: Path) -> set[str]:
    """Parts of fastcache that a file imports, without its own."""
    known = set()
    for dotted in imports(path):
        words = dotted.split(".")
        if words[0] == "fastcache":
            # `import fastcache`, or a name that the facade hands on: both mean the facade.
            known.add(words[1] if len(words) > 1 and words[1] in RANKS else "__init__")
    return known - {part_of(path)}


def test_every_part_has_a_rank():
    assert {part_of(path) for path in [*PYTHON, *CYTHON]} <= set(RANKS)


@pytest.mark.parametrize("path", [*PYTHON, *CYTHON], ids=name)
def test_no_arrow_points_up(path):
    rank = RANKS[part_of(path)]
    upwards = {part for part in parts_known(path) if RANKS[part] > rank}
    assert not upwards, f"{name(path)} is in {part_of(path)!r} and must not import {upwards}"


def test_parts_of_one_rank_form_no_cycle():
    arrows: dict[str, set[str]] = {part: set() for part in RANKS}
    for path in [*PYTHON, *CYTHON]:
        arrows[part_of(path)] |= parts_known(path)
    while arrows:
        free = {part for part, known in arrows.items() if not known & set(arrows)}
        assert free, f"these parts import each other in a circle: {sorted(arrows)}"
        arrows = {part: known for part, known in arrows.items() if part not in free}


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_torch_is_known_to_read_and_tools_only(path):
    foreign = {dotted.split(".")[0] for dotted in imports(path)} & {"torch", "torchvision"}
    allowed = {"torch"} if part_of(path) in {"read", "tools"} else set()
    assert foreign <= allowed, f"{name(path)} imports {foreign - allowed}"


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_cuda_is_reached_from_one_file_only(path):
    knows_torch = any(dotted.split(".")[0] == "torch" for dotted in imports(path))
    if path == PACKAGE / "read" / "device" / "cuda.py" or not knows_torch:
        return  # what only looks whether others have loaded torch does not depend on it
    uses = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr == "cuda"
        and isinstance(node.value, ast.Name)
        and node.value.id == "torch"
    ]
    assert not uses, (
        f"{name(path)} uses torch.cuda on lines {uses}; read/device/cuda.py is its place"
    )


@pytest.mark.parametrize("path", [*PYTHON, *CYTHON], ids=name)
def test_only_core_sees_csrc(path):
    if part_of(path) == "_core":
        return
    assert not re.search(r"\bctypes\b|\bcffi\b|fastcache\.h", path.read_text()), name(path)


def test_csrc_is_free_of_python_torch_and_cuda():
    for path in source_files("csrc/*.[ch]"):
        included = re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)', path.read_text(), re.MULTILINE)
        foreign = [file for file in included if re.search(r"Python|numpy|torch|cuda|\.\./", file)]
        assert not foreign, f"{path.name} includes {foreign}"


@pytest.mark.parametrize("init", [path for path in PYTHON if path.name == "__init__.py"], ids=name)
def test_no_name_is_both_function_and_module(init):
    tree = ast.parse(init.read_text())
    given = {node.name for node in tree.body if hasattr(node, "name")}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            base = absolute(init, node.module or "", node.level)
            here = ".".join(init.relative_to(PACKAGE.parent).parts[:-1])
            # `from package import module` hands on the module itself: one meaning.
            given |= {alias.asname or alias.name for alias in node.names if base != here}
    modules = {path.stem for path in init.parent.iterdir() if path.suffix in {".py", ".pyx"}}
    modules |= {path.name for path in init.parent.iterdir() if (path / "__init__.py").is_file()}
    assert not given & modules, f"{name(init)}: {given & modules} name a module and an object"


def test_the_rules_see_an_arrow_that_points_up(tmp_path, monkeypatch):
    package = tmp_path / "fastcache"
    (package / "memory").mkdir(parents=True)
    monkeypatch.setitem(globals(), "PACKAGE", package)
    plain = package / "memory" / "arena.py"
    plain.write_text("def f():\n    from ..read import loader\n    import fastcache.errors\n")
    assert parts_known(plain) == {"read", "errors"}
    cython = package / "memory" / "block.pyx"
    cython.write_text(
        "from fastcache._core cimport _capi\nfrom ..fill import plan\ncimport cython\n"
    )
    assert parts_known(cython) == {"_core", "fill"}
    facade = package / "memory" / "facade.py"
    facade.write_text("from fastcache import ArenaDataset, schema\n")
    assert parts_known(facade) == {"__init__", "schema"}
