"""Arguments that are one of a few words."""

from collections.abc import Sequence

from fastcache.errors import ArgumentError

INPUTS = ("pil", "tensor")
OUTPUTS = ("tuple", "dict")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a value that is not one of the choices."""
    if value not in choices:
        raise ArgumentError(f"{name}={value!r}: choose {' or '.join(map(repr, choices))}")
