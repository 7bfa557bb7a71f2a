"""Arrays: which arrays are images, what is refused."""

import pickle

import numpy as np
import pytest

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.schema import Array, Image, Scalar
from fastcache.sources import Arrays


def column(source):
    ((name, feed),) = [(n, f) for n, f in source.layout().feeds.items() if n != "label"]
    return name, feed


def zeros(*shape, dtype="uint8"):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("layout", ["auto", "CHW"])
def test_channels_first_is_an_image(channels, layout):
    x = zeros(5, channels, 7, 9)
    name, feed = column(Arrays(x, layout=layout))
    assert (name, feed.field, feed.axes) == ("image", Image("uint8", channels, (7, 9)), (1, 2, 0))
    assert feed.rows is x


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("layout", ["auto", "HWC"])
def test_channels_last_is_an_image(channels, layout):
    name, feed = column(Arrays(zeros(5, 7, 9, channels), layout=layout))
    assert (name, feed.field, feed.axes) == ("image", Image("uint8", channels, (7, 9)), None)


@pytest.mark.parametrize(
    "x",
    [
        zeros(5, 2, 7, 2),
        zeros(5, 7, 9),
        zeros(5),
        zeros(5, 3, 7, 9, 2),
        zeros(5, 3, 7, 9, dtype="float32"),
        zeros(5, 3, 7, 9, dtype="int8"),
        zeros(5, 2, 7, 2, dtype="bool"),
        zeros(5, 4, dtype="complex64"),
    ],
)
def test_everything_else_is_a_plain_array(x):
    name, feed = column(Arrays(x))
    assert (name, feed.field, feed.axes) == ("array", Array(str(x.dtype), x.shape[1:]), None)


def test_layout_none_keeps_plain_arrays():
    name, feed = column(Arrays(zeros(5, 3, 7, 9), layout=None))
    assert (name, feed.field) == ("array", Array("uint8", (3, 7, 9)))


@pytest.mark.parametrize("shape", [(5, 3, 7, 3), (5, 1, 9, 4), (2, 4, 4, 4)])
def test_both_axes_fitting_asks_for_the_layout(shape):
    with pytest.raises(ArgumentError, match="say layout='CHW' or layout='HWC'"):
        Arrays(zeros(*shape))
    for layout, axis in (("CHW", 1), ("HWC", 3)):
        assert column(Arrays(zeros(*shape), layout=layout))[1].field.channels == shape[axis]


@pytest.mark.parametrize("layout", ["CHW", "HWC"])
@pytest.mark.parametrize(
    "x", [zeros(5, 2, 7, 2), zeros(5, 3, 3), zeros(5, 3, 7, 3, dtype="float32")]
)
def test_a_layout_that_does_not_fit_is_refused(layout, x):
    with pytest.raises(ArgumentError, match=f"layout='{layout}' needs uint8 of four axes"):
        Arrays(x, layout=layout)


def test_labels_and_structure():
    assert Arrays(zeros(5, 2)).layout().structure == "array"
    layout = Arrays(zeros(5, 3, 7, 9), [4, 3, 2, 1, 0]).layout()
    assert layout.structure == ("image", "label")
    assert layout.feeds["label"].field == Scalar("int64")
    layout = Arrays(zeros(5, 2), zeros(5, 6, dtype="float32")).layout()
    assert layout.structure == ("array", "label")
    assert layout.feeds["label"].field == Array("float32", (6,))
    assert len(Arrays(zeros(5, 2))) == 5
    with pytest.raises(ArgumentError, match="5 samples but 4 labels"):
        Arrays(zeros(5, 2), [1, 2, 3, 4])


def test_npy_files_are_mapped(tmp_path):
    x = np.arange(5 * 6, dtype="float32").reshape(5, 6)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(5))
    source = Arrays(tmp_path / "x.npy", str(tmp_path / "y.npy"))
    _, feed = column(source)
    assert isinstance(feed.rows, np.memmap)
    assert np.array_equal(feed.rows, x)
    assert source.layout().feeds["label"].rows.tolist() == [0, 1, 2, 3, 4]


def test_pickled_and_other_files_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}, 1], object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "folder.npy").mkdir()
    np.savez(tmp_path / "archive.npz", x=np.zeros(3))
    for name in ("objects.npy", "pickle.npy", "empty.npy", "text.npy", "folder.npy"):
        with pytest.raises(ArgumentError, match=rf"{name}.*Pickled objects are never"):
            Arrays(tmp_path / name)
    with pytest.raises(ArgumentError, match="npz"):
        Arrays(tmp_path / "archive.npz")
    with pytest.raises(SourceNotFoundError, match="gone"):
        Arrays(tmp_path / "gone.npy")


def test_foreign_byte_order_is_turned():
    _, feed = column(Arrays(np.arange(6, dtype=">i4").reshape(3, 2)))
    assert feed.rows.dtype.isnative
    assert feed.field == Array("int32", (2,))
    assert feed.rows.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.array(["a", "b"]), "dtype"),
        (np.array([{}, []], object), "object"),
        (np.zeros(3, "M8[s]"), "datetime64"),
        (np.zeros(3, [("a", "f4")]), "dtype"),
        (np.zeros(3, np.longdouble), "longdouble|float128"),
        (np.zeros(()), "count samples"),
        (np.zeros((0, 3)), "count samples"),
        ([[1, 2], [3, 4]], "numpy.asarray"),
        (None, "must be an array"),
        (7, "must be an array"),
    ],
)
def test_unusable_arrays_are_refused(x, match):
    with pytest.raises(ArgumentError, match=match):
        Arrays(x)


def test_unknown_layouts_are_refused():
    with pytest.raises(ArgumentError, match="NHWC"):
        Arrays(zeros(5, 3, 7, 9), layout="NHWC")


def test_tensors_are_taken_without_a_copy():
    torch = pytest.importorskip("torch")
    x = torch.zeros(5, 3, 7, 9, dtype=torch.uint8)
    name, feed = column(Arrays(x, torch.arange(5)))
    x[0, 0, 0, 0] = 9
    assert (name, int(feed.rows[0, 0, 0, 0])) == ("image", 9)
    _, feed = column(Arrays(torch.ones(5, 2, requires_grad=True)))
    assert feed.field == Array("float32", (2,))
    with pytest.raises(ArgumentError, match=r"bfloat16.*\.float"):
        Arrays(torch.zeros(5, 2, dtype=torch.bfloat16))
    with pytest.raises(ArgumentError, match="x is"):
        Arrays(torch.zeros(5, 2).to_sparse())
