"""The memory that batches are written into.

A `Pool` keeps buffers that have been used before, because their pages are mapped already: faulting
in a batch's memory takes as long as writing the batch. A `Lease` lends one. What leaves here is
the lease itself, never the pool's buffer: a tensor keeps the object that it was made from alive
and drops its buffer view at once, so only the death of that object says that memory is free.
"""

import mmap

cimport cython
from cpython.buffer cimport (
    PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport INTPTR_MAX, int64_t

from fastcache.errors import ArgumentError, BlockError

cdef enum:
    MAX_IDLE = 64  # buffers that a pool can hold

cdef Py_ssize_t MOST = INTPTR_MAX


@cython.final
@cython.no_gc  # freed from __dealloc__ of leases, where its members must still be there
cdef class _Pages:
    """Private memory from the system, in huge pages where it grants them."""

    cdef Py_buffer view

    def __cinit__(self, Py_ssize_t size):
        try:
            if hasattr(mmap, "MAP_ANONYMOUS"):
                pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            else:
                pages = mmap.mmap(-1, size)  # Windows
        except OSError as error:
            raise BlockError(error.errno, f"no memory for a batch of {size} bytes: "
                             f"{error.strerror}; make batches smaller") from error
        if hasattr(mmap, "MADV_HUGEPAGE"):
            try:
                pages.madvise(mmap.MADV_HUGEPAGE)
            except OSError:
                pass  # a kernel built without them: a hint, and ordinary pages serve as well
        PyObject_GetBuffer(pages, &self.view, PyBUF_WRITABLE)

    def __dealloc__(self):
        PyBuffer_Release(&self.view)


@cython.final
@cython.no_gc
cdef class Lease:
    """`size` writable bytes, aligned to a page, that belong to whoever holds this object."""

    cdef Pool pool
    cdef _Pages pages
    cdef int64_t generation
    cdef readonly Py_ssize_t size

    def __init__(self):
        raise ArgumentError("leases come from Pool.lease")

    def __dealloc__(self):
        if self.pool is not None and self.pages is not None:
            self.pool._take_back(self.pages, self.generation)

    @property
    def address(self):
        """Address of the first byte."""
        return <size_t> self.pages.view.buf

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.pages.view.buf, self.size, 0, flags)

    def __reduce__(self):
        raise ArgumentError("a lease cannot be pickled: pickle the tensor on it")


@cython.final
@cython.no_gc
cdef class Pool:
    """Buffers that are lent out, and kept when they come back.

    Parameters
    ----------
    limit : int
        Bytes that may lie idle here. What comes back beyond it pushes out the buffers that have
        lain longest; a larger buffer is given back to the system at once. Memory that is lent out
        is not counted: it belongs to the tensors on it.

    Notes
    -----
    Leases die wherever their last tensor does, in a garbage collection too. So what holds the lock
    touches C data only, can neither allocate nor run Python, and never waits for itself.
    """

    cdef cython.pymutex lock
    cdef PyObject *idle[MAX_IDLE]  # owned references to _Pages, the longest idle first
    cdef int count
    cdef int64_t generation
    cdef int64_t idle_bytes_
    cdef readonly int64_t limit

    def __cinit__(self, int64_t limit):
        if limit < 0:
            raise ArgumentError(f"a pool of {limit} bytes: give at least 0")
        self.limit = limit

    def __dealloc__(self):
        self._drop(self.count)

    @property
    def idle_bytes(self):
        """Bytes that wait here for their next lease."""
        return self.idle_bytes_

    @property
    def idle_count(self):
        """Buffers that wait here for their next lease."""
        return self.count

    def lease(self, Py_ssize_t size):
        """Return a `Lease` of `size` bytes whose content is arbitrary."""
        if size < 1:
            raise ArgumentError(f"a lease of {size} bytes: give at least 1")
        cdef Lease lease = Lease.__new__(Lease)
        cdef _Pages pages = self._best_fit(size)
        lease.pages = _Pages(_rounded(size)) if pages is None else pages
        lease.pool = self
        lease.generation = self.generation
        lease.size = size
        return lease

    def trim(self):
        """Give all idle memory back to the system."""
        self._drop(MAX_IDLE)

    def forget(self):
        """Start anew, in a forked child: its pages are copies that would fault on first use."""
        self.generation += 1
        self.trim()

    cdef _Pages _best_fit(self, Py_ssize_t size):
        """Take the smallest idle buffer that fits without wasting a third; None if there is none."""
        cdef Py_ssize_t have, best = MOST
        cdef int i, found = -1
        cdef PyObject *pages = NULL
        with self.lock:
            for i in range(self.count):
                have = (<_Pages> self.idle[i]).view.len
                if size <= have < best and have - have // 3 <= size:
                    best, found = have, i
            if found >= 0:
                pages = self._remove(found)
        if pages == NULL:
            return None
        result = <_Pages> pages
        Py_XDECREF(pages)  # `result` holds it now
        return result

    cdef PyObject *_remove(self, int place) noexcept:
        """Take a buffer off the list, with its reference; the caller holds the lock."""
        cdef PyObject *pages = self.idle[place]
        cdef int i
        self.count -= 1
        for i in range(place, self.count):
            self.idle[i] = self.idle[i + 1]
        self.idle_bytes_ -= (<_Pages> pages).view.len
        return pages

    cdef void _take_back(self, _Pages pages, int64_t generation) noexcept:
        """Keep a buffer whose lease has ended, unless it is too large or of before the fork."""
        cdef PyObject *pushed_out[MAX_IDLE]
        cdef int64_t size = pages.view.len
        cdef int i, count = 0
        with self.lock:
            if generation == self.generation and size <= self.limit:
                while self.idle_bytes_ > self.limit - size or self.count == MAX_IDLE:
                    pushed_out[count] = self._remove(0)
                    count += 1
                Py_INCREF(pages)
                self.idle[self.count] = <PyObject *> pages
                self.count += 1
                self.idle_bytes_ += size
        for i in range(count):
            Py_XDECREF(pushed_out[i])  # unmapping takes a while: without the lock

    cdef void _drop(self, int most) noexcept:
        """Give up to `most` idle buffers back to the system."""
        cdef PyObject *dropped[MAX_IDLE]
        cdef int i, count = 0
        with self.lock:
            while self.count and count < most:
                dropped[count] = self._remove(0)
                count += 1
        for i in range(count):
            Py_XDECREF(dropped[i])


cdef Py_ssize_t _rounded(Py_ssize_t size) except -1:
    """Add an eighth to a quarter, to whole pages: batches of nearly one size share buffers.

    Images of different sizes make batches of different sizes. What is added costs addresses, and
    memory only once a larger batch is written there.
    """
    cdef Py_ssize_t step = 1 << 16
    while step < size // 16:
        step *= 2
    if size > MOST // 2:
        raise ArgumentError(f"{size} bytes are no batch")
    return (size + size // 8 + step - 1) // step * step
