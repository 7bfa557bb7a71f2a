"""Tables and pictures of what was measured."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness import Measured, Stat
from rows import Outcome

_TENTHS = ("%", "ms", "MB", "GB/s")


def _digits(value: float, unit: str) -> str:
    places = 3 if unit in ("x", "s") and value < 10 else 1 if unit in _TENTHS else 0
    return f"{value:,.{places}f}"


def number(value: float, unit: str) -> str:
    """Return a value as people write it."""
    return _digits(value, unit) + ("" if unit in "x%" else " ") + unit


def _cells(outcome: Outcome) -> tuple[str, str, str, str, str]:
    row, stat = outcome.row, outcome.stat
    target = "-"
    if row.target is not None:
        target = ("at least " if row.at_least else "at most ") + number(row.target, row.unit)
    if stat is None:
        return row.what, target, "-", "-", outcome.verdict
    span = f"{_digits(stat.low, row.unit)} .. {_digits(stat.high, row.unit)}"
    return row.what, target, number(stat.median, row.unit), span, outcome.verdict


def _rate_cells(name: str, measured: Measured) -> tuple[str, str, str, str, str]:
    if measured.missing:
        return name, measured.version, "not installed", "-", "-"
    if measured.error:
        return name, measured.version, "failed", "-", "-"
    stat = Stat.of(measured.rates)
    span = f"{stat.low:,.0f} .. {stat.high:,.0f}"
    peak = max(one["peak_rss"] for one in measured.rounds) / 2**20
    return name, measured.version, f"{stat.median:,.0f}", span, f"{peak:,.0f} MiB"


def _reasons(results: Mapping[str, Measured]) -> list[str]:
    return [
        f"{name}: {'not installed' if measured.missing else 'failed'}: "
        f"{measured.missing or measured.error}"
        for name, measured in results.items()
        if measured.missing or measured.error
    ]


def _rated(results: Mapping[str, Measured]) -> dict[str, Measured]:
    return {
        name: m for name, m in results.items() if not m.rounds or "items" in m.rounds[0]
    }  # fmt: skip


def _grid(header: Sequence[str], lines: Sequence[Sequence[str]], markdown: bool) -> str:
    if markdown:
        rule = ["---"] * len(header)
        return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))
    widths = [max(len(line[k]) for line in (header, *lines)) for k in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, rule, *lines)
    )


def render(
    outcomes: Sequence[Outcome],
    results: Mapping[str, Measured],
    machine: Mapping[str, str],
    conditions: Sequence[str],
    markdown: bool,
) -> str:
    """Return machine, targets and rates as text or as Markdown."""
    targets = _grid(
        ("what", "target", "median", "range", "verdict"), [_cells(o) for o in outcomes], markdown
    )
    rates = _grid(
        ("worker", "version", "items/s", "range", "peak RSS"),
        [_rate_cells(name, measured) for name, measured in _rated(results).items()],
        markdown,
    )
    about = _grid(("", "measured on"), [*machine.items()], markdown)
    notes = "\n".join(f"- {line}" for line in [*conditions, *_reasons(results)])
    return "\n\n".join([about, notes, targets, rates]) + "\n"


def plot(
    outcomes: Sequence[Outcome],
    shown: Mapping[str, Measured],
    ours: Collection[str],
    target: Path,
) -> None:
    """Save the rates of some workers, `ours` among them, and each row's share of its target."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    high = max(6.0, 0.28 * max(len(outcomes), len(shown)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(16, high), layout="constrained")
    stats = [Stat.of(measured.rates) for measured in shown.values()]
    errors = [[s.median - s.low for s in stats], [s.high - s.median for s in stats]]
    colours = ["tab:green" if name in ours else "tab:gray" for name in shown]
    if shown:
        left.barh([*shown], [s.median for s in stats], xerr=errors, color=colours)
    left.invert_yaxis()
    left.set(title="One thread: images per second", xlabel="images/s")

    done = [o for o in outcomes if o.stat is not None and o.row.target is not None]
    shares = [
        o.stat.median / o.row.target
        if o.row.at_least
        else o.row.target / max(o.stat.median, o.row.target / 1000)  # memory may not grow at all
        for o in done
        if o.stat is not None and o.row.target is not None
    ]
    colours = ["tab:green" if o.verdict == "met" else "tab:red" for o in done]
    labels = [o.row.what.replace(" / ", "\n/ ") for o in done]
    bars = right.barh(range(len(done)), shares, color=colours)
    right.bar_label(bars, fmt="{:.2f}", padding=2)
    right.margins(x=0.1)
    right.axvline(1, color="black", linewidth=1)
    right.set_yticks(range(len(done)), labels, fontsize=7)
    right.invert_yaxis()
    right.set(title="Share of the target reached (1 = met)", xscale="log")
    figure.savefig(target, dpi=120)
    plt.close(figure)
