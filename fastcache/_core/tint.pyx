"""Brightness, contrast, saturation, hue and grey of pixels in memory."""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, uint8_t

from fastcache._core cimport _capi_recipe

from fastcache.errors import ArgumentError

BRIGHTNESS = <int> _capi_recipe.FC_BRIGHTNESS
CONTRAST = <int> _capi_recipe.FC_CONTRAST
SATURATION = <int> _capi_recipe.FC_SATURATION
HUE = <int> _capi_recipe.FC_HUE
GREY = <int> _capi_recipe.FC_GREY

cdef object NAMES = {BRIGHTNESS: "brightness", CONTRAST: "contrast", SATURATION: "saturation",
                     HUE: "hue", GREY: "grey"}


cdef int fill(_capi_recipe.fc_colour *colour, object kind, object amount) except -1:
    """Take one colour over into C, or say what is wrong with it."""
    if kind not in tuple(NAMES):
        raise ArgumentError(f"no kind of colour is {kind!r}: give one of {NAMES}")
    try:
        colour.amount = amount
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"an amount of {NAMES[kind]} is a number, not {amount!r}") from error
    colour.kind = kind
    if kind == HUE and not -0.5 <= colour.amount <= 0.5:
        raise ArgumentError(f"hue turns by {amount!r}: give a part of a whole turn, -0.5 to 0.5")
    if kind != HUE and not (isfinite(colour.amount) and colour.amount >= 0):
        raise ArgumentError(f"{NAMES[kind]} by {amount!r}: give a factor that is finite and not negative")
    return 0


def apply_colours(pixels, kinds, amounts):
    """Change the colours of an image in place, one kind after the other.

    Results are those of ``torchvision.transforms.v2.functional`` on uint8 tensors, each of which
    ends in whole numbers: ``adjust_brightness``, ``adjust_contrast``, ``adjust_saturation``,
    ``adjust_hue`` and ``rgb_to_grayscale`` with three channels. Contrast is exactly equal as long as
    the sum of an image's grey values is below 2**24, from where on torch's own sum is rounded, and
    within 1 level else.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (height, width, channels), uint8, writable; 1, 3 (RGB) or 4 channels (RGBA), of which
        alpha stays. Pixels of a row lie side by side, rows may lie apart. Images of one channel
        are grey: saturation, hue and grey leave them as they are.
    kinds : sequence of int
        `BRIGHTNESS`, `CONTRAST`, `SATURATION`, `HUE` or `GREY`.
    amounts : sequence of float
        As many, used as float32: a factor (0 or more); of hue, turns (-0.5 to 0.5); of grey, unused.

    Raises
    ------
    ArgumentError
        If `pixels` is not such an array, a kind is not known, or an amount is out of range.
    """
    cdef uint8_t[:, :, :] image
    try:
        image = memoryview(pixels)  # which refuses None; Cython's own would not
    except (BufferError, TypeError, ValueError) as error:
        raise ArgumentError("pixels: give a writable uint8 array of (height, width, channels), not "
                            f"{type(pixels).__name__}: {error}") from error
    cdef Py_ssize_t h = image.shape[0], w = image.shape[1], channels = image.shape[2], i
    if channels not in (1, 3, 4):
        raise ArgumentError(f"pixels of {channels} channels: give 1, 3 or 4")
    if h > 0x7fffffff or w > 0x7fffffff:
        raise ArgumentError(f"an image of {h} x {w} pixels: either may be up to 2**31 - 1")
    if h > 0 and w > 0 and (image.strides[2] != 1 and channels > 1 or image.strides[1] != channels and w > 1
                            or image.strides[0] < w * channels and h > 1):
        strides = tuple(image.strides[i] for i in range(3))
        raise ArgumentError(f"pixels with strides of {strides} bytes: pixels of a row must lie side by "
                            "side, and rows in order; give numpy.ascontiguousarray of them")
    kinds, amounts = list(kinds), list(amounts)
    if len(kinds) != len(amounts):
        raise ArgumentError(f"{len(kinds)} kinds of colour with {len(amounts)} amounts: give one each")
    if h == 0 or w == 0 or not kinds:
        return
    cdef int count = len(kinds)
    cdef uint8_t[::1] memory = bytearray(count * sizeof(_capi_recipe.fc_colour))
    cdef _capi_recipe.fc_colour *colours = <_capi_recipe.fc_colour *> &memory[0]
    for i in range(count):
        fill(&colours[i], kinds[i], amounts[i])
    cdef size_t stride = image.strides[0] if h > 1 else w * channels
    with nogil:
        _capi_recipe.fc_colours_apply(&image[0, 0, 0], stride, <int32_t> h, <int32_t> w,
                                      <int> channels, colours, count)
