"""What the demo tells: a table for the terminal and one picture."""

from pathlib import Path
from typing import Any

MIB = 1 << 20


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _rate(value: float) -> str:
    return f"{value:,.0f} images/s"


def _cold_label(side: dict[str, Any]) -> str:
    share = side["cold_cached_share"]
    return _rate(side["cold_images_s"]) + (
        "" if share < 0.02 else f" (NOT cold: {share:.0%} cached)"
    )


def table(disk: dict[str, Any], arena: dict[str, Any]) -> str:
    """Return the two sides next to each other."""
    both = (disk, arena)
    rows = [
        ("", "disk", "arena"),
        ("images (broken, left out)", *(f"{s['samples']} ({s['failed']})" for s in both)),
        ("finding the broken files", _seconds(disk["scan_s"]), "while building"),
        ("build, files not cached", "-", _seconds(arena["build_s"])),
        ("build, files cached", "-", _seconds(arena["build_warm_s"])),
        ("first epoch, files not cached [1]", _cold_label(disk), _cold_label(arena)),
        ("later epochs, loading only", *(_rate(s["warm_images_s"]) for s in both)),
        ("  wait for a batch, median", *(f"{s['batch_p50_ms']:.2f} ms" for s in both)),
        ("  wait for a batch, 99 of 100", *(f"{s['batch_p99_ms']:.2f} ms" for s in both)),
        ("training", *(_rate(s["train_images_s"]) for s in both)),
        ("  time spent waiting for data", *(f"{s['train_wait_share']:.1%}" for s in both)),
        ("peak memory (PSS)", *(f"{s['peak_pss'] / MIB:,.0f} MiB" for s in both)),
        ("  the same (RSS) [2]", *(f"{s['peak_rss'] / MIB:,.0f} MiB" for s in both)),
        ("  before any data (PSS)", *(f"{s['start_pss'] / MIB:,.0f} MiB" for s in both)),
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {left:>{widths[1]}}  {right:>{widths[2]}}"
        for name, left, right in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(
        [
            *lines,
            f"disk: {disk['how']}",
            f"arena: {arena['how']}",
            "[1] For the arena: the build counted in. The files were dropped from this system's",
            "    page cache; a virtual machine's host, or the disk, may still have held them.",
            "[2] PSS and RSS are summed over all processes; RSS counts shared pages in each.",
        ]
    )


def losses(disk: dict[str, Any], arena: dict[str, Any], epochs: int) -> str:
    """Return both loss curves, a line per epoch, and how far apart they ever are."""
    lines = ["mean loss per epoch      disk     arena"]
    steps = len(disk["losses"]) // epochs
    for epoch in range(epochs):
        part = slice(epoch * steps, (epoch + 1) * steps)
        left, right = (sum(side["losses"][part]) / steps for side in (disk, arena))
        lines.append(f"  epoch {epoch + 1:<14} {left:>8.4f}  {right:>8.4f}")
    apart = max(abs(a - b) for a, b in zip(disk["losses"], arena["losses"], strict=True))
    lines.append(f"largest difference in any step: {apart:.4f}")
    return "\n".join(lines)


def plot(disk: dict[str, Any], arena: dict[str, Any], target: Path) -> None:
    """Save loss curves, rates and memory as one picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    left.plot(disk["losses"], label="disk", linewidth=3, alpha=0.5)
    left.plot(arena["losses"], label="arena", linewidth=1, color="black")
    left.set(title="Training loss", xlabel="step", ylabel="cross entropy")
    left.legend()

    kinds = {"cold": "cold_images_s", "warm": "warm_images_s", "training": "train_images_s"}
    for offset, (name, side) in zip(
        (-0.2, 0.2), {"disk": disk, "arena": arena}.items(), strict=True
    ):
        bars = middle.bar(
            [i + offset for i in range(len(kinds))],
            [side[k] for k in kinds.values()],
            0.4,
            label=name,
        )
        middle.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    middle.set(title="Images per second", yscale="log", xticks=range(len(kinds)))
    middle.set_xticklabels(list(kinds))
    middle.legend(loc="upper left")

    bars = right.bar(["disk", "arena"], [s["peak_pss"] / MIB for s in (disk, arena)])
    right.bar_label(bars, fmt="{:,.0f}")
    right.set(title="Peak memory, all processes", ylabel="PSS, MiB")
    figure.savefig(target, dpi=120)
    plt.close(figure)
