"""Operations: torchvision is the oracle of their results, Pillow that of the compiled geometry."""

import pickle

import images
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operations import EXAMPLES, SIDES, TARGETS, letter_boxes, resizes
from PIL import Image
from torchvision_oracle import torchvision

from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.transforms.operation import PIL_FILTERS


def same(image, other):
    return image.mode == other.mode and np.array_equal(np.asarray(image), np.asarray(other))


# ---- against torchvision ------------------------------------------------------------------------


@EXAMPLES
@given(height=SIDES, width=SIDES, operation=resizes())
def test_resize_is_torchvisions(height, width, operation):
    v2 = torchvision().transforms.v2
    image = images.photo(height, width)
    twin = v2.Resize(operation.size, operation.interpolation, operation.max_size)
    height_out, width_out = operation.sizes(height, width)
    try:
        expected = twin(image)
    except ValueError:  # a side would be 0 pixels there; ours stays at 1
        assert min(height_out, width_out) == 1
        expected = image.resize(
            (int(width_out), int(height_out)), PIL_FILTERS[operation.interpolation]
        )
    assert same(operation(image), expected)
    assert (int(height_out), int(width_out)) == (expected.height, expected.width)


@EXAMPLES
@given(
    sizes=st.lists(st.tuples(st.integers(1, 70000), st.integers(1, 70000)), min_size=1),
    size=st.one_of(st.none(), st.integers(1, 3000)),
    more=st.one_of(st.none(), st.integers(1, 3000)),
)
def test_resized_sizes_of_large_images_are_torchvisions(sizes, size, more):
    v2 = torchvision().transforms.v2
    if size is None and more is None:
        size = 256
    limit = more if size is None or more is None else size + more
    heights, widths = np.array(sizes).T
    out = T.Resize(size, max_size=limit).sizes(heights, widths)
    compute = v2.functional._geometry._compute_resized_output_size
    expected = [compute((h, w), size, limit) for h, w in sizes]
    assert np.array_equal(np.stack(out, axis=1), np.maximum(expected, 1))
    assert all(a.dtype == np.int64 for a in out)


@EXAMPLES
@given(
    height=SIDES,
    width=SIDES,
    size=TARGETS,
    mode=st.sampled_from(["RGB", "L", "RGBA", "P", "I;16"]),
)
def test_center_crop_is_torchvisions(height, width, size, mode):
    image = images.photo(height, width, mode)
    operation = T.CenterCrop(size)
    expected = torchvision().transforms.v2.CenterCrop(size)(image)
    assert same(operation(image), expected)
    assert operation.sizes(height, width) == (expected.height, expected.width)


def test_resize_and_center_crop_of_torchvision_are_translated():
    tv = torchvision().transforms
    mode = tv.InterpolationMode.BICUBIC
    for family in (tv, tv.v2):
        chain = family.Compose(
            [family.Resize(64, interpolation=mode, max_size=90), family.CenterCrop((32, 40))]
        )
        expected = (T.Resize(64, "bicubic", max_size=90), T.CenterCrop((32, 40)))
        assert T.normalize_store(chain) == expected
        assert T.normalize_store([T.Resize(99), chain])[1:] == expected
        image = images.photo(81, 130)
        assert same(T.apply_store(expected, image), chain(image))


def test_other_transforms_of_torchvision_are_sent_to_transform():
    v2 = torchvision().transforms.v2
    with pytest.raises(ArgumentError, match="transform="):
        T.normalize_store([T.Resize(4), v2.RandomHorizontalFlip()])


# ---- LetterBox against Ultralytics' definition --------------------------------------------------


def yolo_place(height, width, frame, scaleup):
    """Ultralytics' LetterBox with ``auto=False, center=True``, in its own order of steps."""
    ratio = min(frame[0] / height, frame[1] / width)
    if not scaleup:
        ratio = min(ratio, 1.0)
    new_w, new_h = round(width * ratio), round(height * ratio)
    dw, dh = (frame[1] - new_w) / 2, (frame[0] - new_h) / 2
    return new_h, new_w, round(dh - 0.1), round(dh + 0.1), round(dw - 0.1), round(dw + 0.1)


