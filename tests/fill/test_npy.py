"""Images in .npy files: kept, converted, placed, or refused with a remedy; never unpickled."""

import io
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import images
import numpy as np
import pytest
from PIL import Image

from fastcache import Limits
from fastcache import transforms as T
from fastcache.errors import DecodeError, SourceNotFoundError
from fastcache.fill.build import fill_arena
from fastcache.fill.options import FillOptions
from fastcache.read.dataset import ArenaDataset
from fastcache.sources import ClassFolder, Files, Pairs

DTYPES = ["uint8", "uint16", "float16", "float32", "float64"]


def filled(paths, **options):
    return fill_arena(Files([str(path) for path in paths]), FillOptions(**options))


def row(arena, index, name="image"):
    column = arena.column(name)
    return column.rows[index] if hasattr(column, "rows") else column[index]


def told(arena):
    return arena.catalog["report"]["columns"]["image"]


def values(dtype: str, height=30, width=41, channels=3, seed=0):
    """Return an array (H, W, C) that uses its dtype's range."""
    pixels = images.pixels(height, width, channels, seed)
    return (pixels * {"uint8": 1.0, "uint16": 257.0}.get(dtype, 1 / 255)).astype(dtype)


def save(path: Path, array) -> Path:
    np.save(path, array)
    return path


def reason(path, **options) -> str:
    with pytest.raises(DecodeError) as caught:
        filled([path], **options)
    return caught.value.failed[0][1]


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
    assert told(arena)["through NumPy"] == {"NPY": 5}


def test_samples_and_batches_are_tensors_of_that_dtype(tmp_path):
    """E3: floats arrive as they were saved; a PIL transform is refused with a remedy."""
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader

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
    assert told(arena)["decoded in C"] == {"JPEG": 1} and told(arena)["through NumPy"] == {"NPY": 3}
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


# ---- store --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("store", [T.CenterCrop(20), T.CenterCrop(50), T.CenterCrop((8, 60))])
def test_cuts_and_padding_are_exact(tmp_path, dtype, store):
    """F8: windows move elements, they do not touch them."""
    x = values(dtype)
    x[3, 5] = np.finfo(dtype).max if "float" in dtype else np.iinfo(dtype).max
    got = row(filled([save(tmp_path / "a.npy", x)], store=store), 0)
    for c in range(3):
        numbers = Image.fromarray(np.arange(1, 30 * 41 + 1, dtype=np.int32).reshape(30, 41))
        where = np.asarray(store(numbers))
        flat = np.concatenate([[0], x[:, :, c].ravel()])
        np.testing.assert_array_equal(got[:, :, c], flat[where])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_resampling_is_torchs_within_rounding(tmp_path, dtype, interpolation):
    """F8: per channel, antialiased, as torchvision's Resize does to a tensor of the same numbers.

    Its work is torch's interpolate, which is asked here in float64.
    """
    torch = pytest.importorskip("torch")
    if dtype == "uint16" and not images.pillow_blends_16_bits():
        pytest.skip("needs a newer Pillow")
    x = values(dtype, 90, 70, 4)
    if "uint" in dtype:  # Pillow cuts off overshoot after each of two passes
        x = x // 2 + np.iinfo(dtype).max // 4
    got = row(filled([save(tmp_path / "a.npy", x)], store=T.Resize(33, interpolation)), 0)
    assert (got.dtype, got.shape) == (dtype, (42, 33, 4))
    exact = interpolation == "nearest"
    want = torch.nn.functional.interpolate(
        torch.from_numpy(x.astype(np.float64)).permute(2, 0, 1)[None],
        (42, 33),
        mode="nearest-exact" if exact else interpolation,
        antialias=not exact,
    )[0]
    want = want.permute(1, 2, 0).numpy()
    tolerance = {"uint8": 1.51, "uint16": 1.51, "float16": 2e-3}.get(dtype, 2e-6)
    if exact and dtype != "float64":
        tolerance = 0
    assert np.abs(got.astype(np.float64) - want).max() <= tolerance


