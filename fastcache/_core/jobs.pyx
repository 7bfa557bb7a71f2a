"""Files in bulk: the C core's probe and fill jobs as Python objects.

A job holds references to every buffer that C reads or writes, so nothing can go away while
threads are inside.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from fastcache._core cimport _capi
from fastcache._core._status cimport raise_for_status
from fastcache._core.image cimport Spec, at, pixel_bytes
from fastcache._core.paths cimport Paths

from fastcache._core.image import MAX_BYTES, MAX_MS, MAX_PIXELS, MAX_SCANS

from fastcache.errors import ArgumentError


CURSOR_BYTES = sizeof(_capi.fc_cursor)


cdef int check_runs(Py_ssize_t n, int64_t room, int64_t[::1] offset, int64_t[::1] size,
                    str what) except -1:
    """Refuse runs of bytes outside a buffer of `room` bytes; those of size -1 are none."""
    cdef Py_ssize_t i
    if offset is None or size is None or offset.shape[0] != n or size.shape[0] != n:
        raise ArgumentError(f"{n} items need as many offsets and sizes of their {what}")
    for i in range(n):
        if size[i] == -1:
            continue
        if size[i] < 0 or offset[i] < 0 or size[i] > room or offset[i] > room - size[i]:
            raise ArgumentError(f"{what} of item {i} lies outside its buffer of {room} bytes")
    return 0


cdef class _Job:
    """Progress and cancelling, the same for every job."""

    cdef _capi.fc_cursor *cursor

    def cancel(self):
        """Start no further item; those under way are finished."""
        self.cursor.cancel = 1

    def progress(self):
        """Return (items done, items failed, output bytes written)."""
        return (self.cursor.done, self.cursor.failed, self.cursor.bytes)


cdef class ProbeJob(_Job):
    """Read the headers of files.

    Parameters
    ----------
    paths : Paths
    info : uint8 view of N `fc_image_info` records, written
    status, detail : int32 arrays [N], written
    whole : bool
        Go through PNGs to their ends, where the orientation may stand.
    max_pixels, max_bytes, max_scans, max_ms : int
        As `fc_limits` has them.
    """

    cdef _capi.fc_probe_job job
    cdef object keep

    def __init__(self, Paths paths, uint8_t[::1] info, uint8_t[::1] status, uint8_t[::1] detail,
                 *, bint whole=False, int64_t max_pixels=MAX_PIXELS, int64_t max_bytes=MAX_BYTES,
                 int max_scans=MAX_SCANS, int max_ms=MAX_MS):
        cdef Py_ssize_t n = paths.count
        memset(&self.job, 0, sizeof(self.job))
        self.cursor = &self.job.cursor
        self.keep = (paths, info, status, detail)
        self.job.cursor.count = n
        self.job.paths = paths.view()
        self.job.whole = whole
        self.job.limits.max_pixels = max_pixels
        self.job.limits.max_bytes = max_bytes
        self.job.limits.max_scans = max_scans
        self.job.limits.max_ms = max_ms
        self.job.info = <_capi.fc_image_info *> at(info, n * sizeof(_capi.fc_image_info))
        self.job.status = <int32_t *> at(status, n * sizeof(int32_t))
        self.job.detail = <int32_t *> at(detail, n * sizeof(int32_t))

    def run(self):
        """Work until no file is left; enter from as many threads as wanted."""
        with nogil:
            _capi.fc_probe_run(&self.job)


cdef class FillJob(_Job):
    """Read, decode and resample files into their slots.

    Parameters
    ----------
    paths : Paths
    spec : Spec
    geometry : uint8 view of N `fc_geometry` records
    target : writable buffer that the slots lie in
    slot : int64 array [N], offset of each sample's first byte within `target`
    status, detail : int32 arrays [N] as bytes; items whose status is not PENDING are passed over
        A slot of -1: the sample is decoded, and its pixels are thrown away.
    damaged_needs_python : bool
        Leave truncated and corrupt files to the Python step, instead of failing them.
    data : uint8 buffer, optional
        Where some of the files lie already.
    data_offset, data_size : int64 arrays [N]
        Place and bytes of each file within `data`; a size of -1: it is read from its path.
    cursor : uint8 view of CURSOR_BYTES, optional
        A cursor in shared memory, from which the jobs of other processes take items too. Its first
        eight bytes are the number of items, the rest began as zeros.

    Attributes
    ----------
    parts : tuple
        Paths, spec, geometry, target, slot, status, detail, data, data_offset and data_size, as
        given.
    damaged_needs_python : bool
    """

    cdef _capi.fc_fill_job job
    cdef readonly tuple parts
    cdef object keep

    def __init__(self, Paths paths, Spec spec, uint8_t[::1] geometry, uint8_t[::1] target,
                 int64_t[::1] slot, uint8_t[::1] status, uint8_t[::1] detail,
                 bint damaged_needs_python=False, *, const uint8_t[::1] data=None,
                 int64_t[::1] data_offset=None, int64_t[::1] data_size=None,
                 uint8_t[::1] cursor=None):
        cdef Py_ssize_t n = paths.count
        memset(&self.job, 0, sizeof(self.job))
        self.cursor = &self.job.cursor
        self.parts = (paths, spec, geometry, target, slot, status, detail, data, data_offset,
                      data_size)
        self.job.cursor.count = n
        if cursor is not None:
            self.keep = cursor
            self.job.shared = <_capi.fc_cursor *> at(cursor, sizeof(_capi.fc_cursor))
            self.cursor = self.job.shared
            if self.cursor.count != n:
                raise ArgumentError(f"the shared cursor counts {self.cursor.count} of {n} items")
        self.job.paths = paths.view()
        self.job.spec = &spec.value
        self.job.damaged_needs_python = damaged_needs_python
        self.job.geometry = <_capi.fc_geometry *> at(geometry, n * sizeof(_capi.fc_geometry))
        self.job.base = <uint8_t *> at(target, 0)
        if slot.shape[0] != n:
            raise ArgumentError(f"{slot.shape[0]} slots for {n} paths")
        self.job.slot = &slot[0] if n else NULL
        self.job.status = <int32_t *> at(status, n * sizeof(int32_t))
        self.job.detail = <int32_t *> at(detail, n * sizeof(int32_t))
        self._check_slots(target.shape[0])
        if data is not None:
            check_runs(n, data.shape[0], data_offset, data_size, "data")
            self.job.data = &data[0] if data.shape[0] else NULL
            self.job.data_offset = &data_offset[0] if n else NULL
            self.job.data_size = &data_size[0] if n else NULL

    cdef int _check_slots(self, int64_t room) except -1:
        """Refuse slots outside the target: C trusts them."""
        cdef const _capi.fc_geometry *geometry
        cdef int64_t i, size
        cdef int pixel = pixel_bytes(self.parts[1])
        for i in range(self.job.cursor.count):
            if self.job.status[i] != _capi.FC_PENDING:
                continue
            geometry = &self.job.geometry[i]
            if _capi.fc_geometry_check(geometry) != _capi.FC_OK:
                raise ArgumentError(f"geometry of item {i} contradicts itself")
            if self.job.slot[i] == -1:
                continue
            size = <int64_t> geometry.out_h * geometry.out_w * pixel
            if self.job.slot[i] < 0 or size > room or self.job.slot[i] > room - size:
                raise ArgumentError(f"slot of item {i} lies outside the target")
        return 0

    @property
    def damaged_needs_python(self):
        return bool(self.job.damaged_needs_python)

    def run(self):
        """Work until no file is left; enter from as many threads as wanted."""
        cdef _capi.fc_status status
        with nogil:
            status = _capi.fc_fill_run(&self.job)
        raise_for_status(status, 0, "starting a decoder")


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
