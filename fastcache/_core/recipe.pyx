"""Recipes in bulk: the C core's read job as a Python object.

A job holds references to every buffer that C reads or writes, and copies of what C trusts once it
was checked, so nothing can go away or change while threads are inside.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fastcache._core cimport _capi, _capi_recipe
from fastcache._core._status cimport raise_for_status
from fastcache._core.image cimport Spec, pixel_bytes
from fastcache._core.planes cimport Plane, emit_at, frozen

from fastcache.errors import ArgumentError

MOST_PLANES = 16


def scratch_bytes(const uint8_t[::1] steps, int32_t height, int32_t width, Spec spec,
                  const uint8_t[::1] emit, const uint8_t[::1] before=None):
    """Return the bytes that one thread of a MakeJob holds, at most, for a sample in memory.

    Of files the codec's parts of `decode_scratch` come on top, and the file's bytes where it is
    read. Threads keep up to 4 MiB of it for the next job.

    Parameters
    ----------
    steps : uint8 view of `fc_step` records
    height, width : int
        Of the sample, in pixels.
    spec : Spec
    emit : uint8 view of one `fc_emit` record
    before : uint8 view of one `fc_stage` record, optional
        What `store=` does to a file.

    Raises
    ------
    ArgumentError
        If a step cannot be done to such a sample, or a buffer does not hold whole records.
    """
    cdef size_t bytes = 0
    cdef int at = -1
    cdef Py_ssize_t each = sizeof(_capi_recipe.fc_step)
    cdef const _capi_recipe.fc_step *first = NULL
    cdef const _capi_recipe.fc_stage *stage = NULL
    if steps.shape[0] % each or steps.shape[0] // each > 0x7fff:
        raise ArgumentError(f"steps: {steps.shape[0]} bytes, where each of up to 32767 takes {each}")
    if steps.shape[0]:
        first = <const _capi_recipe.fc_step *> &steps[0]
    if before is not None:
        if before.shape[0] != sizeof(_capi_recipe.fc_stage):
            raise ArgumentError(f"before: {before.shape[0]} bytes, where one record takes "
                                f"{sizeof(_capi_recipe.fc_stage)}")
        stage = <const _capi_recipe.fc_stage *> &before[0]
    if _capi_recipe.fc_make_scratch(first, <int> (steps.shape[0] // each), height, width, stage,
                                    &spec.value, emit_at(emit), &bytes, &at) != _capi.FC_OK:
        what = "its size or `before` contradicts itself" if at < 0 else f"step {at} cannot be done"
        raise ArgumentError(f"a sample of {height} x {width} pixels: {what}")
    return bytes


cdef class MakeJob:
    """Draw the steps of N samples and make all their columns.

    Results are the same whatever the number of threads.

    Parameters
    ----------
    planes : sequence of Plane
        1 to MOST_PLANES of them, each of N samples. Those of one sample have the same size.
    steps : uint8 view of `fc_step` records, copied; or a list of such, one per plane
        A list: the planes are views of the first one's images. A file is read once for all of them,
        and decoded once where that is less work.
    seed : int
    epoch, sample : uint64 [N], copied
    occurrence : uint32 [N], copied
        With `seed` what all random numbers of a sample follow from.
    status, detail : int32 arrays [N] as bytes; items whose status is not PENDING are passed over
        A step that cannot be done to a sample is ARGUMENT, with the step's number as detail.
    maps : uint8 view of N `fc_map` records, optional, written
        Where points of the samples lie in their final images.
    damaged_needs_python : bool
        Leave truncated and corrupt files to the Python step, instead of failing them.

    Raises
    ------
    ArgumentError
        If a buffer has another size than N says, a step breaks the rules of its kind, or views are
        asked for maps.
    """

    cdef _capi_recipe.fc_make_job job
    cdef _capi_recipe.fc_plane planes[16]
    cdef object keep

    def __init__(self, planes, steps, uint64_t seed, epoch, sample, occurrence,
                 uint8_t[::1] status, uint8_t[::1] detail, *, uint8_t[::1] maps=None,
                 bint damaged_needs_python=False):
        if self.keep is not None:
            raise ArgumentError("a MakeJob is set up once")
        cdef list given = list(planes)
        if not 1 <= len(given) <= MOST_PLANES:
            raise ArgumentError(f"{len(given)} columns of images: a job makes 1 to {MOST_PLANES}")
        cdef Py_ssize_t n = (<Plane?> given[0]).count, i
        cdef Plane plane
        memset(&self.job, 0, sizeof(self.job))
        for i in range(len(given)):
            plane = <Plane?> given[i]
            if plane.count != n:
                raise ArgumentError(f"columns of {n} and {plane.count} samples")
            self.planes[i] = plane.plane
        self.job.cursor.count = n
        self.job.planes = self.planes
        self.job.plane_count = <int32_t> len(given)
        self.job.seed = seed
        self.job.damaged_needs_python = damaged_needs_python
        copied = self._copy_views(steps, maps) if isinstance(steps, list) else [records_of(steps)]
        if not self.job.is_views:
            self.job.step_count = checked_steps(copied[0], &self.job.steps)
        epochs = frozen(epoch, n, sizeof(uint64_t), "epoch")
        samples = frozen(sample, n, sizeof(uint64_t), "sample")
        times = frozen(occurrence, n, sizeof(uint32_t), "occurrence")
        self.job.epoch = <const uint64_t *> <void *> PyBytes_AS_STRING(epochs)
        self.job.sample = <const uint64_t *> <void *> PyBytes_AS_STRING(samples)
        self.job.occurrence = <const uint32_t *> <void *> PyBytes_AS_STRING(times)
        self.job.status = <int32_t *> written(status, n * sizeof(int32_t), "status")
        self.job.detail = <int32_t *> written(detail, n * sizeof(int32_t), "detail")
        if maps is not None:
            self.job.map = <_capi_recipe.fc_map *> written(
                maps, n * sizeof(_capi_recipe.fc_map), "maps")
        self.keep = (given, copied, epochs, samples, times, status, detail, maps)

    cdef object _copy_views(self, list steps, maps):
        cdef Py_ssize_t i
        if len(steps) != self.job.plane_count or maps is not None:
            raise ArgumentError(f"{len(steps)} lists of steps for {self.job.plane_count} views: give "
                                "one for each, and no maps")
        copied = [records_of(own) for own in steps]
        for i in range(len(copied)):
            self.planes[i].step_count = checked_steps(copied[i], &self.planes[i].steps)
        self.job.is_views = 1
        return copied

    def run(self):
        """Work until no sample is left; enter from as many threads as wanted."""
        cdef _capi.fc_status status
        if self.keep is None:
            raise ArgumentError("this MakeJob was never set up")
        with nogil:
            status = _capi_recipe.fc_make_run(&self.job)
        raise_for_status(status, 0, "starting to make samples")

    def cancel(self):
        """Start no further sample; those under way are finished."""
        self.job.cursor.cancel = 1

    def progress(self):
        """Return (samples done, samples failed, output bytes written)."""
        return (self.job.cursor.done, self.job.cursor.failed, self.job.cursor.bytes)


cdef bytes records_of(const uint8_t[::1] steps):
    return bytes(steps)


cdef int32_t checked_steps(bytes copied, const _capi_recipe.fc_step **first) except -1:
    """Find the first of some steps, which live as long as `copied`; return how many there are."""
    cdef Py_ssize_t each = sizeof(_capi_recipe.fc_step), size = len(copied), i
    if size % each or size // each > 0x7fff:
        raise ArgumentError(f"steps: {size} bytes, where each of up to 32767 takes {each}")
    first[0] = <const _capi_recipe.fc_step *> <void *> PyBytes_AS_STRING(copied)
    for i in range(size // each):
        if _capi_recipe.fc_step_check(&first[0][i]) != _capi.FC_OK:
            raise ArgumentError(f"step {i} of kind {first[0][i].kind} breaks the rules of its kind")
    return <int32_t> (size // each)


cdef void *written(uint8_t[::1] buffer, Py_ssize_t need, str what) except? NULL:
    """Address of a buffer of exactly that size, which C writes."""
    if buffer is None or buffer.shape[0] != need:
        size = None if buffer is None else buffer.shape[0]
        raise ArgumentError(f"{what}: {size} bytes where {need} are needed")
    return &buffer[0] if need else NULL


cdef class Maker:
    """One thread's maker, for drawn records made by hand: what tests and benchmarks drive."""

    cdef _capi_recipe.fc_maker *maker

    def __cinit__(self):
        self.maker = _capi_recipe.fc_maker_new()
        if self.maker == NULL:
            raise MemoryError("no memory for a maker")

    def __dealloc__(self):
        _capi_recipe.fc_maker_free(self.maker)

    def make(self, const uint8_t[::1] source, Spec spec, const uint8_t[::1] drawn,
             const uint8_t[::1] emit, uint8_t[::1] out, *, bint is_file=False, key=(0, 0, 0, 0)):
        """Make one sample of pixels without gaps, or of a file's bytes; return (status, detail).

        `key` are the seed, epoch, sample and occurrence of pixels that are erased with noise.
        """
        cdef const _capi_recipe.fc_drawn *one
        cdef _capi_recipe.fc_key whose
        cdef int detail = 0
        cdef _capi.fc_status status
        whose.seed, whose.epoch, whose.sample, whose.occurrence = key
        if drawn.shape[0] != sizeof(_capi_recipe.fc_drawn) or source.shape[0] == 0:
            raise ArgumentError(f"drawn: {drawn.shape[0]} bytes; source: {source.shape[0]} bytes")
        one = <const _capi_recipe.fc_drawn *> &drawn[0]
        if not 1 <= one.stages <= _capi_recipe.FC_MOST_STAGES:
            raise ArgumentError(f"{one.stages} stages")
        cdef const _capi.fc_geometry *first = &one.stage[0].geometry
        cdef const _capi.fc_geometry *last = &one.stage[one.stages - 1].geometry
        cdef const _capi_recipe.fc_emit *how = emit_at(emit)
        if (_capi.fc_geometry_check(first) != _capi.FC_OK
                or _capi.fc_geometry_check(last) != _capi.FC_OK):
            raise ArgumentError("the geometry contradicts itself")
        cdef size_t stride = <size_t> first.src_w * pixel_bytes(spec)
        if not is_file and <size_t> source.shape[0] < stride * first.src_h:
            raise ArgumentError(f"source of {source.shape[0]} bytes where "
                                f"{stride * first.src_h} are needed")
        cdef size_t need = _capi_recipe.fc_emit_bytes(how, last.out_h, last.out_w)
        if <size_t> out.shape[0] < need:
            raise ArgumentError(f"out of {out.shape[0]} bytes where {need} are needed")
        with nogil:
            if is_file:
                status = _capi_recipe.fc_make_from_file(
                    self.maker, &source[0], source.shape[0], &spec.value, one, &whose, how, &out[0],
                    &detail)
            else:
                status = _capi_recipe.fc_make(
                    self.maker, &source[0], stride, &spec.value, one, &whose, how, &out[0])
        return <int> status, detail
