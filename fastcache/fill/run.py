"""One column's jobs, run where they may run."""

from fastcache.fill.column import ColumnFill
from fastcache.fill.job import ItemJob
from fastcache.fill.prepare import THREAD_BYTES, Preparation
from fastcache.fill.progress import Meter
from fastcache.fill.ranks.together import Team
from fastcache.fill.target import Target


def run_column(
    column: ColumnFill,
    target: Target,
    prepared: Preparation,
    meter: Meter,
    stop: bool,
    team: Team | None = None,
) -> None:
    """Fill a column.

    Parameters
    ----------
    column : ColumnFill
    target : Target
    prepared : Preparation
        Knows how many threads may work at it.
    meter : Meter
    stop : bool
        Whether the first failure ends a job.
    team : Team, optional
        Other ranks that may help with it.
    """
    team = team or Team()
    for job in column.jobs(target):
        if column.on_caller and isinstance(job, ItemJob):
            meter.drive(job, stop)
            continue
        with team.joint(job, target, column.scratch + THREAD_BYTES) as shared:
            meter.watch(shared, prepared.threads_of(column, job), stop)
