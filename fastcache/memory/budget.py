"""Budgets: how much memory plans may take, alone or together."""

import os
import threading
from collections.abc import Sequence
from typing import NoReturn, TypeAlias, Union

from fastcache.errors import ArgumentError
from fastcache.memory.limits import Limit, SystemLimits
from fastcache.memory.reading import (
    Amount,
    Reading,
    bound_by_system,
    check,
    read_amount,
    requested,
    reserve,
    shortage,
)
from fastcache.memory.reservation import Reservation, checked_size
from fastcache.memory.units import format_bytes

__all__ = [
    "Amount",
    "Budget",
    "BudgetLike",
    "Reading",
    "check",
    "read_budget",
    "reserve",
    "shortage",
    "take",
]

BudgetLike: TypeAlias = Union[Amount, "Budget"]


def read_budget(
    budget: BudgetLike = None, limits: Sequence[Limit] | SystemLimits | None = None
) -> Reading:
    """Find out how much memory may be used now.

    Parameters
    ----------
    budget : int, str, float, Budget or None
        Bytes, a text such as ``"8GB"`` or ``"512MiB"``, a share of what is available in (0, 1],
        a Budget that others share, or None for what is available less a reserve.
    limits : sequence of Limit, or SystemLimits, optional
        What the system allows; read from it if not given.

    Raises
    ------
    ArgumentError
        If ``budget`` is none of these.
    """
    if isinstance(budget, Budget):
        return budget.read(limits)
    return read_amount(budget, limits)


class _Lock:
    """One lock for all budgets: between looking and reserving nobody else may reserve."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget a lock that a thread of the parent may have held when this process was forked."""
        self.held = threading.Lock()


_lock = _Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lock.renew)


class Budget:
    """An amount of memory that several datasets share, such as those for training and validation.

    Parameters
    ----------
    amount : int, str, float or None
        Bytes, a text such as ``"8GB"``, a share in (0, 1] of what is available now, or None for
        what is available now less a reserve.

    Attributes
    ----------
    bytes : int
        What all holders together may have, settled when the budget is made. The system may leave
        less: see `free`.

    Raises
    ------
    ArgumentError
        If ``amount`` is none of these.

    Notes
    -----
    Give the same object as ``budget=`` to each dataset. What one has reserved, its arena for as
    long as that is open and its scratch while it fills, is not there for the next. Threads may
    share a budget; processes cannot, so it is not pickled.

    Examples
    --------
    >>> import fastcache as fc
    >>> budget = fc.Budget("8GB")
    >>> train = fc.ArenaDataset("photos/train", budget=budget)
    >>> val = fc.ArenaDataset("photos/val", budget=budget)
    """

    def __init__(self, amount: Amount = None) -> None:
        _, system = bound_by_system(None)
        request = requested(amount, system)
        self.bytes = request.bytes
        self._name = request.name
        self._kept = system.bytes - request.bytes if amount is None else 0
        # Reservations come and go without the lock: garbage collection may release one while this
        # very thread holds it. Single steps on a dict are whole.
        self._held: dict[int, Reservation] = {}

    @property
    def used(self) -> int:
        """Bytes that are reserved now."""
        return sum(one.bytes for one in tuple(self._held.values()))

    @property
    def free(self) -> int:
        """Bytes that may be reserved now: what is left of the amount, or what the system leaves."""
        return self.read().bytes

    def read(self, limits: Sequence[Limit] | SystemLimits | None = None) -> Reading:
        """Return what may be reserved now, and which limit binds.

        Parameters
        ----------
        limits
            As for :func:`read_budget`.
        """
        # Before the system: what is allocated in between then counts twice, rather than never.
        held = tuple(self._held.values())
        found, system = bound_by_system(limits)
        used, pending = sum(one.bytes for one in held), sum(one.pending for one in held)
        # Memory that our arenas took is gone from the system's number; what is only promised to
        # them is not gone yet.
        available = max(0, system.bytes - pending)
        own = Limit(
            self._name + (f", {format_bytes(used)} of it reserved" if used else ""),
            max(0, self.bytes - used),
        )
        kept = f", {format_bytes(self._kept)} kept in reserve" if self._kept else ""
        left = Limit(system.name + kept, max(0, available - self._kept))
        binding = min(own, left, key=lambda part: part.bytes)
        parts = (*found.limits, own)
        return Reading(binding.bytes, binding.name, available, parts, found.unread, used)

    def reserve(self, size: int, what: str, remedies: Sequence[str] = ()) -> Reservation:
        """Reserve bytes, or say why they are not there.

        Parameters
        ----------
        size : int
            Bytes, at least 0.
        what : str
            Whom they are for, as `repr` names it.
        remedies : sequence of str
            What would need less, for the error.

        Returns
        -------
        Reservation
            Holds the bytes until it is released; a context manager.

        Raises
        ------
        BudgetError
            If fewer are free.
        ArgumentError, ArgumentTypeError
            If `size` is negative, or no int.
        """
        count = checked_size(size)
        with _lock.held:
            check(count, self.read(), remedies)
            return Reservation(count, what, self._held)

    def __repr__(self) -> str:
        reading = self.read()
        held = ", ".join(f"{one.what} {format_bytes(one.bytes)}" for one in [*self._held.values()])
        return (
            f"<Budget of {format_bytes(self.bytes)}: {format_bytes(reading.shared)} reserved"
            f"{held and f' ({held})'}, {format_bytes(reading.bytes)} free (limit: {reading.limit})>"
        )

    def __copy__(self) -> "Budget":
        return self

    def __deepcopy__(self, memo: object) -> "Budget":
        return self

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(
            "a Budget counts what datasets of this process hold, and is not pickled: pickle the "
            "dataset (it does not contain it), or make a Budget of its own in the other process"
        )


def take(
    budget: BudgetLike, size: int, what: str, reading: Reading, remedies: Sequence[str] = ()
) -> Reservation:
    """Reserve bytes of a budget of any form.

    Parameters
    ----------
    budget
        As for :func:`read_budget`.
    size, what, remedies
        As for :meth:`Budget.reserve`.
    reading : Reading
        What was read before, against which anything but a Budget is checked.

    Raises
    ------
    BudgetError
        If fewer are free.
    """
    if isinstance(budget, Budget):
        return budget.reserve(size, what, remedies)
    check(size, reading, remedies)
    return Reservation(size, what, {})
