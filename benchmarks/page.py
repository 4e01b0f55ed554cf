"""The figures as tables and as a plot, for ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import median

from benchmarks.ratios import Found, Runs
from benchmarks.scenarios import Measured

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
ROW, LEFT, WIDTH, TOP = 26, 290, 400, 34
PLAIN, OURS = "#9aa5b1", "#2f6f9f"


def into(page: str, figures: str) -> str:
    """``page`` with new figures between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


def tables(runs: Runs, ratios: Sequence[Found], micro: Mapping[str, float]) -> str:
    """All figures, as Markdown."""
    return "\n".join([*_scenarios(runs), "", *_ratios(ratios), "", *_micro(micro)])


def _scenarios(runs: Runs) -> Iterator[str]:
    yield (
        "| | CPU for a delivery, µs | lowest to highest | deliveries a second "
        "| peak memory, MiB | p50, ms | p99, ms |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for name, measured in runs.items():
        cpu = [one.cpu_us for one in measured]
        yield (
            f"| {name} | {median(cpu):.1f} | {min(cpu):.1f} to {max(cpu):.1f} "
            f"| {median(one.rate for one in measured):,.0f} "
            f"| {max(one.peak_mib for one in measured):.0f} "
            f"| {_age(measured, 'p50_ms')} | {_age(measured, 'p99_ms')} |"
        )


def _age(measured: Sequence[Measured], name: str) -> str:
    ages = [age for one in measured if (age := getattr(one, name)) is not None]
    return f"{median(ages):.0f}" if ages else ""


def _ratios(ratios: Sequence[Found]) -> Iterator[str]:
    yield "| CPU for a delivery | over | ratio | lowest to highest | target | met | guard |"
    yield "|---|---|--:|--:|--:|---|--:|"
    for one in ratios:
        ratio = one.ratio
        yield (
            f"| {ratio.above} | {ratio.below} | **{one.median:.2f}** "
            f"| {one.least:.2f} to {one.most:.2f} | {ratio.target:.2f} "
            f"| {'yes' if one.met else 'no'} | {ratio.guard:.2f} |"
        )


def _micro(micro: Mapping[str, float]) -> Iterator[str]:
    yield "| one step by itself | µs an event |"
    yield "|---|--:|"
    for name, microseconds in micro.items():
        yield f"| {name} | {microseconds:.1f} |"


def plot(runs: Runs) -> str:
    """A bar for each scenario: the median of its CPU, with a line from lowest to highest."""
    costs = {name: [one.cpu_us for one in measured] for name, measured in runs.items()}
    scale = WIDTH / max(max(cpu) for cpu in costs.values())
    height = TOP + ROW * len(costs) + 10
    bars = "".join(
        _bar(name, cpu, TOP + ROW * row, scale) for row, (name, cpu) in enumerate(costs.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 80} {height}" '
        f'font-family="sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f'<text x="10" y="20" font-weight="bold">Microseconds of CPU for one delivery</text>\n'
        f'<text x="{LEFT}" y="20" fill="#52606d">'
        f"median, lowest to highest; grey: yardsticks</text>\n"
        f"{bars}</svg>\n"
    )


def _bar(name: str, cpu: Sequence[float], y: int, scale: float) -> str:
    middle, low, high = median(cpu) * scale, min(cpu) * scale, max(cpu) * scale
    colour = PLAIN if name.startswith("bare") else OURS
    return (
        f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>\n'
        f'<rect x="{LEFT}" y="{y + 2}" width="{middle:.1f}" height="16" fill="{colour}"/>\n'
        f'<path d="M{LEFT + low:.1f} {y + 10}H{LEFT + high:.1f}" stroke="#1b2733"/>\n'
        f'<text x="{LEFT + high + 6:.1f}" y="{y + 14}">{median(cpu):.0f}</text>\n'
    )
