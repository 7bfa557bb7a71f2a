"""The gather behind every batch, as a job that threads run."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc

from fastcache._core cimport _capi

from fastcache.errors import ArgumentError


@cython.final
cdef class CopyJob:
    """Runs of bytes of one buffer, copied one behind the other into another.

    Parameters
    ----------
    source : buffer
        Bytes to copy from; any contiguous buffer.
    target : writable buffer
        Bytes to write to; exactly as long as the runs together, unless `places` are given.
    starts : int64 array of shape (n,)
        First byte of each run in `source`.
    lengths : int or int64 array of shape (n,)
        Bytes of every run, or of each.
    streaming : bool
        Write past the cache: for targets much larger than it.
    places : int64 array of shape (n,), optional
        First byte of each run in `target`, instead of one behind the other.

    Raises
    ------
    ArgumentError
        If a run leaves the source or the target, or the runs together do not fill the target.
    """

    cdef _capi.fc_copy_job job
    cdef Py_buffer source
    cdef Py_buffer target
    cdef int64_t *table  # starts, places and lengths: copies, since callers may change theirs

    def __init__(self, source, target, const int64_t[::1] starts not None, lengths,
                 *, bint streaming=False, const int64_t[::1] places=None):
        if self.table != NULL:
            raise ArgumentError("a CopyJob is set up once")
        cdef int64_t count = starts.shape[0]
        self.table = <int64_t *> malloc(<size_t> (3 * count + 1) * sizeof(int64_t))
        if self.table == NULL:
            raise MemoryError
        PyObject_GetBuffer(source, &self.source, PyBUF_SIMPLE)
        PyObject_GetBuffer(target, &self.target, PyBUF_WRITABLE)
        self._tabulate(starts, lengths, places)
        self.job.cursor.count = count
        self.job.source = <const uint8_t *> self.source.buf
        self.job.target = <uint8_t *> self.target.buf
        self.job.source_offset = self.table
        self.job.target_offset = self.table + count
        if isinstance(lengths, int):
            self.job.row = lengths
        else:
            self.job.length = self.table + 2 * count
        self.job.streaming = streaming

    def __dealloc__(self):
        PyBuffer_Release(&self.source)
        PyBuffer_Release(&self.target)
        free(self.table)

    cdef int _tabulate(self, const int64_t[::1] starts, lengths,
                       const int64_t[::1] places) except -1:
        """Write the three columns of the table; nothing that leaves the buffers gets past here."""
        cdef int64_t count = starts.shape[0], place = 0, start, length = 0
        cdef const int64_t[::1] each = None
        cdef bint uniform = isinstance(lengths, int)
        cdef Py_ssize_t i
        if places is not None and places.shape[0] != count:
            raise ArgumentError(f"{places.shape[0]} places for {count} starts")
        if uniform:
            length = lengths
        else:
            each = lengths
            if each.shape[0] != count:
                raise ArgumentError(f"{each.shape[0]} lengths for {count} starts")
        for i in range(count):
            start = starts[i]
            if not uniform:
                length = each[i]
            if length < 0 or start < 0 or start > self.source.len - length:
                raise ArgumentError(f"run {i} ({length} bytes from {start}) leaves the source "
                                    f"of {self.source.len} bytes")
            if places is not None:
                place = places[i]
            if place < 0 or length > self.target.len - place:
                raise ArgumentError(f"run {i} ({length} bytes to {place}) leaves the target of "
                                    f"{self.target.len} bytes: the runs need more")
            self.table[i] = start
            self.table[count + i] = place
            self.table[2 * count + i] = length
            place += length
        if places is None and place != self.target.len:
            raise ArgumentError(f"the runs have {place} bytes, the target {self.target.len}")
        return 0

    def run(self):
        """Copy until no run is left; several threads may be in here at once."""
        if self.table == NULL:
            raise ArgumentError("the CopyJob was not set up")
        with nogil:
            _capi.fc_copy_run(&self.job)

    @property
    def done(self):
        """Runs that have been copied."""
        return self.job.cursor.done
