"""A whole command in every round: its seconds from start to end, and its own peak memory.

paths: the series.  options: the ``script`` below benchmarks/, its interpreter, ``python``, and
``arguments``; the ``package`` that it is about, and the ``items`` that it makes.
"""

import subprocess

from gaf_memory import run_whole
from serve import NotInstalled, Result, Round, Settings, serve


def prepare(settings: Settings) -> Round:
    options = settings.options
    package = options["package"]
    found = subprocess.run([options["python"], "-c", f"import {package}"], check=False)
    if found.returncode != 0:
        raise NotInstalled(f"{package} in {options['python']}")

    def one_round() -> Result:
        done = run_whole(
            options["python"], options["script"], settings.paths[0], *options["arguments"]
        )
        return {**done, "items": options["items"], "peak_rss": done["peak"]}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="")
