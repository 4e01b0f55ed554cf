"""The sandbox without a socket: a request in, after a while an answer, a reset or nothing out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from forwarder.http.port import FailureKind, HttpAnswer, HttpFailure, HttpRequest
from forwarder.sandbox.behave import CALM, Behaviour, Behaviours
from forwarder.sandbox.contract import Call, Checked, Refusal, Reply, Vendor
from forwarder.sandbox.known import (
    KnownAccount,
    KnownThrad,
    KnownTikTok,
    KnownTradeDesk,
    Register,
)
from forwarder.sandbox.ledger import Book, Ledger
from forwarder.sandbox.thrad import Thrad
from forwarder.sandbox.tiktok import TikTok
from forwarder.sandbox.tradedesk import TradeDesk

_HTML = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_HANG = 3600.0  # seconds: longer than any caller waits, and yet no task that never ends
RESET = HttpFailure(FailureKind.RESET, maybe_sent=True)


class Simulator:
    """All vendors behind one address.

    ``clock``: seconds, never going back; ``epoch``: what to add for seconds since 1970.
    ``samples``: accounts that have a name although everybody is let in; ``accounts``: those that
    close their destination to all others. ``keep``: events in the log of ``received``.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        epoch: float = 0.0,
        accounts: Sequence[KnownAccount] = (),
        samples: Sequence[KnownAccount] = (),
        keep: int = 200_000,
        keep_bytes: int = 256 << 20,
    ) -> None:
        self._clock = clock
        self._ledger = Ledger(keep, keep_bytes, epoch)
        self._behaviours = Behaviours()
        self._tiktok = Register([one for one in samples if isinstance(one, KnownTikTok)])
        self._tradedesk = Register([one for one in samples if isinstance(one, KnownTradeDesk)])
        self._thrad = Register([one for one in samples if isinstance(one, KnownThrad)])
        self._vendors: dict[str, Vendor] = {
            "tiktok": TikTok(self._tiktok),
            "tradedesk": TradeDesk(self._tradedesk),
            "thrad": Thrad(self._thrad),
        }
        self._number = 0
        for account in accounts:
            self.know(account)

    def know(self, account: KnownAccount) -> None:
        """Add an account, or change the one of that name; only known accounts are let in then."""
        match account:
            case KnownTikTok():
                self._tiktok.put(account)
            case KnownTradeDesk():
                self._tradedesk.put(account)
            case KnownThrad():
                self._thrad.put(account)

    def behave(self, behaviour: Behaviour) -> None:
        """Put a behaviour in force, in place of an earlier one of the same scope."""
        self._behaviours.set(behaviour, self._clock())

    def behaviours(self) -> Sequence[Behaviour]:
        return self._behaviours.current(self._clock())

    def reset(self) -> None:
        """Forget all requests and behaviours; known accounts stay."""
        self._ledger.clear()
        self._behaviours.clear()

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    async def answer(self, request: HttpRequest) -> HttpAnswer | HttpFailure:
        """Take a request as a vendor would; a failure stands for a reset connection.

        All decisions fall before the first wait, so a caller that gives up changes none.
        """
        url = urlsplit(request.url)
        destination, _, path = url.path.lstrip("/").partition("/")
        if (vendor := self._vendors.get(destination)) is None:
            return HttpAnswer(404, {}, b"Base URLs here: /tiktok /tradedesk /thrad\n")
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, f"/{path}", url.query, headers, request.body)
        return await self._serve(destination, vendor, call)

    async def _serve(
        self, destination: str, vendor: Vendor, call: Call
    ) -> HttpAnswer | HttpFailure:
        now = self._clock()
        checked = vendor.check(call, self._behaviours.quirks(destination, now))
        book = self._ledger.book(destination, checked.account, vendor.limit)
        behaviour, hit = self._behaviours.of(destination, checked.account, now)
        fault = behaviour if hit else CALM
        book.window.change(behaviour.rate.limit if behaviour.rate else vendor.limit)
        book.in_flight += 1
        try:
            answer = self._decide(_Visit(now, book, vendor, call, checked), fault)
            await asyncio.sleep(fault.latency)
            if fault.hang is not None:
                await asyncio.sleep(_HANG)
            return answer
        finally:
            book.in_flight -= 1

    def _decide(self, visit: _Visit, fault: Behaviour) -> HttpAnswer | HttpFailure:
        book, checked = visit.book, visit.checked
        over = _count(visit)
        if fault.hang == "before" or fault.reset == "before":
            book.refusals["hang" if fault.hang else "reset"] += 1
            return RESET
        injected = _injected(visit, fault)
        denied = checked.refusal if checked.denied else None
        refusal = injected or denied or over or checked.refusal
        if refusal is not None:
            book.refusals[_counted_as(refusal, fault)] += 1
        self._number += 1
        duplicates = 0
        if refusal is checked.refusal and checked.entries:
            entries = checked.entries
            duplicates = self._ledger.take(self._number, visit.now, book, visit.call, entries)
        if fault.reset == "after":
            return RESET
        reply = Reply(self._number, refusal, duplicates, _retry_after(refusal, fault))
        answer = visit.vendor.answer(visit.call, reply)
        return answer if refusal and not injected else _dressed(answer, fault)


@dataclass(frozen=True, slots=True)
class _Visit:
    """One call, and all that is known of it when it is decided."""

    now: float
    book: Book
    vendor: Vendor
    call: Call
    checked: Checked


def _count(visit: _Visit) -> Refusal | None:
    """Write down what the call is and breaks; the refusal if it comes above the rate."""
    book, vendor = visit.book, visit.vendor
    book.requests += 1
    book.unverified += visit.checked.unverified
    book.most_in_flight = max(book.most_in_flight, book.in_flight)
    book.blame(problem.kind for problem in visit.checked.problems)
    if vendor.concurrency is not None and book.in_flight > vendor.concurrency:
        book.blame([f"More than {vendor.concurrency} requests at once."])
    if book.window.arrive(visit.now):
        return None
    limit = book.window.limit
    book.blame([f"More than {limit.requests} requests in {limit.per:g} s."])
    return vendor.throttled(book.window.room_in(visit.now))


def _injected(visit: _Visit, fault: Behaviour) -> Refusal | None:
    if not fault.refuses:
        return None
    status = 502 if fault.html and fault.status is None else fault.status
    return visit.vendor.injected(status, fault.code)


def _counted_as(refusal: Refusal, fault: Behaviour) -> str:
    """By the vendor's code, and faults that are made of a status by that."""
    return refusal.code if fault.code or not fault.refuses else str(refusal.status)


def _retry_after(refusal: Refusal | None, fault: Behaviour) -> Mapping[str, str]:
    if refusal is None or fault.retry_after is None:
        return {}
    return {"retry-after": str(math.ceil(fault.retry_after))}


def _dressed(answer: HttpAnswer, fault: Behaviour) -> HttpAnswer:
    """The answer in the form that the behaviour asks for: HTML, given text, another status."""
    status = answer.status if fault.status is None else fault.status
    if fault.html:
        return HttpAnswer(status, {**answer.headers, "content-type": "text/html"}, _HTML)
    body = answer.body if fault.body is None else fault.body.encode()
    return HttpAnswer(status, answer.headers, body)
