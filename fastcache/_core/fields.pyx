"""Fields of time series: what is to be made, and the job that threads run."""

cimport cython
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_SIMPLE, PyBUF_STRIDED_RO, PyBUF_WRITABLE, PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from fastcache._core cimport _capi, _capi_fields
from fastcache._core._status cimport raise_for_status

from fastcache.errors import ArgumentError

GASF = <int> _capi_fields.FC_GASF
GADF = <int> _capi_fields.FC_GADF
GAF_BOTH = <int> _capi_fields.FC_GAF_BOTH
OK = <int> _capi.FC_OK
NOT_FINITE = <int> _capi.FC_E_NOT_FINITE
OUT_OF_RANGE = <int> _capi.FC_E_RANGE
AUTO = <int> _capi_fields.FC_STORE_AUTO
CACHED = <int> _capi_fields.FC_STORE_CACHED
STREAMING = <int> _capi_fields.FC_STORE_STREAMING

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

    Attributes
    ----------
    images : int
        Images per series.
    size : int
        Their rows and columns.
    """

    cdef _capi_fields.fc_field_spec value
    cdef object keep

    def __init__(self, int kind, str element, int64_t size, *, start=None, end=None,
                 sample_range=None, double out_low, double out_high):
        memset(&self.value, 0, sizeof(self.value))
        self.value.kind = kind
        self.value.element = ELEMENTS[element]
        self.value.size = size
        self.value.out_low = out_low
        self.value.out_high = out_high
        if sample_range is not None:
            self.value.scaled = 1
            self.value.low, self.value.high = sample_range
        cdef const int64_t[::1] starts, ends
        if start is not None:
            starts, ends = start, end
            if starts.shape[0] != size or ends.shape[0] != size:
                raise ArgumentError(f"{starts.shape[0]} segments for {size} columns")
            self.keep = (starts, ends)
            self.value.start, self.value.end = &starts[0], &ends[0]

    @property
    def images(self):
        return _capi_fields.fc_field_images(self.value.kind)

    @property
    def size(self):
        return self.value.size

    def scratch(self, int64_t length):
        """Return the bytes that a thread holds while it makes fields of series of this length."""
        return _capi_fields.fc_field_scratch(&self.value, length)


@cython.final
cdef class FieldJob:
    """Images of many series, written to their places; made by `of_array` or `of_rows`.

    Parameters common to both
    -------------------------
    spec : FieldSpec
    element : str
        Type of the series' values, a key of ELEMENTS; native byte order.
    out : writable C-contiguous buffer
        Of exactly samples x planes images.
    planes : int
        Images of a sample in `out`; those of this job are the ones from `first_plane` on.
    store : int
        AUTO, CACHED or STREAMING.
    """

    cdef _capi_fields.fc_field_job job
    cdef Py_buffer source
    cdef Py_buffer target
    cdef object keep

    def __init__(self):
        raise ArgumentError("a FieldJob comes from of_array or of_rows")

    def __dealloc__(self):
        PyBuffer_Release(&self.source)
        PyBuffer_Release(&self.target)

    @staticmethod
    def of_array(FieldSpec spec, series, str element, out, *, int64_t planes, int64_t first_plane=0,
                 int store=AUTO):
        """Return the job for an array of shape (samples, channels, length), with any strides."""
        cdef FieldJob self = FieldJob.__new__(FieldJob)
        PyObject_GetBuffer(series, &self.source, PyBUF_STRIDED_RO)
        if self.source.ndim != 3:
            raise ArgumentError(f"series of {self.source.ndim} axes: give (samples, channels, length)")
        cdef _capi_fields.fc_series *to = &self.job.series
        to.data = <const uint8_t *> self.source.buf
        to.samples, to.channels, to.length = [self.source.shape[k] for k in range(3)]
        to.sample, to.channel, to.step = [self.source.strides[k] for k in range(3)]
        self._set(spec, element, out, planes, first_plane, store)
        if self.source.itemsize != <Py_ssize_t> _capi_fields.fc_element_size(to.element):
            raise ArgumentError(f"values of {self.source.itemsize} bytes are no {element}")
        return self._started()

    @staticmethod
    def of_rows(FieldSpec spec, data, str element, const int64_t[::1] offsets not None, out, *,
                int64_t channels, int64_t channel_bytes, int64_t length, int64_t planes,
                int64_t first_plane=0, int store=AUTO):
        """Return the job for samples that begin at byte `offsets` of `data`.

        Values of a channel lie side by side, those of the next channel `channel_bytes` further on.
        """
        cdef FieldJob self = FieldJob.__new__(FieldJob)
        PyObject_GetBuffer(data, &self.source, PyBUF_SIMPLE)
        cdef _capi_fields.fc_series *to = &self.job.series
        to.data = <const uint8_t *> self.source.buf
        to.samples, to.channels, to.length = offsets.shape[0], channels, length
        to.channel = channel_bytes
        to.offset = &offsets[0] if to.samples else NULL
        self._set(spec, element, out, planes, first_plane, store)
        to.step = _capi_fields.fc_element_size(to.element)
        self.keep = (spec, offsets)
        self._check_rows(offsets)
        return self._started()

    cdef int _check_rows(self, const int64_t[::1] offsets) except -1:
        """Refuse what leaves the data: C trusts it."""
        cdef _capi_fields.fc_series *to = &self.job.series
        cdef Py_ssize_t i
        cdef object extent = (int(to.channels) - 1) * int(to.channel) + int(to.length) * int(to.step)
        if to.channels < 1 or to.channel < 0 or to.length < 1 or extent > self.source.len:
            raise ArgumentError(f"samples of {extent} bytes leave the data of {self.source.len}")
        cdef int64_t last = self.source.len - <int64_t> extent
        for i in range(to.samples):
            if not 0 <= offsets[i] <= last:
                raise ArgumentError(f"sample {i}, {extent} bytes from {offsets[i]}, leaves the data "
                                    f"of {self.source.len} bytes")
        return 0

    cdef int _set(self, FieldSpec spec, str element, out, int64_t planes, int64_t first_plane,
                  int store) except -1:
        cdef int64_t channels = self.job.series.channels
        PyObject_GetBuffer(out, &self.target, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS)
        self.keep = spec
        self.job.spec = &spec.value
        self.job.store = store
        self.job.series.element = ELEMENTS[element]
        cdef int64_t plane
        image = int(spec.value.size) ** 2 * _capi_fields.fc_element_size(spec.value.element)
        if first_plane < 0 or channels < 1 or first_plane + spec.images * int(channels) > planes:
            raise ArgumentError(f"{spec.images} images of {channels} channels, from {first_plane} on: "
                                f"a sample has {planes} planes")
        if self.target.len != image * planes * self.job.series.samples:
            raise ArgumentError(f"the output has {self.target.len} bytes, the images "
                                f"{image * planes * self.job.series.samples}")
        plane = image
        self.job.plane = plane
        self.job.out_sample = plane * planes
        self.job.out = <uint8_t *> self.target.buf + first_plane * plane
        return 0

    cdef FieldJob _started(self):
        raise_for_status(_capi_fields.fc_field_start(&self.job), 0, "setting up fields of series")
        return self

    @property
    def store(self):
        """CACHED or STREAMING: how the images are written."""
        return self.job.store

    def run(self):
        """Work until no series is left; several threads may be in here at once."""
        cdef _capi.fc_status status
        if self.job.spec == NULL:
            raise ArgumentError("the FieldJob was not set up")
        with nogil:
            status = _capi_fields.fc_field_run(&self.job)
        if status == _capi.FC_E_NOMEM:
            raise MemoryError(f"no memory for the scratch of a thread, "
                              f"{_capi_fields.fc_field_scratch(self.job.spec, self.job.series.length)} bytes")

    @property
    def refused(self):
        """None, or (status, sample, channel) of a series that no field can be made of."""
        cdef int64_t which = 0
        cdef int status = _capi_fields.fc_field_refused(&self.job, &which)
        if status == OK:
            return None
        return status, which // self.job.series.channels, which % self.job.series.channels
