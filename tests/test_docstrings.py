"""Everything public says what it does, itself or through the class that it overrides."""

import importlib
import inspect
import pkgutil

import pytest

import fastcache


def public_modules():
    """Names of the modules of the installed package whose path has no underscore."""
    found = pkgutil.walk_packages(fastcache.__path__, "fastcache.")
    return [module.name for module in found if "._" not in module.name]


def own_public_objects(module):
    """Classes and functions that a module defines, with the public members of its classes."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value) or inspect.isfunction(value):
            yield f"{module.__name__}.{name}", value
        if inspect.isclass(value):
            for member in vars(value):
                attribute = getattr(value, member)
                if not member.startswith("_") and (
                    inspect.isroutine(attribute) or isinstance(attribute, property)
                ):
                    yield f"{module.__name__}.{name}.{member}", attribute


@pytest.mark.parametrize("name", public_modules())
def test_public_names_have_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != "torch":
            raise
        pytest.skip("needs torch")
    assert module.__doc__, f"{name} has no docstring"
    silent = [path for path, value in own_public_objects(module) if not inspect.getdoc(value)]
    assert not silent
