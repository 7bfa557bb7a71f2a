"""Chain: the two parts of a ``transform=``, for C and for Python."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastcache.transforms.operation import ReadOperation
from fastcache.transforms.telling import recipe_lines

AnyCallable = Callable[[Any], Any]


@dataclass(frozen=True, repr=False)
class Chain:
    """A ``transform=`` in two parts; prints as what runs where.

    Attributes
    ----------
    operations : tuple of ReadOperation
        What C does first.
    callables : tuple of callable
        What Python does to each sample afterwards.
    why : str
        Why they run in Python; "" without any.
    first : int
        Which of them `why` is about: before it stand torchvision's conversions, which are only
        needed for its sake.
    hands_tensors : bool
        Whether they get tensors: of floats, or because `transform` is given tensors in any case. If
        not they get PIL images.
    """

    operations: tuple[ReadOperation, ...] = ()
    callables: tuple[AnyCallable, ...] = ()
    why: str = ""
    first: int = 0
    hands_tensors: bool = False

    def lines(self) -> list[str]:
        """Return a line for each part: where it runs, what it is, and why in Python."""
        lines = recipe_lines(self.operations)
        for number, step in enumerate(self.callables):
            lines.append(f"in Python: {told(step)}" + f" ({self.why})" * (number == self.first))
        return lines

    def __repr__(self) -> str:
        return "\n".join(self.lines()) or "nothing"


def told(step: object) -> str:
    """Return a callable as one line."""
    name = getattr(step, "__qualname__", None)
    return name if isinstance(name, str) else " ".join(repr(step).split())