def test_several_operations_and_sizes(tmp_path):
    """F8: geometry that the core has, and chains that it has not, mean the same to arrays."""
    for k, (h, w) in enumerate([(60, 80), (80, 60), (50, 50)]):
        save(tmp_path / f"{k}.npy", values("float32", h, w, 1, seed=k))
    paths = sorted(tmp_path.iterdir())
    for store in ([T.Resize(40), T.CenterCrop(36)], [T.Resize(40), T.Resize(20)], T.LetterBox(64)):
        arena = filled(paths, store=store)
        for k, path in enumerate(paths):
            image = Image.fromarray(np.load(path)[:, :, 0])
            want = np.asarray(T.apply_store(T.normalize_store(store), image))
            np.testing.assert_allclose(row(arena, k)[:, :, 0], want, atol=1e-6)


def test_float64_beyond_float32_is_not_resampled(tmp_path):
    path = save(tmp_path / "a.npy", np.full((20, 20), 1e300))
    assert "range of float32" in reason(path, store=T.Resize(10))
    assert row(filled([path], store=T.CenterCrop(9)), 0).max() == 1e300


PEAK = """
    import re, sys
    from pathlib import Path
    from fastcache import transforms as T
    from fastcache.fill.build import fill_arena
    from fastcache.fill.options import FillOptions
    from fastcache.sources import Files

    def status(name):
        text = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(name + r":\\s+(\\d+)", text)[1])

    small, large, cut = sys.argv[1:]
    fill_arena(Files([small]), FillOptions(threads=1, store=T.Resize(5)))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
    before = status("VmRSS")
    operations = [T.Resize(1500), T.CenterCrop(int(cut))]
    arena = fill_arena(Files([large]), FillOptions(threads=1, store=operations))
    plan = arena.catalog["plan"]
    print(status("VmHWM") - before, plan["arena_bytes"] + plan["scratch_bytes"])
"""


@pytest.mark.parametrize(("dtype", "cut"), [("float64", 64), (">f8", 1400), ("uint8", 1600)])
def test_the_plan_bounds_what_arrays_take(tmp_path, dtype, cut):
    """A2: the scratch that is planned for a .npy file is not exceeded."""
    small = save(tmp_path / "small.npy", np.ones((20, 20, 3), dtype))
    large = save(tmp_path / "large.npy", np.ones((1700, 1800, 3), dtype))
    command = [sys.executable, "-c", textwrap.dedent(PEAK), str(small), str(large), str(cut)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, planned = map(int, done.stdout.split())
    assert 1 << 24 < grown <= planned


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
    arena = fill_arena(
        Pairs(tmp_path / "in", tmp_path / "out"), FillOptions(store=T.Resize((20, 25)))
    )
    rows = arena.column("mask").rows
    assert rows.dtype == dtype
    np.testing.assert_array_equal(rows, np.stack(wanted))


@pytest.mark.parametrize("array", [np.ones((9, 9), np.float32), np.ones((9, 9, 3), np.uint8)])
def test_masks_are_one_index_per_pixel(tmp_path, array):
    path = save(tmp_path / "mask.npy", array)
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(9, 9)))
    with pytest.raises(DecodeError):
        fill_arena(Pairs([str(tmp_path / "a.jpg")], [str(path)]), FillOptions())


def test_arrays_may_be_targets(tmp_path):
    """E3: image-to-image targets keep their own dtype."""
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 41)))
    depth = save(tmp_path / "depth.npy", values("float32", channels=1))
    arena = fill_arena(Pairs([str(tmp_path / "a.jpg")], [str(depth)], "image"), FillOptions())
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
    assert fill_arena(source, FillOptions()).column("image").rows.dtype == np.float32
    (tmp_path / "a" / "0.jpg").write_bytes(images.encode(images.photo(30, 41)))
    with pytest.raises(SourceNotFoundError, match="1 of 2 classes"):  # as ImageFolder
        ClassFolder(tmp_path)
    (tmp_path / "b" / "0.jpg").write_bytes(images.encode(images.photo(30, 41)))
    assert [Path(path).name for path in ClassFolder(tmp_path).paths] == ["0.jpg", "0.jpg"]
    both = ClassFolder(tmp_path, extensions=(".jpg", ".npy"))
    assert len(both) == 6


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int16", "int32", "int64", "uint64", "complex64", "U3", "M8[s]"]
)
def test_other_dtypes_are_refused_by_name(tmp_path, dtype):
    """A5: with the dtypes that would do."""
    path = save(tmp_path / "a.npy", np.zeros((9, 9), dtype))
    assert np.dtype(dtype).name in reason(path)
    assert "astype" in reason(path)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((3, 20, 3), "both ends"),
        ((1, 20, 4), "both ends"),
        ((20, 20, 2), "neither end"),
        ((20, 3, 20), "neither end"),
        ((20,), "1 axes"),
        ((), "0 axes"),
        ((1, 20, 20, 3), "4 axes"),
        ((0, 20), "at least 1"),
        ((20, 0, 3), "at least 1"),
    ],
)
def test_unclear_shapes_are_refused(tmp_path, shape, why):
    """A5: no guess is made about axes."""
    told = reason(save(tmp_path / "a.npy", np.zeros(shape, np.float32)))
    assert why in told
    assert ("layout=" in told) == (why == "both ends")


