"""What the demo shows: a live table on a terminal, plain lines elsewhere, and the final sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from forwarder.ops.condition import condition, explain
from forwarder.ops.status import Status
from forwarder.sandbox.demo.count import Line

PLAIN_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Moment:
    """All that one look shows. ``left``: seconds for which the shop stays open; ``strays``: records
    published that are invalid or for nobody.
    """

    lines: Sequence[Line]
    rates: Sequence[float]
    refused: Sequence[int]
    status: Status
    events: int
    strays: int
    invalid: int
    unrouted: int
    left: float

    @property
    def balanced(self) -> bool:
        """Whether every record and every delivery is accounted for, and seen by its vendor."""
        settled = self.strays == self.invalid + self.unrouted
        return settled and all(one.balanced for one in self.lines)


class View:
    """``show`` each moment, then ``result``. Plain lines come at most every 5 s."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._plain_at = 0.0

    def start(self, page: str) -> None:
        self._console.print(
            "Everything runs on this machine: a broker in memory, the vendors' sandbox,\n"
            f"a shop that publishes, and the worker. Its status page: [bold]{page}[/bold]\n"
        )
        if self._console.is_terminal:
            self._live.start()

    def show(self, moment: Moment) -> None:
        if self._console.is_terminal:
            self._live.update(_picture(moment))
        elif moment.status.at - self._plain_at >= PLAIN_EVERY:
            self._plain_at = moment.status.at
            self._console.print(_sentence(moment), soft_wrap=True)

    def stop(self) -> None:
        self._live.stop()

    def result(self, moment: Moment) -> None:
        """The final sum of events x accounts."""
        self._console.print(_sum(moment.lines))
        total = sum(one.published for one in moment.lines)
        delivered = sum(one.delivered for one in moment.lines)
        self._console.print(
            f"{moment.events:,} records, of which {moment.invalid:,} are invalid and "
            f"{moment.unrouted:,} for nobody: dead letters.\n"
            f"{total:,} deliveries: {delivered:,} delivered, the others skipped for a reason."
        )
        said = "It balances." if moment.balanced else "IT DOES NOT BALANCE."
        self._console.print(Text(said, style="bold green" if moment.balanced else "bold red"))


def _picture(moment: Moment) -> RenderableType:
    table = Table(expand=False, box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("account", no_wrap=True)
    for title in ("delivered", "waiting", "skipped", "refused", "per s"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("budget", no_wrap=True)
    table.add_column("", min_width=11, overflow="ellipsis", no_wrap=True)
    accounts = {account.name: account for account in moment.status.accounts}
    for one, rate, refused in zip(moment.lines, moment.rates, moment.refused, strict=True):
        account = accounts[one.account]
        state = condition(account, moment.status.at)
        calm = state in ("delivering", "idle")
        note = state.value if calm else explain(account, moment.status.at)[:60] or state.value
        table.add_row(
            Text(one.account, style="bold"),
            f"{one.delivered:,}",
            f"{one.open:,}",
            f"{one.skipped:,}",
            f"{refused:,}",
            f"{rate:,.0f}",
            _bar(account.budget_used or 0.0),
            Text(note, style="green" if calm else "yellow"),
        )
    return Group(table, Text(), Text(_sentence(moment), style="dim"))


def _bar(ratio: float, width: int = 6) -> Text:
    full = min(width, round(ratio * width))
    style = "yellow" if ratio > 0.9 else "cyan"  # noqa: PLR2004 - near its limit
    return Text("█" * full, style=style) + Text("·" * (width - full), style="dim")


def _sentence(moment: Moment) -> str:
    delivered = sum(one.delivered for one in moment.lines)
    waiting = sum(one.open for one in moment.lines)
    left = f"{moment.left:.0f} s to go" if moment.left > 0 else "the shop is closed, finishing"
    return (
        f"{moment.events:,} records in ({moment.invalid} invalid, {moment.unrouted} for nobody), "
        f"{delivered:,} delivered, {waiting:,} open; {left}"
    )


def _sum(lines: Sequence[Line]) -> Table:
    table = Table(title="events x accounts", title_justify="left", box=SIMPLE_HEAD, padding=0)
    table.add_column("account", no_wrap=True)
    for title in ("events", "delivered", "skipped", "dead", "open", "at vendor"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("skipped for", no_wrap=True)
    for one in lines:
        mark = Text("ok", style="green") if one.balanced else Text("WRONG", style="bold red")
        numbers = (one.published, one.delivered, one.skipped, one.dead_lettered, one.open)
        table.add_row(one.account, *(f"{n:,}" for n in (*numbers, one.arrived)), mark, one.reason)
    return table
