"""Fields of time series: what is to be made."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastcache._core cimport _capi_fields

from fastcache.errors import ArgumentError

GASF = <int> _capi_fields.FC_GASF
GADF = <int> _capi_fields.FC_GADF
GAF_BOTH = <int> _capi_fields.FC_GAF_BOTH
MTF = <int> _capi_fields.FC_MTF
RECURRENCE = <int> _capi_fields.FC_RECURRENCE
QUANTILE = <int> _capi_fields.FC_MTF_QUANTILE
UNIFORM = <int> _capi_fields.FC_MTF_UNIFORM
FIXED = <int> _capi_fields.FC_MTF_FIXED
NO_THRESHOLD = <int> _capi_fields.FC_THRESHOLD_NONE
VALUE = <int> _capi_fields.FC_THRESHOLD_VALUE
POINT = <int> _capi_fields.FC_THRESHOLD_POINT
DISTANCE = <int> _capi_fields.FC_THRESHOLD_DISTANCE

# By the names that NumPy and torch have for them.
ELEMENTS = {
    "float64": <int> _capi_fields.FC_FLOAT64,
    "float32": <int> _capi_fields.FC_FLOAT32,
    "float16": <int> _capi_fields.FC_FLOAT16,
    "bfloat16": <int> _capi_fields.FC_BFLOAT16,
    "bool": <int> _capi_fields.FC_UINT8,
    "uint8": <int> _capi_fields.FC_UINT8,
    "uint16": <int> _capi_fields.FC_UINT16,
    "uint32": <int> _capi_fields.FC_UINT32,
    "uint64": <int> _capi_fields.FC_UINT64,
    "int8": <int> _capi_fields.FC_INT8,
    "int16": <int> _capi_fields.FC_INT16,
    "int32": <int> _capi_fields.FC_INT32,
    "int64": <int> _capi_fields.FC_INT64,
}


@cython.final
cdef class FieldSpec:
    """What is made of each series; parameters are `fc_field_spec`'s.

    Those of one kind only are `sample_range`, `bins`: (number, strategy, points), and `trajectory`:
    (dimension, delay, kind of threshold, threshold).

    Attributes
    ----------
    images : int
        Images per series.
    size : int
        Their rows and columns.
    """

    def __init__(self, int kind, str element, int64_t size, *, start=None, end=None,
                 sample_range=None, bins=None, trajectory=None, double out_low, double out_high):
        if self.set_up:
            raise ArgumentError("a FieldSpec is set up once")
        self.set_up = True
        memset(&self.value, 0, sizeof(self.value))
        self.value.kind = kind
        self.value.element = ELEMENTS[element]
        self.value.size = size
        self.value.out_low = out_low
        self.value.out_high = out_high
        if sample_range is not None:
            self.value.scaled = 1
            self.value.low, self.value.high = sample_range
        cdef _capi_fields.fc_recurrence_spec *of = &self.value.recurrence
        if trajectory is not None:
            of.dimension, of.delay, of.limit, of.threshold = trajectory
        if bins is not None:
            number, strategy, points = bins
            self._set_bins(number, strategy, points)
        cdef const int64_t[::1] starts, ends
        if start is not None:
            starts, ends = start, end
            if starts.shape[0] != size or ends.shape[0] != size:
                raise ArgumentError(f"{starts.shape[0]} segments for {size} columns")
            # Copies, since C trusts them once they are checked, and callers may change theirs.
            self.segments = bytes(starts), bytes(ends)
            self.value.start = <const int64_t *> <void *> PyBytes_AS_STRING(self.segments[0])
            self.value.end = <const int64_t *> <void *> PyBytes_AS_STRING(self.segments[1])

    cdef int _set_bins(self, int bins, int strategy, points) except -1:
        cdef const double[::1] point
        self.value.mtf.bins, self.value.mtf.strategy = bins, strategy
        if points is not None:
            point = points
            if point.shape[0] != bins - 1 or bins < 2:
                raise ArgumentError(f"{point.shape[0]} points between {bins} bins")
            self.points = bytes(point)
            self.value.mtf.point = <const double *> <void *> PyBytes_AS_STRING(self.points)
        return 0

    @property
    def images(self):
        return _capi_fields.fc_field_images(self.value.kind)

    @property
    def size(self):
        return self.value.size

    def scratch(self, int64_t length):
        """Return the bytes that a thread holds while it makes fields of series of this length."""
        return _capi_fields.fc_field_scratch(&self.value, length)
