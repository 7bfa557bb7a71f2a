"""How much memory may be used: requests, limits of the system, units."""

import os

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcache.errors import ArgumentError, BudgetError
from fastcache.memory.budget import Budget, Reading, check, read_budget, reserve
from fastcache.memory.limits import Limit
from fastcache.memory.units import format_bytes, parse_bytes

GIB = 1 << 30
MACHINE = Limit("available memory", 32 * GIB)
GROUP = Limit("control group /job (memory.max)", 10 * GIB)


@pytest.mark.parametrize(
    ("available", "kept"),
    [(0, 0), (GIB, GIB // 2), (4 * GIB, 2 * GIB), (8 * GIB, 2 * GIB), (100 * GIB, 15 * GIB)],
)
def test_the_reserve(available, kept):
    assert reserve(available) == kept


@pytest.mark.parametrize(
    ("budget", "allowed", "name"),
    [
        (None, 8 * GIB, "control group /job (memory.max), 2.00 GiB kept in reserve"),
        (GIB, GIB, "budget=1073741824"),
        (np.int64(5), 5, "budget=5"),
        (0, 0, "budget=0"),
        ("8GB", 8 * 10**9, "budget='8GB'"),
        (0.5, 5 * GIB, "budget=0.5 of control group /job (memory.max)"),
        (1.0, 10 * GIB, "budget=1.0 of control group /job (memory.max)"),
        (1 << 70, 10 * GIB, GROUP.name),
        ("1PB", 10 * GIB, GROUP.name),
    ],
)
def test_requests(budget, allowed, name):
    reading = read_budget(budget, [MACHINE, GROUP])
    assert reading == Reading(allowed, name, 10 * GIB, reading.parts)
    assert reading.parts[:2] == (MACHINE, GROUP)


@pytest.mark.parametrize(
    "budget", [-1, 0.0, 1.5, -0.5, float("nan"), True, "", "8 apples", "-8GB", b"8GB", [1], 1j]
)
def test_requests_that_mean_nothing(budget):
    with pytest.raises(ArgumentError):
        read_budget(budget, [MACHINE])


@pytest.mark.parametrize(
    "budget",
    [
        10**400,
        pytest.param(10**5000, id="far above"),
        pytest.param(-(10**5000), id="far below"),
        pytest.param("9" * 400 + "GB", id="long"),
        pytest.param("9" * 6000, id="longer"),
        (1 << 80) + 1,
    ],
)
def test_requests_that_are_no_amount_of_memory(budget):
    """A2: said at once, and not where the budget is printed."""
    with pytest.raises(ArgumentError, match="2\\^80") as caught:
        Budget(budget)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("count", [(1 << 80) + 1, 10**400, pytest.param(10**5000, id="far above")])
def test_numbers_that_are_no_amounts_are_printed(count):
    assert format_bytes(count) == f"over 2^{count.bit_length() - 1} bytes"


def test_the_largest_amount_is_printed():
    assert format_bytes(1 << 80) == f"{1 << 30} PiB"
    assert f"<Budget of {1 << 30} PiB" in repr(Budget(1 << 80))


def test_this_machine():
    reading = read_budget()
    assert 0 < reading.bytes < reading.available <= psutil.virtual_memory().total
    assert reading.parts[0].name == "available memory"


def test_check():
    reading = read_budget(None, [MACHINE, GROUP])
    check(8 * GIB, reading)
    with pytest.raises(BudgetError) as error:
        check(9 * GIB, reading)
    assert (error.value.need, error.value.have) == (9 * GIB, 8 * GIB)
    assert error.value.limit == reading.limit
    text = str(error.value)
    for part in ("9.00 GiB", "8.00 GiB", GROUP.name, "store=", "limit=", "budget=", "10.0 GiB"):
        assert part in text
    with pytest.raises(BudgetError) as error:
        check(11 * GIB, reading)
    assert "budget=" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("123", 123),
        ("123B", 123),
        ("1kB", 1000),
        ("8GB", 8 * 10**9),
        (" 8 gb ", 8 * 10**9),
        ("512MiB", 512 << 20),
        ("1.5GiB", 3 << 29),
        (".5 TB", 5 * 10**11),
        ("2PiB", 2 << 50),
        ("0.1GB", 10**8),
    ],
)
def test_parse_bytes(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    "text", ["", "GB", "8G", "8 GB more", "1e9", "-1", "+1", "0x10", "1,5GB", "nan", "٣GB", "1..2"]
)
def test_parse_bytes_refuses(text):
    with pytest.raises(ArgumentError, match="such as '8GB'"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.00 KiB"),
        (9000 * 224 * 224 * 3, "1.26 GiB"),
        (10 * GIB, "10.0 GiB"),
        (100 << 40, "100 TiB"),
        (1 << 50, "1.00 PiB"),
        (1 << 62, "4096 PiB"),
    ],
)
def test_format_bytes(count, text):
    assert format_bytes(count) == text


@given(st.integers(1024, 1 << 61))
def test_formatted_bytes_parse_back_to_half_a_percent(count):
    assert abs(parse_bytes(format_bytes(count)) - count) <= count * 0.005 + 1


def test_page_size_is_what_the_tests_think():
    assert os.sysconf("SC_PAGESIZE") in (4096, 16384, 65536)
