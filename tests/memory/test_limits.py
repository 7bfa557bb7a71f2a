"""What the system leaves, on hosts of all kinds: exact bytes, and the limit that binds."""

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import odd_hosts
import pytest
from hosts import GIB, HOSTS, Host, v1_mount, v2_mount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcache.errors import BlockError
from fastcache.memory import limits
from fastcache.memory.budget import read_budget
from fastcache.memory.limits import Limit, disk_limit, room_for_files, system_limits
from fastcache.memory.system import SystemFiles

assert odd_hosts  # registers its hosts


@pytest.fixture(autouse=True)
def _psutil(monkeypatch):
    """What a host without MemAvailable is told by psutil."""
    answer = SimpleNamespace(available=7 * GIB)
    monkeypatch.setattr(limits.psutil, "virtual_memory", lambda: answer)


def test_there_are_hosts_enough():
    assert len(HOSTS) >= 20


@pytest.mark.parametrize("name", HOSTS)
def test_a_host(tmp_path, name):
    """A1: the limit that really binds is found and named; none that is mangled hides it."""
    build, expected = HOSTS[name]
    build(Host(tmp_path))
    found = system_limits(tmp_path)
    reading = read_budget(1 << 62, found)
    assert (reading.bytes, reading.limit) == (expected.bytes, expected.limit)
    assert reading.unread == found.unread == expected.unread
    assert reading.available == expected.bytes


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_host_leaves_without_a_request(tmp_path, name):
    build, expected = HOSTS[name]
    build(Host(tmp_path))
    reading = read_budget(None, system_limits(tmp_path))
    kept = min(expected.bytes // 2, max(2 * GIB, int(expected.bytes * 0.15)))
    assert reading.bytes == expected.bytes - kept
    assert reading.limit.startswith(expected.limit)


def test_every_ancestor_is_listed_nearest_first(tmp_path):
    host = Host(tmp_path)
    host.place("0::/a/b\n", v2_mount())
    host.v2("sys/fs/cgroup/a/b", 100, cache=30, max="max", high=1000)
    host.v2("sys/fs/cgroup/a", 500, cache=30, max=700)
    assert system_limits(tmp_path).limits == (
        Limit("available memory", 16 * GIB),
        Limit("control group /a/b (memory.high)", 1000 - (100 - 30)),
        Limit("control group /a (memory.max)", 700 - (500 - 30)),
    )


def test_a_hierarchy_that_is_mounted_twice_counts_once(tmp_path):
    host = Host(tmp_path)
    host.place("0::/a\n", v2_mount(), v2_mount())
    host.v2("sys/fs/cgroup/a", 500, max=700)
    assert len(system_limits(tmp_path).limits) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no rlimits there")
@pytest.mark.parametrize(
    ("statm", "left"), [("20 5 3 1 0 9 0\n", 30), ("70 5 3 1 0 9 0\n", 0), ("x 5\n", None)]
)
def test_the_address_space(tmp_path, monkeypatch, statm, left):
    host = Host(tmp_path)
    page = limits.resource.getpagesize()
    host.write("proc/self/statm", statm)
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _: (50 * page, 60 * page))
    found = system_limits(tmp_path)
    name = "address space (ulimit -v)"
    assert found.limits[1:] == (() if left is None else (Limit(name, left * page),))
    assert found.unread == (("/proc/self/statm",) if left is None else ())
    unlimited = (limits.resource.RLIM_INFINITY,) * 2
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _: unlimited)
    assert len(system_limits(tmp_path).limits) == 1


def test_this_system_is_read_without_a_complaint_about_its_memory():
    found = system_limits()
    assert found.limits[0].name == "available memory"
    assert "/proc/meminfo" not in found.unread


def test_a_path_with_a_nul_is_no_file(tmp_path):
    system = SystemFiles(tmp_path)
    assert system.text("a\0b") is None
    assert not system.has("a\0b")


