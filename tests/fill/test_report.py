"""Plans and reports as people read them."""

import os

import images
import pytest
from filling import filled, told

from fastcache import transforms as T
from fastcache.errors import DecodeError
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.report import Report
from fastcache.sources import ClassFolder


def test_a_report_tells_what_failed_and_what_was_chosen(bad_class_folder):
    """A5, B2: path and reason of each failure, and the home in use."""
    report = Report(filled(ClassFolder(bad_class_folder), on_error="skip").catalog["report"])
    text = str(report)
    assert text == repr(report)
    assert len(report.failed) > 10
    assert f"… and {len(report.failed) - 10} more" in text
    for path, reason in report.failed[:10]:
        assert f"{path}: {reason}" in text
    assert report["home"] == "ram" and "ram, not pinned" in text
    column = report["columns"]["image"]
    files = {**column["decoded_in_c"], **column["through_pillow"]}
    assert (files["PNG"], column["misnamed"]) == (3, 1)
    assert f"{bad_class_folder / 'class_1' / 'png-inside.jpg'}: named .jpg, is PNG" in text
    assert dict(report).keys() == set(report)


def test_a_report_without_failures_does_not_speak_of_them(class_folder):
    text = str(Report(filled(ClassFolder(class_folder)).catalog["report"]))
    assert "more in report" not in text
    assert text.count("failed") == 1


def test_a_plan_survives_json_and_prints_the_limit_that_binds(class_folder):
    """A1: the plan names bytes, budget and the limit that binds."""
    arena = filled(
        ClassFolder(class_folder), store=[T.Resize(32), T.CenterCrop(32)], budget="200MB"
    )
    plan = Plan.from_json(arena.catalog["plan"])
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.fits
    assert plan.need_bytes == plan.arena_bytes + plan.scratch_bytes <= 200_000_000
    assert "budget='200MB'" in str(plan)
    assert f"{plan.arena_bytes:,} bytes" in str(plan)


def test_a_store_that_c_cannot_do_is_said(class_folder):
    """B2: what runs in Python is not hidden."""
    arena = filled(ClassFolder(class_folder), store=[T.Resize(30), T.Resize(20)])
    assert told(arena)["decoded_in_c"] == {}
    assert told(arena)["through_pillow"] == {"JPEG": 9, "PNG": 3}
    why = told(arena)["store_in_python"]
    assert "resampled twice" in why
    assert f"store runs in Python: {why}" in str(Report(arena.catalog["report"]))


def test_codec_warnings_are_counted(tmp_path):
    """A5: what the codec merely warns of is not refused, but counted."""
    data = images.encode(images.photo(60, 60))
    at = data.index(b"\xff\xd9", len(data) - 4)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a.jpg").write_bytes(data[:at] + bytes(40) + data[at:])
    arena = filled(ClassFolder(tmp_path))
    assert told(arena)["codec_warnings"] == 1


def test_a_report_prints_paths_that_are_no_text(tmp_path):
    """A file name may hold any bytes; a report of it must go to any stream."""
    folder = os.fsencode(tmp_path) + b"/c"
    os.mkdir(folder)
    for name, data in (
        (b"bad\xff.jpg", b"x"),
        (b"good\xfe.jpg", images.encode(images.photo(9, 9))),
    ):
        with open(folder + b"/" + name, "wb") as file:
            file.write(data)
    with pytest.raises(DecodeError, match=r"bad\\udcff.jpg"):
        filled(ClassFolder(tmp_path))
    text = str(Report(filled(ClassFolder(tmp_path), on_error="skip").catalog["report"]))
    assert r"bad\udcff.jpg" in text
    assert text.encode("utf-8").decode() == text
