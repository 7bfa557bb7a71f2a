"""Where and when it was measured."""

import datetime as dt
import os
import platform
from importlib.metadata import version
from pathlib import Path


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        fields: dict[str, str] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            fields[name.strip()] = value.strip()
        for key in ("model name", "Model", "Hardware"):
            if key in fields:
                family = f", family {fields['cpu family']}" if "cpu family" in fields else ""
                return fields[key] + family
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def describe() -> dict[str, str]:
    """Return the machine, the versions and the date, as text by name."""
    from fastcache._core.image import codec_list, cpu_name

    cores = sorted(os.sched_getaffinity(0))
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    packages = ("fastcache", "torch", "numpy", "pillow")
    return {
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_cpu_model()} ({platform.machine()}); fastcache uses {cpu_name()}",
        "cores": f"{len(cores)} usable of {os.cpu_count()}",
        "memory": f"{_memory_gib():.1f} GiB",
        "system": f"{system}, Linux {platform.release()}",
        "load at start": f"{os.getloadavg()[0]:.2f}",
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "codecs inside": "; ".join(
            f"{name} by {lib} {number}" for name, lib, number in codec_list()
        ),
    }
