"""One column's jobs, run where they may run."""

from fastcache.fill.column import ColumnFill
from fastcache.fill.job import ItemJob
from fastcache.fill.prepare import Preparation
from fastcache.fill.progress import Meter
from fastcache.fill.target import Target


def run_column(
    column: ColumnFill, target: Target, prepared: Preparation, meter: Meter, stop: bool
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
    """
    for job in column.jobs(target):
        if column.on_caller and isinstance(job, ItemJob):
            meter.drive(job, stop)
        else:
            meter.watch(job, prepared.threads_of(column, job), stop)
