"""Choices of ``store=`` side by side, and what a plan that does not fit says."""

import io
import json
import re

import images
import numpy as np
import pytest
from filling import filled, write
from hosts import GIB, Host

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import BudgetError
from fastcache.fill.estimate.plans import Plans
from fastcache.memory.limits import system_limits
from fastcache.sources import Arrays, ClassFolder, Files

SIZES = {"640": T.LetterBox(640), "320": T.LetterBox(320)}


@pytest.fixture
def many(tmp_path):
    """A source of 37,000 images of 640 x 640, all of them one file."""
    (path,) = write(tmp_path, {"a.jpg": images.encode(images.photo(640, 640, "L"), quality=30)})
    return Files([str(path)] * 37_000, list(range(37_000)))


@pytest.fixture
def host_of_32_gb(tmp_path, monkeypatch):
    """A machine of 32 GB of which the system and the user's programs have 3."""
    host = Host(tmp_path / "host")
    host.meminfo(29 * GIB, total=32 * GIB)
    found = system_limits(host.root)
    monkeypatch.setattr("fastcache.memory.reading.system_limits", lambda: found)


def test_37_000_images_on_32_gb(many, host_of_32_gb):
    """D1: 640 px does not fit decoded, 320 px does, and the plan shows both."""
    plans = fc.plan_for(many, store=SIZES)
    large, small = plans["640"], plans["320"]
    assert large.columns[0].bytes == 37_000 * 640 * 640 * 3
    assert small.columns[0].bytes == 37_000 * 320 * 320 * 3
    assert not large.decoded_fits and large.encoded_fits
    # "auto" does something good: as many decoded as there is room for, the others' files in memory.
    assert large.fits and large.need_bytes <= large.have_bytes
    assert large.kept["decoded"] > 15_000 and large.kept["absent"] == 0
    assert not fc.plan_for(many, store=SIZES, keep="decoded")["640"].fits
    assert small.fits and small.decoded_fits
    assert large.limit == "available memory, 4.35 GiB kept in reserve"
    assert large.have_bytes == 29 * GIB - int(29 * GIB * 0.15)
    assert large.remedies[0].startswith("store=T.LetterBox(480) needs 23.")
    text = str(plans)
    for part in ("37,000 samples", "42.3 GiB, does not fit", "10.6 GiB, fits", "(-75%)"):
        assert part in text


def test_640_to_320_is_exactly_a_quarter(class_folder):
    """D4: sizes are compared in one table."""
    plans = fc.plan_for(class_folder, store=SIZES)
    assert plans.change("320", "image") == -0.75
    assert plans.change("320", "label") == plans.change("640", "image") == 0
    assert plans["320"].columns[0].bytes * 4 == plans["640"].columns[0].bytes
    header, first = str(plans).splitlines()[1:3]
    assert header.split() == ["640", "320"]
    assert first.split()[:2] == ["column", "image"] and first.endswith("(-75%)")


def test_plans_are_a_mapping_and_survive_json(class_folder):
    plans = fc.plan_for(class_folder, store=SIZES, budget="20MB")
    assert list(plans) == ["640", "320"] and len(plans) == 2
    assert isinstance(plans, Plans)
    again = Plans.from_json(json.loads(json.dumps(plans.to_json())))
    assert again == plans and str(again) == str(plans)
    assert plans != {"640": 1}


def test_lines_of_the_table_are_aligned(class_folder):
    plans = fc.plan_for(class_folder, store={"a": None, "much longer name": T.Resize(8)})
    lines = str(plans).splitlines()[1:]
    at = lines[0].index("much longer name")
    table = lines[: next(k for k, line in enumerate(lines) if line.startswith("budget"))]
    assert all(line[at - 2 : at] == "  " and line[at] != " " for line in table)


def suggested(plan):
    """Return the store= that a plan proposes, and the bytes it names."""
    match = re.fullmatch(r"store=(.*) needs ([\d.]+ \w+)", plan.remedies[0])
    return eval(match[1], {"T": T}), match[2]


@pytest.mark.parametrize(
    "store",
    [
        None,
        T.Resize(300),
        T.Resize((200, 300)),
        T.Resize(size=100, max_size=200, interpolation="bicubic"),
        [T.Resize(256), T.CenterCrop(224)],
        T.LetterBox((300, 400), fill=7),
    ],
)
def test_what_a_plan_proposes_fits(tmp_path, store):
    """A2: need, have, and what to change; the change is enough."""
    class_folder = tmp_path / "photos"
    for k in range(4):
        file = {f"{k}.jpg": images.encode(images.photo(400, 500 + k))}
        write(class_folder / "c", file)
    need = fc.plan_for(class_folder, store=store, threads=1)
    budget = need.scratch_bytes + need.arena_bytes // 2
    options = {"keep": "decoded", "budget": budget, "threads": 1}
    plan = fc.plan_for(class_folder, store=store, **options)
    assert not plan.fits and "does not fit" in str(plan)
    better, _ = suggested(plan)
    assert fc.plan_for(class_folder, store=better, **options).fits
    assert any(remedy.startswith("allow more with budget=") for remedy in plan.remedies)
    assert any(remedy.startswith('keep="encoded" needs') for remedy in plan.remedies)
    (limit,) = (int(m[1]) for r in plan.remedies if (m := re.match(r"limit=(\d+)", r)))
    assert 0 < limit < plan.samples
    with pytest.raises(BudgetError) as caught:
        filled(ClassFolder(class_folder), store=store, **options)
    for remedy in plan.remedies:  # up to what the system leaves, which changes meanwhile
        assert remedy.partition(" (up to")[0] in str(caught.value)


def test_a_proposal_counts_the_scratch_of_resampling(tmp_path):
    """A2: just enough for smaller pixels is not enough: making them takes memory, too."""
    write(tmp_path / "c", {"a.jpg": images.encode(images.photo(300, 4000))})
    whole = fc.plan_for(tmp_path, threads=1, keep="decoded", measure=False).need_bytes
    proposed = 0
    for budget in range(whole // 8, whole, whole // 60):
        plan = fc.plan_for(tmp_path, budget=budget, threads=1, keep="decoded", measure=False)
        if not plan.fits and "T." in plan.remedies[0]:
            better = fc.plan_for(
                tmp_path, store=suggested(plan)[0], budget=budget, threads=1, keep="decoded"
            )
            assert better.fits
            proposed += 1
    assert proposed > 5


def test_what_cannot_be_helped_is_said_in_general(class_folder):
    """A2: a budget of nothing leaves only general advice."""
    plan = fc.plan_for(class_folder, budget=0)
    told = "\n".join(plan.remedies)
    for part in ("store=", "limit=", "threads=", "which does not fit either", "budget="):
        assert part in told
    plan = fc.plan_for(Arrays(np.zeros((100, 1000))), budget=100_000)
    assert not any("encoded" in remedy for remedy in plan.remedies)
    assert fc.plan_for(class_folder).remedies == ()


def test_rich_shows_the_same(class_folder):
    console = pytest.importorskip("rich.console")
    plans = fc.plan_for(class_folder, store={"[red]": T.LetterBox(64), "b": T.Resize(32)}, budget=1)
    for shown in (plans, plans["b"]):
        out = io.StringIO()
        console.Console(file=out, width=200).print(shown)
        text = out.getvalue()
        for line in str(shown).splitlines()[1:]:
            for cell in re.split(r"\s{2,}", line.strip()):
                assert cell in text or cell.split("(")[0].strip() in text
