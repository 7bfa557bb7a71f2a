"""Images in .npy files: kept as they are, or converted like images."""

import re
from pathlib import Path

import images
import numpy as np
import pytest
from filling import filled, row, save, told, values
from PIL import Image

from fastcache import transforms as T
from fastcache.errors import DecodeError, SourceNotFoundError
from fastcache.sources import ClassFolder, Files, Pairs

DTYPES = ["uint8", "uint16", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_files_of_one_kind_are_kept_as_they_are(tmp_path, dtype, channels):
    """E3: dtype and channels stay, whatever the order of axes, memory and bytes in the file."""
    x = values(dtype, channels=channels)
    plain = x[:, :, 0] if channels == 1 else x
    paths = [
        save(tmp_path / "hwc.npy", x),
        save(tmp_path / "chw.npy", np.ascontiguousarray(x.transpose(2, 0, 1))),
        save(tmp_path / "plain.npy", plain),
        save(tmp_path / "fortran.npy", np.asfortranarray(x)),
        save(tmp_path / "big.npy", x.astype(x.dtype.newbyteorder(">"))),
    ]
    (tmp_path / "big.npy").rename(tmp_path / "no_ending")
    paths[-1] = tmp_path / "no_ending"
    arena = filled(paths)
    column = arena.column("image")
    assert (column.rows.dtype, column.rows.shape) == (dtype, (5, 30, 41, channels))
    for got in column.rows:
        np.testing.assert_array_equal(got, x)
    assert told(arena)["through_numpy"] == {"NPY": 5}


def test_samples_and_batches_are_tensors_of_that_dtype(tmp_path):
    """E3: floats arrive as they were saved; a PIL transform is refused with a remedy."""
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    from fastcache import ArenaDataset

    x = [values("float32", seed=k) for k in range(4)]
    paths = [str(save(tmp_path / f"{k}.npy", a)) for k, a in enumerate(x)]
    with ArenaDataset(Files(paths, [0, 1, 2, 3])) as ds:
        image, label = ds[2]
        assert (image.dtype, tuple(image.shape), label) == (torch.float32, (3, 30, 41), 2)
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), x[2])
        (batch, labels) = next(iter(DataLoader(ds, batch_size=4)))
        np.testing.assert_array_equal(batch.permute(0, 2, 3, 1).numpy(), np.stack(x))
        with pytest.raises(ValueError, match="transform_input='tensor'"):
            ds.transform = [repr]
        with pytest.raises(DecodeError, match="numpy.load"):
            ds.loader(paths[0])
    grey = str(save(tmp_path / "grey.npy", values("float32")[:, :, 0]))
    with ArenaDataset(Files([grey], [0]), transform=lambda image: image.mode) as ds:
        assert ds[0] == ("F", 0)
        assert ds.loader(grey).mode == "F"


def test_uint8_beside_images_is_converted_like_an_image(tmp_path):
    """E3: among JPEGs, or with color=, uint8 arrays are images like any other."""
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 41)))
    x = images.pixels(30, 41, 1)
    paths = [tmp_path / "a.jpg", save(tmp_path / "b.npy", x), save(tmp_path / "c.npy", x[:, :, 0])]
    paths.append(save(tmp_path / "d.npy", images.pixels(30, 41, 4)))
    arena = filled(paths)
    assert told(arena)["decoded_in_c"] == {"JPEG": 1} and told(arena)["through_numpy"] == {"NPY": 3}
    for k in (1, 2):
        np.testing.assert_array_equal(row(arena, k), np.repeat(x, 3, axis=2))
    np.testing.assert_array_equal(row(arena, 3), images.pixels(30, 41, 4)[:, :, :3])
    grey = filled(paths[3:], color="L")
    want = Image.fromarray(images.pixels(30, 41, 4)).convert("L")
    np.testing.assert_array_equal(row(grey, 0)[:, :, 0], np.asarray(want))


def test_uint8_of_several_kinds_is_converted_too(tmp_path):
    paths = [save(tmp_path / f"{c}.npy", images.pixels(9, 9, c)) for c in (1, 3)]
    assert filled(paths).column("image").rows.shape == (2, 9, 9, 3)


