"""How much memory may be used: requests, limits of the system, units."""

import os
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcache.errors import ArgumentError, BudgetError
from fastcache.memory import limits
from fastcache.memory.budget import Reading, check, read_budget, reserve
from fastcache.memory.limits import Limit, cgroup_limits, mem_available, system_limits
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


def test_mem_available():
    text = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:     512 kB\nBuffers: 2 kB\n"
    assert mem_available(text) == 512 * 1024
    assert mem_available("MemTotal: 5 kB\n") is None


class FakeSystem:
    """A folder that looks like the parts of /proc and /sys that are read."""

    def __init__(self, root):
        self.root = root
        self.write("proc/meminfo", "MemAvailable: 1048576 kB\n")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def group(self, folder, usage, stat, **files):
        """Write a group's files; `__` in a name stands for a dot."""
        version = "memory.current" if "memory__max" in files else "memory.usage_in_bytes"
        self.write(f"{folder}/{version}", f"{usage}\n")
        self.write(f"{folder}/memory.stat", stat)
        for name, text in files.items():
            self.write(f"{folder}/{name.replace('__', '.')}", f"{text}\n")

    def limits(self):
        return {limit.name: limit.bytes for limit in cgroup_limits(self.root)}


@pytest.fixture
def system(tmp_path):
    return FakeSystem(tmp_path)


V2_MOUNT = "29 23 0:26 {root} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "36 25 0:31 {root} {point} rw shared:15 - cgroup cgroup rw,memory\n"
OTHER_MOUNTS = (
    "23 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    "37 25 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
)


def test_cgroup_v2_and_all_its_ancestors(system):
    system.write("proc/self/cgroup", "0::/user.slice/job\n")
    mount = V2_MOUNT.format(root="/", point="/sys/fs/cgroup")
    system.write("proc/self/mountinfo", OTHER_MOUNTS + mount)
    cache = "anon 5\nfile 80\ninactive_file 30\nactive_file 50\n"
    system.group("sys/fs/cgroup/user.slice/job", 100, cache, memory__max="max", memory__high="1000")
    system.group("sys/fs/cgroup/user.slice", 500, cache, memory__max="700", memory__high="max")
    assert system.limits() == {
        "control group /user.slice/job (memory.high)": 1000 - (100 - 30),
        "control group /user.slice (memory.max)": 700 - (500 - 30),
    }
    names = [limit.name for limit in system_limits(system.root)]
    assert names[:3] == ["available memory", *system.limits()]


def test_cgroup_v2_inside_a_container(system):
    """The group's own folder is mounted as the root, with or without a namespace."""
    for path, root in [("/", "/"), ("/docker/abc", "/docker/abc"), ("/../../x", "/"), ("/a", "/b")]:
        system.write("proc/self/cgroup", f"0::{path}\n")
        mount = V2_MOUNT.format(root=root, point="/sys/fs/cgroup")
        system.write("proc/self/mountinfo", mount)
        system.group("sys/fs/cgroup", 10, "inactive_file 0\n", memory__max="50")
        assert system.limits() == {"control group / (memory.max)": 40}


def test_cgroup_v1(system):
    system.write("proc/self/cgroup", "4:memory:/a/b\n2:cpu,cpuacct:/c\n1:name=systemd:/d\n0::/e\n")
    mount = V1_MOUNT.format(root="/", point="/sys/fs/cgroup/memory\\040here")
    system.write("proc/self/mountinfo", OTHER_MOUNTS + mount)
    folder = "sys/fs/cgroup/memory here"
    stat = "inactive_file 1\ntotal_inactive_file 7\n"
    for group, limit in [("/a/b", 9223372036854771712), ("/a", 90), ("", 9223372036854771712)]:
        system.group(f"{folder}{group}", 60, stat, memory__limit_in_bytes=limit)
    assert system.limits() == {"control group /a (memory.limit_in_bytes)": 90 - (60 - 7)}


def test_a_group_beyond_its_limit_leaves_nothing(system):
    system.write("proc/self/cgroup", "0::/\n")
    system.write("proc/self/mountinfo", V2_MOUNT.format(root="/", point="/cg"))
    system.group("cg", 100, "inactive_file 0\n", memory__max="50")
    assert list(system.limits().values()) == [0]


def test_systems_without_control_groups(system):
    assert system.limits() == {}
    system.write("proc/self/cgroup", "0::/\n")
    system.write("proc/self/mountinfo", OTHER_MOUNTS)
    assert system.limits() == {}


def test_a_system_without_proc_asks_psutil(tmp_path, monkeypatch):
    answer = SimpleNamespace(available=12345)
    monkeypatch.setattr(limits.psutil, "virtual_memory", lambda: answer)
    assert system_limits(tmp_path) == [Limit("available memory", 12345)]


@pytest.mark.skipif(sys.platform == "win32", reason="no rlimits there")
def test_the_address_space(monkeypatch):
    page = limits.resource.getpagesize()
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _: (50 * page, 60 * page))
    assert limits.address_space_limit("20 5 3 1 0 9 0\n")[0].bytes == 30 * page
    assert limits.address_space_limit("70 5 3 1 0 9 0\n")[0].bytes == 0
    assert limits.address_space_limit(None) == []
    unlimited = (limits.resource.RLIM_INFINITY,) * 2
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _: unlimited)
    assert limits.address_space_limit("20 5 3 1 0 9 0\n") == []


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
