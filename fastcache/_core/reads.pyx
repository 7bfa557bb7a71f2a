"""Whole files into memory, as they are: a job of the C core."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from fastcache._core cimport _capi
from fastcache._core.image cimport at
from fastcache._core.jobs cimport Paths, _Job, check_runs

from fastcache.errors import ArgumentError


cdef class ReadJob(_Job):
    """Read whole files into their slots, as they are.

    Parameters
    ----------
    paths : Paths
    target : writable buffer that the slots lie in
    slot, size : int64 arrays [N]
        Offset of each file's first byte within `target`, and its bytes.
    status, detail : int32 arrays [N] as bytes; items whose status is not PENDING are passed over
    """

    cdef _capi.fc_read_job job
    cdef object keep

    def __init__(self, Paths paths, uint8_t[::1] target, int64_t[::1] slot, int64_t[::1] size,
                 uint8_t[::1] status, uint8_t[::1] detail):
        cdef Py_ssize_t n = paths.count, i
        memset(&self.job, 0, sizeof(self.job))
        check_runs(n, target.shape[0], slot, size, "slot")
        self.cursor = &self.job.cursor
        self.keep = (paths, target, slot, size, status, detail)
        self.job.cursor.count = n
        self.job.paths = paths.view()
        self.job.base = <uint8_t *> at(target, 0)
        self.job.slot = &slot[0] if n else NULL
        self.job.size = &size[0] if n else NULL
        self.job.status = <int32_t *> at(status, n * sizeof(int32_t))
        self.job.detail = <int32_t *> at(detail, n * sizeof(int32_t))
        for i in range(n):
            if size[i] == -1 and self.job.status[i] == _capi.FC_PENDING:
                raise ArgumentError(f"item {i} has no slot")

    def run(self):
        """Work until no file is left; enter from as many threads as wanted."""
        with nogil:
            _capi.fc_read_run(&self.job)
