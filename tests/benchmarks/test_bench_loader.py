"""The benchmark of loaders: its rows can fail, and what is not the same work has no value."""

import json

import numpy as np
import pytest
from project import source_root

torch = pytest.importorskip("torch")
BENCHMARKS = source_root() / "benchmarks"


@pytest.fixture
def tasks(bench, tmp_path, photos, monkeypatch):
    monkeypatch.setattr(bench.loader_plan, "save_pixels", lambda paths, target: target)
    plan = bench.loader_plan.Plan(photos, tmp_path, [0, 1], 8192, "ours", "theirs", True)
    return {name: task for make in plan.groups().values() for name, task in make().items()}


def test_every_group_makes_the_workers_that_rows_need(bench, tasks):
    rows = (*bench.loader_rows.ROWS, *bench.loader_rows.CUDA_ROWS)
    assert {name for row in rows for name in row.needs} == set(tasks)
    assert set(bench.loader_rows.OURS) <= set(bench.loader_rows.SHOWN) <= set(tasks)
    assert not set(tasks) & set(bench.rows.SAME_WORK), "these are judged by other numbers"
    for task in tasks.values():
        assert (BENCHMARKS / task.script).is_file()
        assert task.python == ("theirs" if task.script.startswith("peers/") else "ours")
        assert task.settings.threads == 1 or task.settings.cores == [0, 1]
        json.dumps(task.settings.options)


def test_the_rows_are_those_of_the_issue(bench):
    """Targets are not lowered without this test."""
    targets = [(r.target, r.at_least) for r in bench.loader_rows.ROWS if r.target is not None]
    wanted = [(4, True), (1.9, True), (4, True), (5, True), (85, True), (5, True), (2, True)]
    wanted += [(2.2, True), (1.3, True), (150, False), (150, False), (10, True), (1.01, False)]
    assert targets == wanted
    assert [r.target for r in bench.loader_rows.CUDA_ROWS] == [90, 1]


def judged(bench, ours, *theirs):
    """Return the outcome of the first row, after a round of ours and some of FFCV."""
    row = bench.loader_rows.ROWS[0]
    rounds = [[ours], list(theirs)]
    results = {
        name: bench.harness.Measured(rounds=given)
        for name, given in zip(row.needs, rounds, strict=True)
    }
    return bench.rows.judge(row, results)


def one_round(seconds, form="uint8", level=100.0):
    return {"seconds": seconds, "items": 1000, "form": form, "level": level}


def test_the_best_round_of_the_other_counts(bench):
    outcome = judged(bench, one_round(1.0), one_round(6.0), one_round(4.0), one_round(5.0))
    assert outcome.stat.median == pytest.approx(4.0)
    assert outcome.verdict == "met"
    assert judged(bench, one_round(1.0), one_round(3.0)).verdict == "missed by 25.00%"


def test_other_work_has_no_value(bench):
    for other in (one_round(9.0, form="float32"), one_round(9.0, level=103.0)):
        outcome = judged(bench, one_round(1.0), other)
        assert outcome.stat is None
        assert outcome.verdict.startswith("failed: not the same")


def test_levels_of_batches_are_those_of_their_pixels(bench):
    handing = bench.handing
    pixels = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    mean, std = (torch.tensor(n).reshape(1, 3, 1, 1) for n in (handing.MEAN, handing.STD))
    numbers = ((pixels / 255 - mean) / std).contiguous()
    plain, normalised = handing.show([pixels]), handing.show([numbers[:1], numbers[1:]])
    assert plain["level"] == pytest.approx(float(pixels.float().mean()), abs=1e-3)
    assert normalised["level"] == pytest.approx(plain["level"], abs=1e-3)
    assert (plain["form"], normalised["form"]) == ("uint8 (3, 8, 8) NCHW", "float32 (3, 8, 8) NCHW")
    last = pixels.contiguous(memory_format=torch.channels_last)
    assert handing.form_of(last) == "uint8 (3, 8, 8) channels last"


def test_centres_are_compared_to_the_level(bench):
    handing = bench.handing
    random = np.random.default_rng(0)
    photos = [random.integers(0, 255, (256, w, 3), np.uint8) for w in (301, 256)]

    def centres(shift):
        for photo in photos:
            left = (photo.shape[1] - 224) // 2 + shift
            cut = photo[16:240, left : left + 224].transpose(2, 0, 1)[None]
            yield torch.from_numpy(cut.copy())

    handing.check_centres(centres(0), photos)
    with pytest.raises(RuntimeError, match="centre of photograph 0 differs"):
        handing.check_centres(centres(5), photos)
    with pytest.raises(RuntimeError, match="1 centres of 2"):
        handing.check_centres(list(centres(0))[:1], photos)


def test_first_batches_do_not_count(bench):
    batches = [torch.zeros(2)] * 5
    assert bench.handing.steady(batches, skipped=3)["items"] == 4
    with pytest.raises(ValueError, match="more rows"):
        bench.handing.steady(batches, skipped=5)


def test_every_sample_comes_equally_often(bench):
    order = bench.handing.order_of(5, 20)
    assert sorted(order) == sorted([*range(5)] * 4)
    assert len(bench.handing.order_of(5, 7)) == 7


def test_photographs_are_saved_as_an_arena_keeps_them(bench, photos, tmp_path):
    images = bench.handing.read_pixels(bench.loader_sets.save_pixels(photos, tmp_path / "p.npz"))
    assert [min(image.shape[:2]) for image in images] == [256] * len(photos)
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}
    assert images[0].std() > 0


def test_without_a_device_a_worker_says_so(bench, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(bench.serve.NotInstalled, match="a CUDA device that torch sees"):
        bench.cuda_device.cuda_device()
