"""The status page: one HTML document without outside files, made on the server.

It reads without JavaScript (search and order are a plain form, and it reloads itself); with it,
the part that changes is fetched and replaced in place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Final, Literal

from forwarder.ops.condition import ATTENTION, URGENCY, Condition, condition, explain, headline
from forwarder.ops.status import AccountStatus, LaneStatus, Status
from forwarder.ops.words import count, moment, plural, size, span

_STYLE: Final = files("forwarder.ops").joinpath("page.css").read_text(encoding="utf-8")
_SCRIPT: Final = files("forwarder.ops").joinpath("page.js").read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_digest(_STYLE)}; script-src {_digest(_SCRIPT)}; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
"""Even a name that slipped through the escaping could load and run nothing."""

_ORDERS: Final = {
    "": "urgent first",
    "name": "by name",
    "waiting": "most waiting",
    "oldest": "oldest first",
}
_SHOWN: Final = {"": "all", "attention": "needing attention", "here": "owned here"}


@dataclass(frozen=True, slots=True)
class View:
    """What the reader asked to see: part of a name, a key of each menu. No key: ignored."""

    search: str = ""
    show: str = ""
    sort: str = ""


def render(status: Status, view: View) -> str:
    """The document."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>forwarder</title>'
        '<noscript><meta http-equiv="refresh" content="10"></noscript>'
        f"<style>{_STYLE}</style></head><body>"
        f'<header><strong>forwarder</strong><span id="fresh" data-live>'
        f"{moment(status.at, status.at)}</span></header>"
        f'<div id="top" data-live>{_banner(status)}{_figures(status)}</div>'
        f'<main><section class="accounts">{_form(view)}'
        f'<div id="rows" data-live>{_accounts(status, _chosen(status, view))}</div></section>'
        f'<div id="rest" data-live class="side">{_rest(status)}</div></main>'
        f'<footer id="foot" data-live>{_footer(status)}</footer>'
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _rest(status: Status) -> str:
    return f"{_router(status)}{_retries(status)}{_dead_letters(status)}"


def _chosen(status: Status, view: View) -> list[AccountStatus]:
    text = view.search.strip().lower()
    found = [a for a in status.accounts if text in f"{a.name} {a.destination}".lower()]
    if view.show == "attention":
        found = [a for a in found if condition(a, status.at) in ATTENTION]
    if view.show == "here":
        found = [a for a in found if a.lane is not None]
    return sorted(found, key=lambda account: _order(account, status.at, view.sort))


def _order(account: AccountStatus, now: float, sort: str) -> tuple[float, float, str]:
    lane = account.lane
    waiting, oldest = (0.0, 0.0) if lane is None else (lane.waiting, lane.oldest_seconds or 0.0)
    match sort:
        case "name":
            return (0.0, 0.0, account.name)
        case "waiting":
            return (-waiting, -oldest, account.name)
        case "oldest":
            return (-oldest, -waiting, account.name)
        case _:
            return (URGENCY[condition(account, now)], -waiting, account.name)


# -- top ------------------------------------------------------------------------------------
def _form(view: View) -> str:
    return (
        '<form method="get" action="" id="pick"><h2>Accounts</h2>'
        f'<input type="search" name="q" value="{escape(view.search)}" placeholder="account or '
        'destination" aria-label="search accounts">'
        f"{_menu('show', 'accounts shown', _SHOWN, view.show)}"
        f"{_menu('sort', 'order of accounts', _ORDERS, view.sort)}"
        '<button type="submit">Show</button></form>'
    )


def _menu(name: str, label: str, choices: dict[str, str], chosen: str) -> str:
    options = "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{text}</option>'
        for value, text in choices.items()
    )
    return f'<select name="{name}" aria-label="{label}">{options}</select>'


def _banner(status: Status) -> str:
    found = {condition(account, status.at) for account in status.accounts}
    tone = "good"
    if found & ATTENTION or status.draining or not status.ready:
        tone = "warn"
    if found & {Condition.BLOCKED, Condition.EXPIRING} or not status.kafka_reachable:
        tone = "bad"
    return f'<h1 class="headline {tone}">{escape(headline(status))}</h1>'


def _figures(status: Status) -> str:
    lanes = [account.lane for account in status.accounts if account.lane is not None]
    minute = sum(sum(account.requests_per_minute[-2:-1]) for account in status.accounts)
    pairs = [
        ("waiting", count(sum(lane.waiting for lane in lanes))),
        ("in flight", count(sum(lane.in_flight for lane in lanes))),
        ("requests, last full minute", count(minute)),
        ("dead letters, last hour", count(sum(row.count for row in status.dead_letters))),
    ]
    if status.router is not None:
        lag = sum(part.lag for part in status.router.partitions)
        pairs.append(("events lag", count(lag)))
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="figures">{cells}</dl>'


# -- accounts -------------------------------------------------------------------------------
_COLUMNS: Final = (
    ("account", ""),
    ("condition", ""),
    ("waiting", "n"),
    ("oldest", "n"),
    ("next request", "n"),
    ("budget used", "n"),
    ("last verdicts", ""),
    ("requests, last hour", ""),
)


def _accounts(status: Status, chosen: list[AccountStatus]) -> str:
    heads = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in _COLUMNS)
    rows = "".join(_row(account, status.at) for account in chosen)
    total = f"{count(len(chosen))} of {plural(len(status.accounts), 'account')}"
    return (
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        f'<p class="total">{total}</p>'
    )


