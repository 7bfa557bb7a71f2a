"""Filling an arena in memory: prepare, plan, allocate, fill, commit."""

import time
from contextlib import suppress

from fastcache.errors import BudgetError
from fastcache.fill.catalog import Outcome, make_catalog
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.estimate.remedies import with_remedies
from fastcache.fill.failed import Failures
from fastcache.fill.options import Accept, FillOptions
from fastcache.fill.own_columns import write_index
from fastcache.fill.prepare import Preparation
from fastcache.fill.progress import Meter
from fastcache.fill.ranks.together import Team
from fastcache.fill.run import run_column
from fastcache.memory.arena import Arena, ArenaLayout
from fastcache.memory.budget import read_budget, take
from fastcache.memory.layout import INDEX
from fastcache.memory.reservation import Reservation
from fastcache.sources.base import Source

_ATTEMPTS = 20  # to reserve what was planned; each that fails let another thread have its part


def fill_arena(
    source: Source, options: FillOptions, accept: Accept | None = None, team: Team | None = None
) -> Arena:
    """Return a committed arena in memory with everything that `source` holds.

    `accept` may refuse the columns that it will have, before anything is decoded; `team` are the
    other ranks of the node, if they may help.

    Raises
    ------
    DecodeError
        Samples cannot be had: any with ``on_error="raise"``, all of them otherwise.
    BudgetError
        The plan does not fit; nothing was allocated.
    PeerError
        Another rank of the team has ended.
    """
    team = team or Team()
    begun = time.perf_counter()
    prepared = Preparation(source, options)
    failures = Failures(prepared)
    failures.drop_unreadable()
    layout, plan, reserved = _reserve(prepared, accept)
    team.allow(options.budget, plan.have_bytes - plan.need_bytes)
    try:
        arena = Arena.allocate(layout, options.home, prepared.threads)
    except BaseException:
        reserved.release()
        raise
    arena.on_free(reserved.release)
    reserved.settle(plan.arena_bytes)
    try:
        _fill(prepared, failures, arena, layout, plan, begun, team)
    except BaseException:
        with suppress(BufferError):  # a frame of this traceback looks at the memory:
            arena.close()  # it goes when the traceback does
        raise
    finally:
        reserved.shrink(min(plan.arena_bytes, reserved.bytes))
    return arena


def _reserve(prepared: Preparation, accept: Accept | None) -> tuple[ArenaLayout, Plan, Reservation]:
    """Plan, and reserve what the plan needs.

    Between the two another thread may have taken of a budget that is shared, or the system may
    leave less: what ``keep="auto"`` has made fit is then planned anew, for what there is now.
    """
    options = prepared.options
    for attempt in range(_ATTEMPTS):
        budget = read_budget(options.budget)
        layout, bare = prepared.plan(budget)
        if accept is not None:
            fields = {n: column.field for n, column in layout.columns.items()}
            accept(fields, layout.ragged_shapes, layout.count)
        plan = with_remedies(prepared, bare)
        what = f"{plan.samples:,} samples"
        try:
            reserved = take(options.budget, plan.need_bytes, what, budget, plan.remedies)
        except BudgetError:
            overtaken = plan.fits and options.keep == "auto"
            if not overtaken or attempt + 1 == _ATTEMPTS:
                raise
        else:
            return layout, plan, reserved
    raise AssertionError("the last attempt returns or raises")


def _fill(
    prepared: Preparation,
    failures: Failures,
    arena: Arena,
    layout: ArenaLayout,
    plan: Plan,
    begun: float,
    team: Team,
) -> None:
    """Fill an arena and commit it."""
    probed = time.perf_counter()
    columns = prepared.all_columns
    with Meter(prepared.options.progress, sum(column.items for column in columns)) as meter:
        for column in columns:
            run_column(column, arena, prepared, meter, failures.stop, team)
    bad = failures.check()
    for column in prepared.columns:
        if column.can_fail and bad:
            column.clear(arena, [*bad])
    shown = failures.settle()
    if INDEX in layout.columns:
        write_index(arena, shown)
    seconds = probed - begun, time.perf_counter() - probed
    team.check()
    outcome = Outcome(len(shown), failures.told, "ram", *seconds, team.size)
    arena.commit(make_catalog(prepared, plan, outcome))
