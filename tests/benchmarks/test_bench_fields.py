"""B4: the benchmark of images of series: its rows can fail, its workers compare what they say."""

import importlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from project import source_root

from fastcache.gaf import GramianAngularField

BENCHMARKS = source_root() / "benchmarks"


def measured(bench, *rounds):
    return bench.harness.Measured(rounds=list(rounds))


def judged(bench, needs, **results):
    """Return the outcomes of the rows that need exactly these workers."""
    found = [row for row in bench.gaf_rows.ROWS if row.needs == needs]
    assert found
    return [bench.rows.judge(row, results) for row in found]


# ---- rows


def test_every_group_makes_the_workers_that_rows_need(bench, tmp_path):
    """B4: and no row asks for a worker that is never run; scripts exist."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.gaf_plan, "walks", lambda *shape, dtype="float64": np.zeros(1))
        plan = bench.gaf_plan.Plan(tmp_path, [0, 1], "ours", "theirs")
        tasks = {}
        for make in plan.groups().values():
            made = make()
            assert not set(made) & set(tasks)
            tasks |= made
    assert {name for row in bench.gaf_rows.ROWS for name in row.needs} == set(tasks)
    for task in tasks.values():
        assert (BENCHMARKS / task.script).is_file()
        assert task.python == ("theirs" if task.script.startswith("peers/") else "ours")
        assert task.settings.cores == ([1] if task.settings.threads == 1 else [0, 1])
        json.dumps(task.settings.options)
    assert set(bench.gaf_rows.SHOWN) <= set(tasks)


def test_the_rows_are_those_of_the_issue(bench):
    """B4: targets are not lowered without this test."""
    targets = [(row.target, row.at_least) for row in bench.gaf_rows.ROWS if row.target is not None]
    assert targets.count((92, True)) == 6
    for one in [(25, True), (13, True), (2.5, True), (1.05, False), (8, True), (1.01, False)]:
        assert one in targets
    for one in [(1, False), (90, True), (10, True), (0.97, True)]:
        assert one in targets


def test_the_limit_of_a_size_is_held_against_its_own_round(bench):
    rounds = [{"seconds": 1.0, "limit_seconds": 0.9}, {"seconds": 2.0, "limit_seconds": 1.9}]
    (outcome,) = judged(bench, ("limit 96",), **{"limit 96": measured(bench, *rounds)})
    assert (outcome.stat.low, outcome.stat.high) == pytest.approx((90, 95))
    assert outcome.verdict == "met"
    slow = [{"seconds": 1.0, "limit_seconds": 0.46}]
    (outcome,) = judged(bench, ("limit 96",), **{"limit 96": measured(bench, *slow)})
    assert outcome.verdict == "missed by 50.00%"


def test_a_forced_store_that_is_faster_fails_the_row(bench):
    def round_of(auto, cached, streaming):
        return {"writing": {"auto": auto, "cached": cached, "streaming": streaming}}

    for one, verdict in [
        (round_of(1.0, 1.0, 3.0), "met"),
        (round_of(1.0, 1.2, 0.98), "met"),
        (round_of(2.0, 2.0, 1.94 / 2), "missed by 50.00%"),
        (round_of(2.0, 1.94 / 2, 2.0), "missed by 50.00%"),
    ]:
        one["reading"] = one["writing"]
        outcomes = judged(bench, ("stores 32",), **{"stores 32": measured(bench, one)})
        assert [o.verdict for o in outcomes] == [verdict, "for information"]


def test_types_threads_and_both_fields_compare_what_they_say(bench):
    types = {"by": dict.fromkeys(("float32", "uint16", "float16", "float64"), 1.0)}
    types["by"]["uint8"] = 0.25
    byte, *others = judged(bench, ("types 128",), **{"types 128": measured(bench, types)})
    assert (byte.stat.median, byte.verdict) == (4, "met")
    assert [other.stat.median for other in others] == [1, 1, 1]

    both = measured(bench, {"seconds": 1.1, "singles": 1.0})
    assert judged(bench, ("both",), both=both)[0].verdict == "missed by 4.76%"

    threads = {"seconds": 0.5, "one": 1.0, "limit_one": 0.8, "limit_two": 0.4, "bytes": 8e8}
    values = [o.stat.median for o in judged(bench, ("threads",), threads=measured(bench, threads))]
    assert values == pytest.approx([1, 2, 2, 2, 80])


def test_memory_beyond_input_and_output_fails_the_row(bench):
    """B1: 1% and no more."""
    for growth, verdict in [(1009, "met"), (1111, "missed by 10.00%")]:
        one = {"seconds": 1.0, "growth": growth, "input": 100, "output": 900, "peak": 1e9}
        outcomes = judged(
            bench, ("command: fastcache",), **{"command: fastcache": measured(bench, one)}
        )
        assert outcomes[0].verdict == verdict
        assert [o.verdict for o in outcomes[1:]] == ["for information"] * 2


def test_rows_for_information_have_no_target_anywhere(bench, tmp_path):
    row = bench.rows.Row("a", None, True, "GB/s", ("w",), lambda one: one.rates)
    with_target = bench.rows.Row("b", 2.0, True, "x", ("w",), lambda one: one.rates)
    result = measured(bench, {"seconds": 1.0, "items": 3, "peak_rss": 0})
    outcomes = [bench.rows.judge(one, {"w": result}) for one in (row, with_target)]
    text = bench.show.render(outcomes, {"w": result}, {}, [], markdown=False)
    assert "3.0 GB/s" in text and "for information" in text
    assert outcomes[0].facts()["target"] is None
    pytest.importorskip("matplotlib")
    bench.show.plot(outcomes, {"w": result}, ["w"], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


# ---- workers


def test_actions_take_turns_and_the_median_counts(bench):
    calls = []

    def action(name, seconds):
        values = iter(seconds)

        def one() -> float:
            calls.append(name)
            return next(values)

        return one

    taken = bench.serve.take_turns(
        {"a": action("a", [1, 9, 2]), "b": action("b", [5, 4, 6])}, passes=3
    )
    assert taken == {"a": 2, "b": 5}
    assert calls == ["a", "b", "b", "a", "b", "a"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", ["summation", "both"])
def test_other_images_than_the_rivals_are_found(bench, tmp_path, channels, method):
    """B4: what is compared is the same work, whatever the order of planes."""
    shape = (5, 16) if channels == 1 else (5, channels, 16)
    series = bench.gaf_inputs.walks(*shape)
    rows = series.reshape(-1, 16)[:7]
    kinds = ("summation", "difference")[: 2 if method == "both" else 1]
    images = [GramianAngularField(method=kind, dtype="float64").transform(rows) for kind in kinds]
    expected, transform = tmp_path / "images.npy", GramianAngularField(method=method)
    np.save(expected, np.stack(images, axis=1))
    assert 0 < bench.field_images.difference_to(expected, transform, series) < 5e-7

    images[-1][4, 3, 2] += 0.25
    np.save(expected, np.stack(images, axis=1))
    assert bench.field_images.difference_to(expected, transform, series) == pytest.approx(
        0.25 / max(1, np.abs(images).max()), rel=1e-5
    )
    settings = bench.serve.Settings(
        [], [], 1, options={"expected": str(expected), "tolerance": 0.1}
    )
    with pytest.raises(ValueError, match="other images"):
        bench.field_images.check(settings, transform, series)
    expected.unlink()
    assert bench.field_images.check(settings, transform, series) is None


def test_images_of_a_series_stand_together(bench):
    images = np.arange(2 * 6).reshape(2, 6, 1, 1)  # 3 channels: summation fields, then difference
    apart = bench.field_images.images_by_series(images, 3)
    assert apart.reshape(6, 2).tolist() == [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8, 11]]


def test_series_are_the_same_each_time_and_fill_what_is_asked(bench):
    first, again = (bench.gaf_inputs.walks(3, 50) for _ in range(2))
    assert np.array_equal(first, again)
    assert len({row.tobytes() for row in first}) == 3
    assert bench.gaf_inputs.count_for(128, "uint8", megabytes=1) == 64
    assert bench.gaf_inputs.count_for(128, megabytes=1) == 16


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("start", [0, 1, 63])
def test_the_limit_writes_every_whole_line(bench, threads, start):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    try:
        limit = bench.fill_limit.FillLimit(threads)
    except bench.serve.NotInstalled as error:
        pytest.skip(str(error))
    memory = np.zeros(64 * 40, np.uint8)
    part = memory[-memory.ctypes.data % 64 :][start : start + 64 * 30]
    for width in limit.widths:
        memory[:] = 0
        limit.write(part, width)
        lines = (-part.ctypes.data % 64, 64 * ((64 * 30 + start) // 64) - start)
        written = part[lines[0] : lines[1]].view(np.uint32)
        # Where threads meet, a line may be left to neither: at most one each.
        assert (written != 0x3F000000).sum() <= 16 * (threads - 1)
        assert not memory[: part.ctypes.data - memory.ctypes.data].any()
    assert bench.fill_limit.best({"limit 32": 2.0, "limit 64": 1.0, "ours": 0.5}) == 1.0


# ---- whole commands


@pytest.mark.parametrize("script", ["ours/gaf_whole.py", "ours/memory_whole.py"])
def test_the_whole_command_says_what_it_took(bench, tmp_path, script):
    """B4, B1: time and memory of a process of its own, input and output counted."""
    np.save(tmp_path / "series.npy", bench.gaf_inputs.walks(300, 4, 96))
    one = bench.gaf_memory.run_whole(sys.executable, script, str(tmp_path / "series.npy"), "1")
    assert one["input"] == 300 * 4 * 96 * 8
    assert one["output"] == 300 * 4 * 2 * 96 * 96 * 4
    assert one["growth"] >= one["output"] * 0.99
    assert one["peak"] >= one["baseline"] + one["output"] * 0.99
    assert 0 < one["work_seconds"] < one["seconds"]
    assert bench.gaf_memory.excess(one) == pytest.approx(
        one["growth"] / (one["input"] + one["output"])
    )


def test_memory_is_taken_before_and_let_go(bench):
    size = 64 << 20
    _, growth, _ = bench.resident.peak_growth(lambda: bench.resident.wake(size))
    assert growth >= size * 0.99


def test_a_command_that_fails_says_why(bench, tmp_path):
    with pytest.raises(RuntimeError, match=r"ours/gaf_whole\.py ended with code 1: .*missing\.npy"):
        bench.gaf_memory.run_whole(
            sys.executable, "ours/gaf_whole.py", str(tmp_path / "missing.npy"), "1"
        )


def test_the_command_prints_both_and_fails_without_the_rival(bench):
    """B4: one command, ours and pyts's side by side; without pyts ours all the same."""
    quick = {"NUMBA_DISABLE_JIT": "1"}  # pyts compiles for twenty seconds, and has 40 series here
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "gaf_memory.py"), "--samples", "20", "--channels", "2"],
        env={**os.environ, **quick, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].startswith("20 x 2 x 96, both fields")
    assert any(line.startswith("fastcache ") for line in lines)
    assert any(line.startswith("pyts ") for line in lines)
    assert any(line.startswith("memory alone ") for line in lines)
    pyts_is_here = importlib.util.find_spec("pyts") is not None
    assert done.returncode == (0 if pyts_is_here else 1)