@EXAMPLES
@given(height=SIDES, width=SIDES, operation=letter_boxes(), mode=st.sampled_from(["RGB", "L"]))
def test_letter_box_is_yolos(height, width, operation, mode):
    image = images.photo(height, width, mode)
    h, w, top, bottom, left, right = yolo_place(height, width, operation.size, operation.scaleup)
    out = np.asarray(operation(image))
    assert out.shape[:2] == operation.size == operation.sizes(height, width)
    if min(h, w) < 1:  # nothing would be left; one pixel is
        return
    assert (top + h + bottom, left + w + right) == operation.size
    inner = image
    if (h, w) != (height, width):
        inner = image.resize((w, h), PIL_FILTERS[operation.interpolation])
    expected = np.full_like(out, operation.fill)
    expected[top : top + h, left : left + w] = np.asarray(inner)
    assert np.array_equal(out, expected)


def test_letter_box_keeps_palettes_and_pads_masks_with_their_own_fill():
    image = images.photo(20, 40, "P")
    operation = T.LetterBox(40, mask_fill=7).for_mask()
    out = operation(image)
    assert out.mode == "P"
    assert out.getpalette() == image.getpalette()
    assert np.asarray(out)[0, 0] == 7
    assert np.array_equal(np.asarray(out)[10:30], np.asarray(image))


# ---- construction -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [T.Resize, T.CenterCrop, T.LetterBox])
@pytest.mark.parametrize(
    "size", [0, -1, 2.5, True, "224", (), (1, 2, 3), (4, 0), (4, None), b"4", 2**31, (4, 2**40)]
)
def test_bad_sizes_are_refused_at_once(kind, size):
    with pytest.raises(ArgumentError, match=kind.__name__):
        kind(size)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: T.Resize(None), "both None"),
        (lambda: T.Resize((4, 5), max_size=9), "exact size"),
        (lambda: T.Resize(9, max_size=9), "greater than"),
        (lambda: T.Resize(9, max_size=0), "max_size"),
        (lambda: T.Resize(9, "cubic"), "bicubic"),
        (lambda: T.Resize(9, 17), "interpolation"),
        (lambda: T.LetterBox(9, fill=256), "0 to 255"),
        (lambda: T.LetterBox(9, fill=-1), "0 to 255"),
        (lambda: T.LetterBox(9, fill=1.5), "0 to 255"),
        (lambda: T.LetterBox(9, mask_fill=300), "mask_fill"),
    ],
)
def test_bad_arguments_are_refused_with_what_would_do(make, match):
    with pytest.raises(ArgumentError, match=match):
        make()


def test_filters_have_many_names():
    for given_ in ("lanczos", "LANCZOS", Image.Resampling.LANCZOS, 1):
        assert T.Resize(8, given_).interpolation == "lanczos"
    assert T.Resize(8, "nearest-exact").interpolation == "nearest"


OPERATIONS = [
    T.Resize(256),
    T.Resize((4, 5), "box"),
    T.Resize(None, max_size=7),
    T.Resize([64], max_size=80),
    T.CenterCrop(224),
    T.CenterCrop([3, 5]),
    T.LetterBox(640, 0, "nearest", scaleup=False, mask_fill=255),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
def test_operations_are_values(operation):
    assert pickle.loads(pickle.dumps(operation)) == operation
    assert hash(pickle.loads(pickle.dumps(operation))) == hash(operation)
    assert eval(repr(operation), vars(T)) == operation
    assert T.store_from_json(T.store_to_json([operation])) == (operation,)
    with pytest.raises(AttributeError):
        operation.size = 3
    assert len({operation, *OPERATIONS}) == len(OPERATIONS)


def test_catalogues_with_unknown_operations_are_refused():
    with pytest.raises(ArgumentError, match="another version"):
        T.store_from_json([{"op": "Swirl", "size": 3}])


@pytest.mark.parametrize("store", [None, [], (), [None]])
def test_no_store_is_an_empty_chain(store):
    assert T.normalize_store(store) == ()


def test_stores_are_flattened():
    a, b = T.Resize(8), T.CenterCrop(4)
    assert T.normalize_store(a) == (a,)
    assert T.normalize_store([a, (b, None)]) == (a, b)


@pytest.mark.parametrize("store", [len, "Resize", 224, [lambda image: image], {T.Resize(8)}])
def test_anything_else_is_refused_and_told_where_to_go(store):
    with pytest.raises(ArgumentError, match="transform="):
        T.normalize_store(store)


def test_a_class_instead_of_an_operation_is_told_so():
    with pytest.raises(ArgumentError, match="is the class"):
        T.normalize_store([T.Resize])
