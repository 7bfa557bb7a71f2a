"""Fields of time series: the job that threads run."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_SIMPLE, PyBUF_STRIDED_RO, PyBUF_WRITABLE, PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport int64_t, uint8_t

from fastcache._core cimport _capi, _capi_fields
from fastcache._core._status cimport raise_for_status
from fastcache._core.field_specs cimport FieldSpec

from fastcache._core.field_specs import ELEMENTS, MTF
from fastcache.errors import ArgumentError, NoMemoryError

OK = <int> _capi.FC_OK
NOT_FINITE = <int> _capi.FC_E_NOT_FINITE
OUT_OF_RANGE = <int> _capi.FC_E_RANGE
AUTO = <int> _capi_fields.FC_STORE_AUTO
CACHED = <int> _capi_fields.FC_STORE_CACHED
STREAMING = <int> _capi_fields.FC_STORE_STREAMING


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
    cdef uint8_t[::1] notes

    def __init__(self):
        raise ArgumentError("a FieldJob comes from of_array or of_rows")

    def __dealloc__(self):
        PyBuffer_Release(&self.source)
        PyBuffer_Release(&self.target)

    @staticmethod
    def of_array(FieldSpec spec not None, series, str element, out, *, int64_t planes, int64_t first_plane=0,
                 int store=AUTO):
        """Return the job for an array of shape (samples, channels, length), with any strides."""
        cdef FieldJob self = FieldJob.__new__(FieldJob)
        PyObject_GetBuffer(series, &self.source, PyBUF_STRIDED_RO)
        if self.source.ndim != 3:
            raise ArgumentError(f"series of {self.source.ndim} axes: give 3, the last of time")
        cdef _capi_fields.fc_series *to = &self.job.series
        to.data = <const uint8_t *> self.source.buf
        to.samples, to.channels, to.length = [self.source.shape[k] for k in range(3)]
        to.sample, to.channel, to.step = [self.source.strides[k] for k in range(3)]
        self._set(spec, element, out, planes, first_plane, store)
        if self.source.itemsize != <Py_ssize_t> _capi_fields.fc_element_size(to.element):
            raise ArgumentError(f"values of {self.source.itemsize} bytes are no {element}")
        if spec.value.kind == MTF and to.samples > 0:
            self.notes = bytearray(to.samples * to.channels)
            self.job.merged = &self.notes[0]
        return self._started()

    @staticmethod
    def of_rows(FieldSpec spec not None, data, str element, const int64_t[::1] offsets not None, out, *,
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
        own = bytes(offsets)  # a copy, since callers may change theirs after the check
        to.offset = <const int64_t *> <void *> PyBytes_AS_STRING(own)
        self._set(spec, element, out, planes, first_plane, store)
        to.step = _capi_fields.fc_element_size(to.element)
        self.keep = (spec, own)
        self._check_rows()
        return self._started()

    cdef int _check_rows(self) except -1:
        """Refuse what leaves the data: C trusts it."""
        cdef _capi_fields.fc_series *to = &self.job.series
        cdef Py_ssize_t i
        cdef object extent = (int(to.channels) - 1) * int(to.channel) + int(to.length) * int(to.step)
        if to.channels < 1 or to.channel < 0 or to.length < 1 or extent > self.source.len:
            raise ArgumentError(f"samples of {extent} bytes leave the data of {self.source.len}")
        cdef int64_t last = self.source.len - <int64_t> extent
        for i in range(to.samples):
            if not 0 <= to.offset[i] <= last:
                raise ArgumentError(f"sample {i}, {extent} bytes from {to.offset[i]}, leaves the data "
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
            size = _capi_fields.fc_field_scratch(self.job.spec, self.job.series.length)
            raise NoMemoryError(f"no memory for the scratch of a thread, {size} bytes")

    def cancel(self):
        """Have all threads return soon; the images are then unspecified."""
        self.job.cursor.cancel = 1

    @property
    def merged(self):
        """Samples, in order, of which some series has fewer bins since quantiles are equal."""
        cdef int64_t channels = self.job.series.channels, last = -1
        cdef Py_ssize_t i
        found = []
        if self.job.merged == NULL:
            return found
        for i in range(self.notes.shape[0]):
            if self.notes[i] and i // channels != last:
                last = i // channels
                found.append(last)
        return found

    @property
    def refused(self):
        """None, or (status, sample, channel) of a series that no field can be made of."""
        cdef int64_t which = 0
        cdef int status = _capi_fields.fc_field_refused(&self.job, &which)
        if status == OK:
            return None
        return status, which // self.job.series.channels, which % self.job.series.channels