def _row(account: AccountStatus, now: float) -> str:
    kind, why = condition(account, now), explain(account, now)
    reason = f'<p class="why">{escape(why)}</p>' if why and account.lane is not None else ""
    name = f"{escape(account.name)}<small>{escape(account.destination)}</small>"
    badge = f'<span class="badge {kind.name.lower()}">{kind.value}</span>'
    cells = [f'<th scope="row" class="name">{name}</th>', f'<td class="state">{badge}{reason}</td>']
    cells += _lane_cells(account.lane, account.budget_used, now)
    cells.append(
        f'<td class="rate" data-label="last hour">{sparkline(account.requests_per_minute)}</td>'
    )
    return f'<tr class="is-{kind.name.lower()}">{"".join(cells)}</tr>'


def _lane_cells(lane: LaneStatus | None, budget: float | None, now: float) -> list[str]:
    if lane is None:
        return [_cell(name, "") for name in ("waiting", "oldest", "next", "budget", "verdicts")]
    held = f"<small>{size(lane.waiting_bytes)} in memory</small>" if lane.waiting_bytes else ""
    waiting = f"{count(lane.waiting)}{held}"
    return [
        _cell("waiting", waiting if lane.waiting else "0"),
        _cell("oldest", "" if lane.oldest_seconds is None else span(lane.oldest_seconds)),
        _cell("next", _next(lane)),
        _cell("budget", "" if budget is None else _bar(budget)),
        f'<td class="verdicts" data-label="last verdicts">{_verdicts(lane, now)}</td>',
    ]


def _cell(name: str, content: str) -> str:
    empty = "" if content else " empty"
    return f'<td class="n{empty}" data-label="{name}">{content}</td>'


def _next(lane: LaneStatus) -> str:
    if lane.next_request_in is None:
        return "when cured" if lane.waiting and lane.breaker == "open" else ""
    return "now" if lane.next_request_in < 1 else f"in {span(lane.next_request_in)}"


def _bar(used: float) -> str:
    part = min(max(used, 0.0), 1.0)
    return (
        f'<span class="used">{part:.0%}</span><svg class="bar" viewBox="0 0 100 6" '
        'preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="6"/>'
        f'<rect class="fill" width="{100 * part:.0f}" height="6"/></svg>'
    )


def _verdicts(lane: LaneStatus, now: float) -> str:
    chips = []
    for last in lane.last_verdicts:
        title = f"{last.verdict} {last.code} {span(now - last.at)} ago"
        mark = "✓" if last.verdict == "delivered" else escape(last.code or last.verdict)
        kind = f"chip {escape(last.verdict)}"
        chips.append(f'<span class="{kind}" title="{escape(title)}">{mark}</span>')
    return "".join(chips)


def sparkline(points: Iterable[int]) -> str:
    """The last hour as an inline SVG, one bar a minute."""
    values = tuple(points)
    if not any(values):
        return ""
    top = max(values)
    bars = "".join(
        f"M{x} 20V{20 - max(19 * n / top, 1):.1f}h.8V20z" for x, n in enumerate(values) if n
    )
    label = f"{plural(sum(values), 'request')} in the last hour, at most {count(top)} in a minute"
    return (
        f'<svg class="spark" viewBox="0 0 {len(values)} 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}"><title>{label}</title><path d="{bars}"/></svg>'
        f'<small class="peak">peak {count(top)}/min</small>'
    )


# -- below ----------------------------------------------------------------------------------
def _router(status: Status) -> str:
    router = status.router
    if router is None:
        return ""
    if not router.partitions:
        return _section("Router", "<p>No partition is assigned here.</p>")
    tiles = "".join(
        f'<li class="{"behind" if part.lag else ""}"><small>{part.partition}</small>'
        f"{count(part.lag)}</li>"
        for part in router.partitions
    )
    age = "nothing committed yet" if router.commit_age is None else _ago(router.commit_age)
    number = plural(len(router.partitions), "partition")
    text = f"<p>{number}, last commit {age}. Records not yet routed, by partition:</p>"
    return _section("Router", f'{text}<ul class="tiles">{tiles}</ul>')


def _ago(seconds: float) -> str:
    return "just now" if seconds < 1 else f"{span(seconds)} ago"


def _retries(status: Status) -> str:
    if not status.retries:
        return ""
    rows = [
        (escape(retry.tier), count(retry.waiting), span(retry.overdue) if retry.overdue else "no")
        for retry in status.retries
    ]
    return _section("Retries", _table(("delay", "waiting", "overdue"), rows))


def _dead_letters(status: Status) -> str:
    if not status.dead_letters:
        return _section("Dead letters, last hour", "<p>None from this replica.</p>")
    rows = [
        (escape(row.account or "(whole record)"), escape(row.reason), count(row.count))
        for row in status.dead_letters
    ]
    return _section("Dead letters, last hour", _table(("account", "reason", "count"), rows))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for cells in rows
    )
    return f'<table class="plain"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _section(title: Literal["Router", "Retries", "Dead letters, last hour"], content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _footer(status: Status) -> str:
    ready = "ready" if status.ready else "not ready"
    return (
        f"Version {escape(status.version)}, settings {escape(status.config_hash)}, up for "
        f"{span(status.at - status.started_at)}, {ready}. This replica only; "
        "<code>forwarder status</code> sees all. "
        '<a href="status">JSON</a> <a href="metrics">metrics</a>'
    )
