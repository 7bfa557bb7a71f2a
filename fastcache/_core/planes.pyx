"""Columns of images and masks as the read job makes them.

What C trusts once it was checked is copied, so that nothing can change while threads are inside.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from fastcache._core cimport _capi, _capi_fields, _capi_recipe
from fastcache._core.image cimport Spec, pixel_bytes
from fastcache._core.paths cimport Paths

from fastcache.errors import ArgumentError

EMIT_BYTES = sizeof(_capi_recipe.fc_emit)
PLAIN = <int> _capi_recipe.FC_PLAIN
UNIT = <int> _capi_recipe.FC_UNIT
NORMALISED = <int> _capi_recipe.FC_NORMALISED
NORMALISED_PLAIN = <int> _capi_recipe.FC_NORMALISED_PLAIN


def emit_bytes(const uint8_t[::1] emit, int32_t height, int32_t width):
    """Return the bytes of an image of that size, emitted as an `fc_emit` record says."""
    return _capi_recipe.fc_emit_bytes(emit_at(emit), height, width)


cdef const _capi_recipe.fc_emit *emit_at(const uint8_t[::1] emit) except NULL:
    """The record in a buffer, checked."""
    if emit.shape[0] != sizeof(_capi_recipe.fc_emit):
        raise ArgumentError(f"emit: {emit.shape[0]} bytes, where a record takes {EMIT_BYTES}")
    cdef const _capi_recipe.fc_emit *record = <const _capi_recipe.fc_emit *> &emit[0]
    if _capi_recipe.fc_emit_check(record) != _capi.FC_OK:
        raise ArgumentError(
            f"emit: element {record.element} of {record.channels} channels with scaling "
            f"{record.scaling} cannot be made; integers are not scaled, and mean and std need to be "
            "finite, std not zero")
    return record


cdef bytes frozen(object of, Py_ssize_t n, Py_ssize_t each, str what):
    """A copy of n records of `each` bytes, of a buffer of whatever type; n < 0: of any number."""
    cdef Py_buffer buffer
    if of is None:
        raise ArgumentError(f"{what}: nothing, where items of {each} bytes are needed")
    PyObject_GetBuffer(of, &buffer, PyBUF_SIMPLE)
    try:
        if buffer.len != n * each if n >= 0 else buffer.len % each:
            many = f"{n} items" if n >= 0 else "items"
            raise ArgumentError(f"{what}: {buffer.len} bytes for {many} of {each}")
        return PyBytes_FromStringAndSize(<const char *> buffer.buf, buffer.len)
    finally:
        PyBuffer_Release(&buffer)


cdef int check_run(int64_t at, int64_t size, int64_t room, Py_ssize_t item, str what) except -1:
    """Refuse a run of bytes outside a buffer of `room` bytes."""
    if at < 0 or size < 0 or size > room or at > room - size:
        raise ArgumentError(f"{what} of item {item}: {size} bytes from {at} on lie outside a buffer "
                            f"of {room}")
    return 0


cdef class Plane:
    """One image or mask column of a batch of N samples, decoded in memory or files.

    Arrays of numbers are copied; their types are not looked at, only their bytes.

    Parameters
    ----------
    spec : Spec
        Of the kept form. Its fill is that of masks; other images take a step's.
    emit : uint8 view of one `fc_emit` record
    source : uint8 buffer
        Where decoded samples lie.
    offset : int64 [N]
        Of each sample's first byte within `source`; -1: it is a file.
    height, width : int32 [N]
        Of decoded samples; of files: of the image, oriented if `spec` says so.
    out : writable uint8 buffer
    out_offset, out_size : int64 [N]
        Place and bytes of each finished sample; its status says if it would take others.
    is_mask : bool
        Only moved, by the nearest pixel: no colours, nothing erased.
    paths : Paths, optional
        Of files; only those that do not lie in `data` are read.
    data : uint8 buffer, optional
        Where files lie already.
    data_offset, data_size : int64 [N], with `data`
        A size of -1: the file is read from its path.
    before : N `fc_stage` records, optional
        What `store=` does to files.

    Raises
    ------
    ArgumentError
        If a buffer has another size than N says, a sample lies outside its buffer, or `emit` and
        `spec` do not fit.
    """

    def __init__(self, Spec spec, const uint8_t[::1] emit, const uint8_t[::1] source,
                 offset, height, width, uint8_t[::1] out, out_offset, out_size, *,
                 bint is_mask=False, Paths paths=None, const uint8_t[::1] data=None,
                 data_offset=None, data_size=None, before=None):
        if self.keep is not None:
            raise ArgumentError("a Plane is set up once")
        places = frozen(offset, -1, sizeof(int64_t), "offset")
        cdef Py_ssize_t n = PyBytes_GET_SIZE(places) // sizeof(int64_t)
        cdef _capi_recipe.fc_plane *plane = &self.plane
        memset(plane, 0, sizeof(self.plane))
        self.count = n
        plane.spec = &spec.value
        plane.emit = emit_at(emit)[0]
        self._check_kind(spec, is_mask)
        plane.is_mask = is_mask
        heights = frozen(height, n, sizeof(int32_t), "height")
        widths = frozen(width, n, sizeof(int32_t), "width")
        starts = frozen(out_offset, n, sizeof(int64_t), "out_offset")
        sizes = frozen(out_size, n, sizeof(int64_t), "out_size")
        plane.offset = <const int64_t *> <void *> PyBytes_AS_STRING(places)
        plane.height = <const int32_t *> <void *> PyBytes_AS_STRING(heights)
        plane.width = <const int32_t *> <void *> PyBytes_AS_STRING(widths)
        plane.out_offset = <const int64_t *> <void *> PyBytes_AS_STRING(starts)
        plane.out_size = <const int64_t *> <void *> PyBytes_AS_STRING(sizes)
        plane.base = &source[0] if source is not None and source.shape[0] else NULL
        plane.out = &out[0] if out.shape[0] else NULL
        files = stages = None
        if paths is not None:
            if paths.count != n:
                raise ArgumentError(f"{paths.count} paths for {n} items")
            plane.paths = paths.view()
        if data is not None:
            files = (frozen(data_offset, n, sizeof(int64_t), "data_offset"),
                     frozen(data_size, n, sizeof(int64_t), "data_size"))
            plane.data = &data[0] if data.shape[0] else <const uint8_t *> PyBytes_AS_STRING(places)
            plane.data_offset = <const int64_t *> <void *> PyBytes_AS_STRING(files[0])
            plane.data_size = <const int64_t *> <void *> PyBytes_AS_STRING(files[1])
        if before is not None:
            stages = frozen(before, n, sizeof(_capi_recipe.fc_stage), "before")
            plane.before = <const _capi_recipe.fc_stage *> <void *> PyBytes_AS_STRING(stages)
        self.keep = (spec, source, out, paths, data, places, heights, widths, starts, sizes, files,
                     stages)
        self._check_places(source.shape[0] if source is not None else 0, out.shape[0],
                           data.shape[0] if data is not None else 0)

    cdef int _check_kind(self, Spec spec, bint is_mask) except -1:
        cdef _capi_recipe.fc_emit *emit = &self.plane.emit
        if emit.channels != spec.value.channels and (
                {emit.channels, spec.value.channels} != {1, 3} or spec.value.wide):
            raise ArgumentError(
                f"emit asks for {emit.channels} channels of pixels that have {spec.value.channels}: "
                "grey ones become three equal channels, and three become the first, no others")
        if is_mask and emit.scaling != _capi_recipe.FC_PLAIN:
            raise ArgumentError("the numbers of a mask are labels: they cannot be scaled")
        if spec.value.wide and emit.element == _capi_fields.FC_UINT8:
            raise ArgumentError("pixels of 16 bits cannot become uint8: ask for uint16 or floats")
        if not spec.value.wide and emit.element == _capi_fields.FC_UINT16:
            raise ArgumentError("uint16 is for pixels of 16 bits; ask for uint8 or floats")
        return 0

    cdef int _check_places(self, int64_t room, int64_t out_room, int64_t data_room) except -1:
        """Refuse what lies outside its buffer: C trusts it."""
        cdef Py_ssize_t i
        cdef int64_t pixel = pixel_bytes(self.keep[0]), most = 0x7fffffffffffffff // 8
        cdef _capi_recipe.fc_plane *plane = &self.plane
        for i in range(self.count):
            check_run(plane.out_offset[i], plane.out_size[i], out_room, i, "output")
            if plane.height[i] < 1 or plane.width[i] < 1:
                raise ArgumentError(f"item {i} has {plane.height[i]} x {plane.width[i]} pixels")
            if <int64_t> plane.height[i] * plane.width[i] > most:
                raise ArgumentError(f"item {i} has more pixels than there are addresses")
            if plane.offset[i] >= 0:
                check_run(plane.offset[i], plane.height[i] * pixel * plane.width[i], room, i, "pixels")
            elif plane.offset[i] != -1:
                raise ArgumentError(f"offset of item {i} is {plane.offset[i]}")
            elif plane.data != NULL and plane.data_size[i] != -1:
                check_run(plane.data_offset[i], plane.data_size[i], data_room, i, "data")
            elif plane.paths.text == NULL:
                raise ArgumentError(f"item {i} is a file, but has neither data nor a path")
        return 0
