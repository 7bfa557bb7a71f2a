"""How often samples were asked for, counted in memory that processes may share."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastcache._core cimport _capi_recipe
from fastcache._core._capi cimport FC_OK, fc_status

from fastcache.errors import ArgumentError


def visits_bytes(int64_t count):
    """Return how many bytes counters of `count` samples take."""
    cdef size_t size = _capi_recipe.fc_visits_bytes(count)
    if not size:
        raise ArgumentError(f"{count} samples cannot be counted")
    return size


@cython.final
cdef class Visits:
    """Counters of the visits of `count` samples, in `memory` that was all zeros at first.

    Several of these may be over the same memory, in several processes.
    """

    cdef uint64_t[::1] memory
    cdef int64_t count

    def __init__(self, uint64_t[::1] memory, int64_t count):
        if visits_bytes(count) > <size_t> memory.shape[0] * sizeof(uint64_t):
            raise ArgumentError(f"{memory.shape[0] * sizeof(uint64_t)} bytes, but counters of "
                                f"{count} samples take {visits_bytes(count)}")
        self.memory = memory
        self.count = count

    cdef _capi_recipe.fc_visits *head(self):
        return <_capi_recipe.fc_visits *> &self.memory[0]

    def tell(self, uint64_t epoch):
        """Say which epoch it is: all samples are unvisited from now on, for everybody."""
        cdef fc_status status
        cdef _capi_recipe.fc_visits *visits = self.head()
        with nogil:
            status = _capi_recipe.fc_visits_tell(visits, self.count, epoch)
        if status != FC_OK:
            raise ArgumentError(f"epoch={epoch} is too large")

    def visit(self, const int64_t[::1] rows, uint32_t[::1] times):
        """Count a visit of each row; write how often it was visited before, and return the epoch.

        Counters begin anew with each epoch that is told. Returns None if none ever was.
        """
        cdef size_t n = rows.shape[0]
        if times.shape[0] != rows.shape[0]:
            raise ArgumentError(f"{n} rows, but room for {times.shape[0]} counts")
        cdef uint64_t epoch = 0
        cdef fc_status status
        cdef _capi_recipe.fc_visits *visits = self.head()
        cdef const int64_t *first = &rows[0] if n else NULL
        cdef uint32_t *out = &times[0] if n else NULL
        with nogil:
            status = _capi_recipe.fc_visit(visits, self.count, first, n, out, &epoch)
        if status != FC_OK:
            raise ArgumentError(f"a row is not one of 0..{self.count - 1}")
        return epoch - 1 if epoch else None
