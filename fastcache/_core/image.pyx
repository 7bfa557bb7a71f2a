"""Images in memory: what the C core is asked for, and one image at a time.

Structured records travel as arrays of their bytes: `INFO_BYTES` and `GEOMETRY_BYTES` each.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from fastcache._core cimport _capi
from fastcache._core._status cimport describe_status, raise_for_status

import sys

from fastcache.errors import ArgumentError

PENDING = <int> _capi.FC_PENDING
OK = <int> _capi.FC_OK
NEEDS_PYTHON = <int> _capi.FC_NEEDS_PYTHON
E_ARGUMENT = <int> _capi.FC_E_ARGUMENT
E_IO = <int> _capi.FC_E_IO
E_NOMEM = <int> _capi.FC_E_NOMEM
E_TRUNCATED = <int> _capi.FC_E_TRUNCATED
E_CORRUPT = <int> _capi.FC_E_CORRUPT
E_PIXELS = <int> _capi.FC_E_PIXELS
E_SCANS = <int> _capi.FC_E_SCANS
E_BYTES = <int> _capi.FC_E_BYTES
E_TIME = <int> _capi.FC_E_TIME
UNKNOWN = <int> _capi.FC_FORMAT_UNKNOWN
JPEG = <int> _capi.FC_FORMAT_JPEG
IN_C = <int> _capi.FC_IMAGE_IN_C
ANIMATED = <int> _capi.FC_IMAGE_ANIMATED
MULTISCAN = <int> _capi.FC_IMAGE_MULTISCAN
ASK_ORIENTATION = <int> _capi.FC_IMAGE_ASK_ORIENTATION
INFO_BYTES = sizeof(_capi.fc_image_info)
GEOMETRY_BYTES = sizeof(_capi.fc_geometry)
MAX_PIXELS = _capi.fc_default_limits.max_pixels
MAX_BYTES = _capi.fc_default_limits.max_bytes
MAX_SCANS = _capi.fc_default_limits.max_scans
MAX_MS = _capi.fc_default_limits.max_ms


def describe(int status, int detail):
    """Return the English text of a status with its detail."""
    return describe_status(status, detail)


def format_name(int kind):
    """Return the name of a `fc_format`."""
    return _capi.fc_format_name(kind).decode()


def codec_list():
    """Return (format, library, version) of every codec in this core."""
    cdef _capi.fc_codec_about about
    found = []
    while _capi.fc_codec_list(len(found), &about):
        found.append((format_name(about.format), about.library.decode(), about.version.decode()))
    return found


def cpu_name():
    """Return the instruction set in use; an unusable FASTCACHE_CPU is an ArgumentError."""
    cdef const char *error = _capi.fc_cpu_mask_error()
    if error != NULL:
        raise ArgumentError(error.decode())
    return _capi.fc_cpu_name().decode()


cdef class Spec:
    """What every image of a column shares: colour, filter, orientation, padding, limits.

    `premultiply` concerns `resample` only: a decoder finds out from the file.
    """

    def __init__(self, *, int channels=3, int filter=2, bint apply_orientation=False,
                 bint wide=False, bint premultiply=False, int fill=0,
                 int64_t max_pixels=MAX_PIXELS, int64_t max_bytes=MAX_BYTES,
                 int max_scans=MAX_SCANS, int max_ms=MAX_MS):
        if channels not in (1, 3, 4) or (wide and channels != 1):
            raise ArgumentError(f"channels={channels}, wide={wide}: the core decodes to 1, 3 or 4 "
                                "channels of 8 bits, or to 1 of 16")
        if not 0 <= filter < _capi.FC_FILTER_COUNT:
            raise ArgumentError(f"filter={filter}: give one of 0..{_capi.FC_FILTER_COUNT - 1}")
        if not 0 <= fill <= 255:
            raise ArgumentError(f"fill={fill}: give a value of 0..255")
        self.value.channels = channels
        self.value.filter = filter
        self.value.apply_orientation = apply_orientation
        self.value.wide = wide
        self.value.premultiply = premultiply
        for i in range(4):
            self.value.fill[i] = fill
        if wide:
            for i, byte in enumerate(fill.to_bytes(2, sys.byteorder)):
                self.value.fill[i] = byte
        self.value.limits.max_pixels = max_pixels
        self.value.limits.max_bytes = max_bytes
        self.value.limits.max_scans = max_scans
        self.value.limits.max_ms = max_ms

    @property
    def pixel_bytes(self):
        """Bytes per pixel of the output."""
        return pixel_bytes(self)

    def arguments(self):
        """Return what makes an equal Spec: `Spec(**spec.arguments())`."""
        fill = self.value.fill[:2] if self.value.wide else self.value.fill[:1]
        return {
            "channels": self.value.channels,
            "filter": self.value.filter,
            "apply_orientation": bool(self.value.apply_orientation),
            "wide": bool(self.value.wide),
            "premultiply": bool(self.value.premultiply),
            "fill": int.from_bytes(bytes(fill), sys.byteorder),
            "max_pixels": self.value.limits.max_pixels,
            "max_bytes": self.value.limits.max_bytes,
            "max_scans": self.value.limits.max_scans,
            "max_ms": self.value.limits.max_ms,
        }


cdef int pixel_bytes(Spec spec) noexcept:
    """Bytes per pixel of the output."""
    return 2 if spec.value.wide else spec.value.channels


cdef void *at(uint8_t[::1] buffer, Py_ssize_t need) except? NULL:
    """Address of a buffer that must hold at least `need` bytes."""
    if buffer.shape[0] < need:
        raise ArgumentError(f"buffer of {buffer.shape[0]} bytes where {need} are needed")
    return &buffer[0] if buffer.shape[0] else NULL


def scratch_bytes(uint8_t[::1] info, Spec spec, uint8_t[::1] geometry):
    """Return the most bytes that a decoder holds beside files and slots, in whatever order it
    decodes these items: what it keeps of one is still there when it decodes the next.
    """
    cdef Py_ssize_t n = info.shape[0] // sizeof(_capi.fc_image_info), i
    cdef const _capi.fc_image_info *infos = <_capi.fc_image_info *> at(info, 0)
    cdef const _capi.fc_geometry *geometries = <_capi.fc_geometry *> at(
        geometry, n * sizeof(_capi.fc_geometry))
    cdef _capi.fc_scratch one, most
    memset(&most, 0, sizeof(most))
    with nogil:
        for i in range(n):
            one = _capi.fc_decode_scratch(&infos[i], &spec.value, &geometries[i])
            most.kept = max(most.kept, one.kept)
            most.passing = max(most.passing, one.passing)
            most.resampler = max(most.resampler, one.resampler)
            most.upright = max(most.upright, one.upright)
    return _capi.fc_scratch_sum(&most)


def probe_bytes(const uint8_t[::1] data, uint8_t[::1] info):
    """Read a header from memory into one record; return (status, detail)."""
    cdef _capi.fc_status status = _capi.fc_probe_bytes(
        &data[0] if data.shape[0] else NULL, data.shape[0], &_capi.fc_default_limits,
        <_capi.fc_image_info *> at(info, sizeof(_capi.fc_image_info)))
    return <int> status, 0


cdef class Decoder:
    """One thread's decoder, for bytes in memory: what tests and benchmarks drive."""

    cdef _capi.fc_decoder *decoder

    def __cinit__(self):
        self.decoder = _capi.fc_decoder_new()
        if self.decoder == NULL:
            raise MemoryError("no memory for a decoder")

    def __dealloc__(self):
        _capi.fc_decoder_free(self.decoder)

    def decode(self, const uint8_t[::1] data, Spec spec, uint8_t[::1] geometry, uint8_t[::1] out):
        """Decode into `out`; return (status, detail) as `describe` takes them."""
        cdef const _capi.fc_geometry *g = <_capi.fc_geometry *> at(
            geometry, sizeof(_capi.fc_geometry))
        if _capi.fc_geometry_check(g) != _capi.FC_OK:
            raise ArgumentError("the geometry contradicts itself")
        cdef size_t stride = <size_t> g.out_w * pixel_bytes(spec)
        cdef uint8_t *target = <uint8_t *> at(out, stride * g.out_h)
        cdef const uint8_t *source = &data[0] if data.shape[0] else NULL
        cdef size_t size = data.shape[0]
        cdef int detail = 0
        cdef _capi.fc_status status
        with nogil:
            status = _capi.fc_decode(self.decoder, source, size, &spec.value, g, target, stride,
                                     &detail)
        return <int> status, detail


def resample(const uint8_t[::1] source, Spec spec, uint8_t[::1] geometry, uint8_t[::1] out):
    """Crop, resample and cut interleaved pixels in memory into `out`."""
    cdef const _capi.fc_geometry *g = <_capi.fc_geometry *> at(geometry, sizeof(_capi.fc_geometry))
    if _capi.fc_geometry_check(g) != _capi.FC_OK:
        raise ArgumentError("the geometry contradicts itself")
    cdef size_t in_stride = <size_t> g.src_w * pixel_bytes(spec)
    cdef size_t out_stride = <size_t> g.out_w * pixel_bytes(spec)
    if <size_t> source.shape[0] < in_stride * g.src_h:
        raise ArgumentError(f"source of {source.shape[0]} bytes where "
                            f"{in_stride * g.src_h} are needed")
    cdef uint8_t *target = <uint8_t *> at(out, out_stride * g.out_h)
    cdef _capi.fc_status status
    with nogil:
        status = _capi.fc_resample(&source[0], in_stride, g, &spec.value, target, out_stride)
    raise_for_status(status, 0, "resampling")