@pytest.mark.parametrize(
    ("options", "others", "remedy"),
    [
        ({"color": "RGB"}, (), "leave color= out"),
        ({}, ("a.jpg",), "dataset of their own"),
        ({}, ("other.npy",), "1 of float32 x 1, 1 of float32 x 3"),
        ({"color": "I;16"}, (), "leave color= out"),
    ],
    ids=str,
)
def test_other_dtypes_do_not_mix(tmp_path, options, others, remedy):
    """A5: what does not fit is refused by file, with what is there and what to do."""
    path = save(tmp_path / "x.npy", values("float32"))
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 41)))
    save(tmp_path / "other.npy", values("float32", channels=1))
    with pytest.raises(DecodeError) as caught:
        filled([path, *(tmp_path / name for name in others)], **options)
    told_path, why = caught.value.failed[0]
    assert told_path == str(path)
    assert "float32, 3 x 30 x 41" in why and remedy in why


def test_what_does_not_mix_is_skipped_or_zero(tmp_path):
    """A5: the JPEG stays, the float array goes or becomes zeros."""
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 41)))
    paths = [save(tmp_path / "x.npy", values("float32")), tmp_path / "a.jpg"]
    assert filled(paths, on_error="skip").catalog["visible"] == 1
    arena = filled(paths, on_error="fill")
    assert not row(arena, 0).any() and row(arena, 1).any()
    assert len(arena.catalog["report"]["failed"]) == 1


def test_sixteen_bits_are_kept_with_their_colour(tmp_path):
    """E3: color="I;16" takes uint16 arrays beside 16-bit PNGs; they are treated alike."""
    x = values("uint16", channels=1)
    (tmp_path / "a.png").write_bytes(images.encode(Image.fromarray(x[:, :, 0]), "PNG"))
    paths = [tmp_path / "a.png", save(tmp_path / "b.npy", x)]
    blended = [T.Resize((17, 13)), T.LetterBox(64)] * images.pillow_blends_16_bits()
    for store in (None, T.CenterCrop(20), *blended):
        column = filled(paths, color="I;16", store=store).column("image")
        assert column.rows.dtype == np.uint16
        np.testing.assert_array_equal(column.rows[0], column.rows[1])


# ---- masks and folders --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_masks_may_be_arrays(tmp_path, dtype):
    """E3: class indices of .npy files are kept, and resized with the nearest filter only."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    wanted = []
    for k in range(3):
        (tmp_path / "in" / f"{k}.jpg").write_bytes(images.encode(images.photo(40, 50, seed=k)))
        mask = (images.pixels(40, 50, 1, k)[:, :, 0] // 32).astype(dtype)
        save(tmp_path / "out" / f"{k}.npy", mask if k else mask[:, :, None])
        wanted.append(T.Resize((20, 25), "nearest")(Image.fromarray(mask)))
    arena = filled(Pairs(tmp_path / "in", tmp_path / "out"), store=T.Resize((20, 25)))
    rows = arena.column("mask").rows
    assert rows.dtype == dtype
    np.testing.assert_array_equal(rows, np.stack(wanted))


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.ones((9, 9), np.float32), "holds float32; .npy masks are uint8, uint16, int32"),
        (np.ones((9, 9, 3), np.uint8), "neither end may be the channels (1)"),
    ],
    ids=["float", "three-channels"],
)
def test_masks_are_one_index_per_pixel(tmp_path, array, why):
    path = save(tmp_path / "mask.npy", array)
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(9, 9)))
    with pytest.raises(DecodeError, match=re.escape(why)):
        filled(Pairs([str(tmp_path / "a.jpg")], [str(path)]))


def test_arrays_may_be_targets(tmp_path):
    """E3: image-to-image targets keep their own dtype."""
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 41)))
    depth = save(tmp_path / "depth.npy", values("float32", channels=1))
    arena = filled(Pairs([str(tmp_path / "a.jpg")], [str(depth)], "image"))
    assert row(arena, 0).dtype == np.uint8
    np.testing.assert_array_equal(row(arena, 0, "target"), np.load(depth))


def test_class_folders_of_arrays(tmp_path):
    """E3: a folder without image files is one of arrays; beside images they are no samples."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "1.npy", values("float32"))
        save(tmp_path / name / "2.NPY", values("float32"))  # becomes 2.NPY.npy
    source = ClassFolder(tmp_path)
    assert source.labels.tolist() == [0, 0, 1, 1]
    assert filled(source).column("image").rows.dtype == np.float32
    (tmp_path / "a" / "0.jpg").write_bytes(images.encode(images.photo(30, 41)))
    with pytest.raises(SourceNotFoundError, match="1 of 2 classes"):  # as ImageFolder
        ClassFolder(tmp_path)
    (tmp_path / "b" / "0.jpg").write_bytes(images.encode(images.photo(30, 41)))
    assert [Path(path).name for path in ClassFolder(tmp_path).paths] == ["0.jpg", "0.jpg"]
    both = ClassFolder(tmp_path, extensions=(".jpg", ".npy"))
    assert len(both) == 6