def test_the_free_space_of_a_folder(tmp_path, monkeypatch):
    """B6: the disk's own free space is a limit with a name."""
    answer = SimpleNamespace(free=12345)
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda place: asked.append(place) or answer)
    folder = tmp_path / "not" / "there" / "yet"
    name = f"free space of the file system of {folder}"
    assert disk_limit(folder) == Limit(name, 12345)
    assert asked == [tmp_path]


def test_the_free_space_is_what_the_system_says(tmp_path):
    stat = os.statvfs(tmp_path)
    here = disk_limit(tmp_path).bytes
    assert 0 <= here <= stat.f_blocks * stat.f_frsize


def test_a_file_system_that_does_not_answer(tmp_path, monkeypatch):
    def fail(place):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", fail)
    with pytest.raises(BlockError, match="Input/output error"):
        disk_limit(Path(tmp_path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    file=st.sampled_from(
        [
            "proc/meminfo",
            "proc/self/cgroup",
            "proc/self/mountinfo",
            "proc/self/statm",
            *(f"sys/fs/cgroup/a/memory.{name}" for name in ("max", "high", "current", "stat")),
            "sys/fs/cgroup/memory/b/memory.limit_in_bytes",
        ]
    ),
    text=st.one_of(
        st.binary(max_size=60),
        st.text("0123456789-+_. \n", max_size=30).map(str.encode),
        st.text("0:/,abc\n \\-", max_size=60).map(str.encode),
    ),
)
def test_no_content_of_any_file_is_too_odd(tmp_path_factory, file, text):
    """A1: whatever a file holds, nothing is raised, and the other limits still bind."""
    root = tmp_path_factory.mktemp("host")
    host = Host(root)
    host.place("4:memory:/b\n0::/a\n", v1_mount(), v2_mount())
    host.v2("sys/fs/cgroup/a", 3, max=10)
    host.v1("sys/fs/cgroup/memory/b", GIB, 2 * GIB)
    host.write(file, text)
    found = system_limits(root)
    assert found.limits[0].name == "available memory"
    assert all(limit.bytes >= 0 for limit in found.limits)
    if not file.startswith(("proc/self/", "sys/fs/cgroup/a")):
        assert read_budget(1 << 62, found).bytes <= 7  # the other group's limit still binds


def test_room_for_files(tmp_path):
    """E8: what the cache holds is room, whether it was used once or more often."""
    host = Host(tmp_path)
    assert room_for_files(tmp_path) == 16 * GIB
    host.place("0::/a\n", v2_mount())
    host.v2("sys/fs/cgroup/a", 3 * GIB, cache=GIB, max=4 * GIB)
    stat = f"anon 1\ninactive_file {GIB}\nactive_file {GIB // 2}\n"
    host.write("sys/fs/cgroup/a/memory.stat", stat)
    assert room_for_files(tmp_path) == 4 * GIB - (3 * GIB - GIB - GIB // 2)
    assert system_limits(tmp_path).limits[1].bytes == 4 * GIB - 2 * GIB
    host.place("4:memory:/b\n", v1_mount())
    stat = f"total_inactive_file {GIB}\nactive_file 7\ntotal_active_file {2 * GIB}\n"
    host.v1("sys/fs/cgroup/memory/b", 5 * GIB, 6 * GIB, stat)
    assert room_for_files(tmp_path) == 4 * GIB


def test_limits_tell_what_they_allow_in_all(tmp_path):
    host = Host(tmp_path)
    host.meminfo(3 * GIB, total=5 * GIB)
    host.place("0::/a\n", v2_mount())
    host.v2("sys/fs/cgroup/a", GIB, max=4 * GIB, high=2 * GIB)
    found = system_limits(tmp_path)
    assert [limit.total for limit in found.limits] == [5 * GIB, 4 * GIB, 2 * GIB]
    host.write("proc/meminfo", "MemAvailable: 9 kB\nMemTotal: many\n")
    found = system_limits(tmp_path)
    assert found.limits[0].total is None
    assert found.unread == ()