# ---- every worker, small


@pytest.mark.parametrize(
    ("script", "options", "keys"),
    [
        ("field_limit", {"size": 64, "dtype": "float32"}, {"limit_seconds"}),
        ("field_types", {"size": 64}, {"by"}),
        ("field_both", {"size": 64}, {"singles"}),
        ("field_stores", {"size": 32, "batch": 8}, {"writing", "reading", "chosen"}),
        ("field_threads", {"size": 64}, {"one", "limit_one", "limit_two", "bytes"}),
        ("field_windows", {"window": 24, "batch": 64, "method": "both"}, {"kernel"}),
        ("field_open", {"window": 24}, {"growth", "series"}),
    ],
)
def test_workers_answer_with_what_their_rows_read(bench, tmp_path, script, options, keys):
    """B4: what the core's names are may change; that a worker still runs is seen here."""
    if "window" in options:
        pytest.importorskip("torch")
    path = tmp_path / "series.npy"
    np.save(path, bench.gaf_inputs.walks(5000, dtype="float32"))
    settings = bench.serve.Settings([str(path)], [0], 1, 256, options=options)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS / "ours"))
        worker = importlib.import_module(script)
        for name, value in [("PASSES", 1), ("PASSES_BYTES", 1), ("MEGABYTES", 1)]:
            if hasattr(worker, name):
                patch.setattr(worker, name, value)
        if hasattr(worker, "count_for"):
            patch.setattr(worker, "count_for", lambda *_, **__: 4)
        try:
            one = worker.prepare(settings)()
        except bench.serve.NotInstalled as error:
            pytest.skip(str(error))
    assert keys | {"seconds", "items"} <= set(one)
    assert one["seconds"] > 0 and one["items"] > 0
    json.dumps(one)