class Bomb:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def test_pickles_are_never_loaded(tmp_path, monkeypatch):
    """A5: an array of objects is refused by its header."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.npy"
    np.save(path, np.array([[Bomb()]], object), allow_pickle=True)
    assert "never loaded" in reason(path)
    assert not Path("unpickled").exists()


def with_header(text: bytes, version: int = 1, length: int | None = None) -> bytes:
    count = len(text) if length is None else length
    packed = struct.pack("<H" if version == 1 else "<I", count)
    return b"\x93NUMPY" + bytes([version, 0]) + packed + text


def header(descr="'<f4'", fortran="False", shape="(9, 9)") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()


HOSTILE = {
    "magic-alone": b"\x93NUMPY",
    "no-length": b"\x93NUMPY\x01\x00\x10",
    "short-header": with_header(b"{'descr'", length=100),
    "huge-header": with_header(b" " * 100, version=2, length=0xFFFFFFFF),
    "long-header": with_header(header() + b" " * 5000, version=2),
    "version-9": b"\x93NUMPY\x09\x00" + bytes(100),
    "no-dict": with_header(b"[1, 2]\n"),
    "code": with_header(b"__import__('os').abort()\n"),
    "minus-chain": with_header(b"-" * 4000 + b"1\n"),
    "brackets": with_header(b"(" * 4000 + b"\n"),
    "open-string": with_header(b"{'descr': '<f4\n"),
    "not-utf8": with_header(b"\xff\xfe" * 20),
    "bad-descr": with_header(header(descr="'<f3'")),
    "struct": with_header(header(descr="[('a', '<f4')]")),
    "negative": with_header(header(shape="(-9, 9)") + bytes(400)),
    "float-shape": with_header(header(shape="(9.0, 9)") + bytes(400)),
    "endless": with_header(header(shape="(2000000000, 2000000000)") + bytes(400)),
    "overflow": with_header(header(shape=f"({1 << 62}, {1 << 62}, 4)") + bytes(400)),
    "no-data": with_header(header()),
    "truncated": with_header(header()) + bytes(9 * 9 * 4 - 1),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_damaged_files_are_refused_with_a_reason(tmp_path, kind):
    """A5: nothing is believed, allocated or run; the other files are not harmed."""
    path, good = tmp_path / "a.npy", save(tmp_path / "b.npy", values("float32"))
    path.write_bytes(HOSTILE[kind])
    arena = filled([path, good], on_error="skip", limits=Limits(pixels=2**63 - 1))
    ((told_path, why),) = arena.catalog["report"]["failed"]
    assert told_path == str(path) and len(why) < 300
    assert arena.catalog["visible"] == 1


def test_bytes_behind_the_array_are_passed_over(tmp_path):
    """NumPy reads the first array of such files, too."""
    buffer = io.BytesIO()
    np.save(buffer, values("float32"))
    np.save(buffer, values("uint8"))
    (tmp_path / "a.npy").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(row(filled([tmp_path / "a.npy"]), 0), values("float32"))


def test_a_file_that_changes_after_the_probe_is_refused(tmp_path, monkeypatch):
    """A5: the header is read again when the array is, and must say the same."""
    from fastcache.fill import build

    path = save(tmp_path / "a.npy", values("float32"))
    allocate = build.Arena.allocate

    changes = {
        "changed": lambda: save(path, values("float32", 41, 30)),
        "not a regular file": lambda: (path.unlink(), os.mkfifo(path)),  # nobody waits for it
    }
    for told_, change in changes.items():

        def swap(*args, **kwargs):
            change()  # noqa: B023 - called within this round
            return allocate(*args, **kwargs)

        monkeypatch.setattr(build.Arena, "allocate", swap)
        with pytest.raises(DecodeError, match=told_):
            filled([path])
