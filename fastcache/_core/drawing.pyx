"""Recipes drawn: what becomes of samples, and the random numbers that decide it.

Structured records travel as arrays of their bytes: `STEP_BYTES`, `STAGE_BYTES`, `DRAWN_BYTES` and
`MAP_BYTES` each.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from fastcache._core cimport _capi, _capi_recipe

from fastcache.errors import ArgumentError

STEP_BYTES = sizeof(_capi_recipe.fc_step)
STAGE_BYTES = sizeof(_capi_recipe.fc_stage)
DRAWN_BYTES = sizeof(_capi_recipe.fc_drawn)
MAP_BYTES = sizeof(_capi_recipe.fc_map)
MOST_STAGES = _capi_recipe.FC_MOST_STAGES
MOST_COLOURS = _capi_recipe.FC_MOST_COLOURS
MOST_ERASED = _capi_recipe.FC_MOST_ERASED
STEP_PIXELS = _capi_recipe.FC_STEP_PIXELS


def offsets():
    """Return the place of every member of the structs that travel, in bytes, by struct."""
    cdef _capi_recipe.fc_step p
    cdef _capi_recipe.fc_stage s
    cdef _capi_recipe.fc_erased e
    cdef _capi_recipe.fc_drawn d
    cdef _capi_recipe.fc_map m
    cdef size_t step = <size_t> &p, stage = <size_t> &s, erased = <size_t> &e
    cdef size_t drawn = <size_t> &d, map_ = <size_t> &m
    return {
        "STEP": {
            "kind": <size_t> &p.kind - step,
            "filter": <size_t> &p.filter - step,
            "number": <size_t> &p.number[0] - step,
            "real": <size_t> &p.real[0] - step,
            "value": <size_t> &p.value[0] - step,
            "fill": <size_t> &p.fill[0] - step,
        },
        "STAGE": {
            "geometry": <size_t> &s.geometry - stage,
            "filter": <size_t> &s.filter - stage,
            "padding": <size_t> &s.padding - stage,
            "fill": <size_t> &s.fill[0] - stage,
            "scale": <size_t> &s.scale - stage,
            "flip_y": <size_t> &s.flip_y - stage,
            "flip_x": <size_t> &s.flip_x - stage,
            "colours": <size_t> &s.colours - stage,
            "colour": <size_t> &s.colour[0] - stage,
        },
        "COLOUR": {
            "kind": <size_t> &s.colour[0].kind - <size_t> &s.colour[0],
            "amount": <size_t> &s.colour[0].amount - <size_t> &s.colour[0],
        },
        "ERASED": {
            "y": <size_t> &e.y - erased,
            "x": <size_t> &e.x - erased,
            "h": <size_t> &e.h - erased,
            "w": <size_t> &e.w - erased,
            "with": <size_t> &e.erase_with - erased,
            "value": <size_t> &e.value[0] - erased,
            "step": <size_t> &e.step - erased,
        },
        "DRAWN": {
            "stages": <size_t> &d.stages - drawn,
            "erased": <size_t> &d.erased - drawn,
            "stage": <size_t> &d.stage[0] - drawn,
            "erase": <size_t> &d.erase[0] - drawn,
        },
        "MAP": {
            "scale_y": <size_t> &m.scale_y - map_,
            "shift_y": <size_t> &m.shift_y - map_,
            "scale_x": <size_t> &m.scale_x - map_,
            "shift_x": <size_t> &m.shift_x - map_,
            "seen_y": <size_t> &m.seen_y[0] - map_,
            "seen_x": <size_t> &m.seen_x[0] - map_,
            "h": <size_t> &m.h - map_,
            "w": <size_t> &m.w - map_,
        },
    }


@cython.final
cdef class Random:
    """The random numbers of one step of one sample, one after the other.

    Equal arguments give equal numbers, on every thread and in every process.
    """

    cdef _capi_recipe.fc_random random

    def __init__(self, uint64_t seed, uint64_t epoch, uint64_t sample, uint32_t occurrence,
                 uint32_t step):
        cdef _capi_recipe.fc_key key
        key.seed, key.epoch, key.sample, key.occurrence = seed, epoch, sample, occurrence
        _capi_recipe.fc_random_begin(&self.random, &key, step)

    def bits(self):
        """Return 32 random bits."""
        return _capi_recipe.fc_random_bits(&self.random)

    def uniform(self):
        """Return a number of [0, 1) with 53 random bits."""
        return _capi_recipe.fc_random_uniform(&self.random)

    def below(self, int32_t count):
        """Return one of 0..count-1, each as likely as the others."""
        if count < 1:
            raise ArgumentError(f"count={count}: there is nothing below it; give 1 or more")
        return _capi_recipe.fc_random_below(&self.random, count)

    def normal(self):
        """Return a number of the normal distribution of mean 0 and variance 1."""
        return _capi_recipe.fc_random_normal(&self.random)

    def normals(self, float[::1] out):
        """Fill an array with such numbers of 24 random bits; takes whole blocks of four words."""
        if out.shape[0]:
            _capi_recipe.fc_random_normals(&self.random, &out[0], out.shape[0])

    def gamma(self, double shape):
        """Return a number of the gamma distribution of scale 1."""
        number = _capi_recipe.fc_random_gamma(&self.random, shape)
        if number != number:
            raise ArgumentError(f"shape={shape}: a gamma distribution needs one of 1e-300..1e300")
        return number

    def beta(self, double a, double b):
        """Return a number of the beta distribution."""
        number = _capi_recipe.fc_random_beta(&self.random, a, b)
        if number != number:
            raise ArgumentError(f"a={a}, b={b}: a beta distribution needs two of 1e-300..1e300")
        return number


cdef Py_ssize_t records(Py_ssize_t size, Py_ssize_t each, str what) except -1:
    """How many records lie in a buffer of `size` bytes."""
    if size % each:
        raise ArgumentError(f"{what}: {size} bytes, where each record takes {each}")
    return size // each


def first_bad_step(const uint8_t[::1] steps):
    """Return the number of the first step that breaks the rules of its kind, or -1."""
    cdef Py_ssize_t count = records(steps.shape[0], sizeof(_capi_recipe.fc_step), "steps"), i
    for i in range(count):
        if _capi_recipe.fc_step_check(
                <const _capi_recipe.fc_step *> &steps[i * sizeof(_capi_recipe.fc_step)]):
            return i
    return -1


def draw(const uint8_t[::1] steps, uint64_t seed, const uint64_t[::1] epoch,
         const uint64_t[::1] sample, const uint32_t[::1] occurrence, const int32_t[::1] height,
         const int32_t[::1] width, uint8_t[::1] out, const uint8_t[::1] before=None):
    """Draw the steps for each of N samples into `out`.

    Returns (-1, -1), or the first sample that is refused and the number of the step that is to
    blame, -1 if none is: then its size or its `before` is. Samples behind it are not drawn.
    """
    cdef Py_ssize_t n = sample.shape[0], i
    cdef Py_ssize_t count = records(steps.shape[0], sizeof(_capi_recipe.fc_step), "steps")
    if not (epoch.shape[0] == n == occurrence.shape[0] == height.shape[0] == width.shape[0]):
        raise ArgumentError(f"{n} samples, but {epoch.shape[0]} epochs, {occurrence.shape[0]} "
                            f"occurrences, {height.shape[0]} heights, {width.shape[0]} widths")
    if records(out.shape[0], sizeof(_capi_recipe.fc_drawn), "out") != n:
        raise ArgumentError(f"out: {out.shape[0]} bytes for {n} samples of {DRAWN_BYTES}")
    if before is not None and records(
            before.shape[0], sizeof(_capi_recipe.fc_stage), "before") != n:
        raise ArgumentError(f"before: {before.shape[0]} bytes for {n} samples of {STAGE_BYTES}")
    if count > 0x7fffffff:
        raise ArgumentError(f"{count} steps are more than a recipe may have")
    if n == 0:
        return -1, -1
    cdef const _capi_recipe.fc_step *first = NULL
    cdef const _capi_recipe.fc_stage *stage = NULL
    cdef _capi_recipe.fc_drawn *drawn = <_capi_recipe.fc_drawn *> &out[0]
    cdef _capi_recipe.fc_key key
    cdef int at = -1
    if count:
        first = <const _capi_recipe.fc_step *> &steps[0]
    if before is not None:
        stage = <const _capi_recipe.fc_stage *> &before[0]
    key.seed = seed
    with nogil:
        for i in range(n):
            key.epoch, key.sample, key.occurrence = epoch[i], sample[i], occurrence[i]
            if _capi_recipe.fc_draw(first, <int> count, &key, height[i], width[i],
                                    stage + i if stage != NULL else NULL, drawn + i, &at):
                break
        else:
            i = -1
    return i, at


def maps(const uint8_t[::1] drawn, uint8_t[::1] out):
    """Write where points of N samples lie in their final images."""
    cdef Py_ssize_t n = records(drawn.shape[0], sizeof(_capi_recipe.fc_drawn), "drawn"), i
    if records(out.shape[0], sizeof(_capi_recipe.fc_map), "out") != n:
        raise ArgumentError(f"out: {out.shape[0]} bytes for {n} samples of {MAP_BYTES}")
    cdef const _capi_recipe.fc_drawn *one
    for i in range(n):
        one = <const _capi_recipe.fc_drawn *> &drawn[i * sizeof(_capi_recipe.fc_drawn)]
        if not 1 <= one.stages <= MOST_STAGES:
            raise ArgumentError(f"sample {i}: {one.stages} stages is nothing that was drawn")
        (<_capi_recipe.fc_map *> &out[i * sizeof(_capi_recipe.fc_map)])[0] = (
            _capi_recipe.fc_drawn_map(one))
