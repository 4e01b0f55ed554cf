"""The vendors, and the way to them: late, lossy, unfair, and each account with its own weather."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from forwarder.http.memory import Fate, MemoryClient
from forwarder.http.port import FailureKind, HttpAnswer, HttpFailure, HttpRequest, always
from tests.support.simulated.answers import (
    Door,
    account_of,
    json_answer,
    ok,
    read,
    refused,
    throttled,
    unauthorized,
)
from tests.support.simulated.ledger import Ledger, Sent
from tests.support.simulated.loop import VirtualLoop

QUIET: Final = "quiet"
"""An account whose vendor is always fair and prompt: others' trouble must not reach it."""
BAD: Final = "bad"
"""Events whose id begins so are refused, everywhere else."""
UNKNOWN_CLICK: Final = "click"
"""Those that one vendor does not know the click of, for a while."""
RESET: Final = HttpFailure(FailureKind.RESET, maybe_sent=True)
NEVER_SENT: Final = HttpFailure(FailureKind.REFUSED, maybe_sent=False)
NEVER: Final = 60.0
FAILURES: Final = (
    HttpAnswer(500, {}, b"{}"),
    HttpAnswer(503, {}, b""),
    HttpAnswer(502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>"),
)
WAITS: Final[Sequence[Mapping[str, str]]] = ({}, {"retry-after": "2"}, {"retry-after": "7"})


@dataclass(frozen=True, slots=True)
class Weather:
    """What one account meets from ``start`` to ``end``. ``share`` of its requests are hit."""

    account: str
    start: float
    end: float
    kind: str
    share: float


KINDS: Final = (
    "hang",
    "swallow",
    "reset_before",
    "reset_after",
    "late",
    "slow",
    "fail",
    "fail_after",
    "throttle",
    "reject",
    "unauthorized",
    "unreachable",
    "twice",
    "too_large",
)


class Vendors:
    """All of them. ``lease``: called with account and replica right before a request leaves."""

    def __init__(
        self,
        ledger: Ledger,
        loop: VirtualLoop,
        random: Random,
        doors: Mapping[str, Door],
        weather: Sequence[Weather],
        lease: Callable[[str, str], None],
    ) -> None:
        self.ledger = ledger
        self.loop = loop
        self.doors = doors
        self.arrivals: list[Sent] = []
        self.calm = False
        self.connecting = 0.0
        """Seconds that finding a connection may take."""
        self._random = random
        self._weather = weather
        self._lease = lease

    # -- the way there --------------------------------------------------------------------------
    def connect(self) -> float:
        return self._random.uniform(0, self.connecting) if self.connecting else 0.0

    def leave(self, replica: str, request: HttpRequest) -> Sent:
        account = account_of(request)
        self._lease(account, replica)
        key, event_ids = read(self.doors[account], request)
        sent = Sent(replica, account, key, event_ids, self.ledger.now())
        self.ledger.left(sent)
        door = self.doors[account]
        if self.ledger.open[replica, account] > door.concurrency:
            self.ledger.break_("too many at once", account, replica, door.concurrency)
        return sent

    def over(self, sent: Sequence[Sent]) -> None:
        """Whoever sent it waits no more."""
        for one in sent:
            self.ledger.open[one.replica, one.account] -= 1

    def fate(self, request: HttpRequest) -> Fate:
        kind = self._kind(account_of(request))
        there = self._random.uniform(0.001, 0.05)
        if kind == "unreachable":
            return Fate((), there, NEVER_SENT)
        if kind == "twice":
            return Fate((there, there + self._random.uniform(0, 1)))
        if kind == "slow":
            there = self._random.uniform(0.05, 1.5)
        return Fate((there,), self._random.uniform(0.001, 0.05))

    def _kind(self, account: str) -> str:
        now = self.ledger.now()
        found = (w for w in self._weather if w.account == account and w.start <= now < w.end)
        hit = next(found, None)
        if hit is None or self.calm or self._random.random() >= hit.share:
            return "fair"
        return hit.kind

    # -- there ----------------------------------------------------------------------------------
    async def arrive(self, sent: Sent) -> HttpAnswer | HttpFailure:
        if sent.arrived is None:
            sent.arrived = self.ledger.now()
            self.arrivals.append(sent)
        kind = self._kind(sent.account)
        answer, delay = self._decide(sent, kind)
        taken = f"took {len(sent.taken)}" if sent.taken else "took nothing"
        self.ledger.say("arrived", sent.account, sent.replica, kind, taken)
        await asyncio.sleep(delay)
        return answer

    def _decide(self, sent: Sent, kind: str) -> tuple[HttpAnswer | HttpFailure, float]:
        """The answer, and after how many seconds."""
        door, draw = self.doors[sent.account], self._random
        prompt = draw.uniform(0.005, 0.3)
        if answer := self._unheard(sent, door, kind):
            return answer, NEVER if kind == "hang" else prompt
        if sent.credential not in door.keys:
            return unauthorized(door), prompt
        if refusal := self._refusal(sent, door, kind):
            return refusal, prompt
        sent.taken = sent.event_ids
        if kind in ("swallow", "reset_after"):
            return RESET, NEVER if kind == "swallow" else prompt
        if kind == "fail_after":
            return HttpAnswer(500, {}, b"{}"), prompt
        sent.accepted = True
        return ok(door), {"late": draw.uniform(7.5, 20), "slow": draw.uniform(1, 5)}.get(
            kind, prompt
        )

    def _unheard(self, sent: Sent, door: Door, kind: str) -> HttpAnswer | HttpFailure | None:
        """Answers of those who do not look at the request."""
        match kind:
            case "hang" | "reset_before":
                return RESET
            case "fail":
                return self._random.choice(FAILURES)
            case "throttle":
                return throttled(door, self._random.choice(WAITS))
            case "reject":
                return self._refuse(sent, refused(door))
            case "unauthorized":
                return unauthorized(door)
        return None

    def _refusal(self, sent: Sent, door: Door, kind: str) -> HttpAnswer | None:
        if kind == "too_large" and len(sent.event_ids) > 1:
            return HttpAnswer(413, {}, b"")
        bad = [i for i, event_id in enumerate(sent.event_ids) if event_id.startswith(BAD)]
        if bad and sent.account != QUIET:
            return self._refuse(sent, refused(door, bad if door.named else ()))
        if door.destination == "thrad" and sent.event_ids[0].startswith(UNKNOWN_CLICK):
            event = self.ledger.by_event[sent.event_ids[0]]
            if self.ledger.now() < event.at + 90:
                return self._refuse(sent, json_answer(404, {"detail": "Click not found"}))
        return None

    def _refuse(self, sent: Sent, answer: HttpAnswer) -> HttpAnswer:
        sent.refused = True
        return answer


class ReplicaHttp(MemoryClient):
    """One replica's client. What has left goes on without it."""

    def __init__(self, vendors: Vendors, replica: str) -> None:
        super().__init__(self._arrive, vendors.fate)
        self._vendors = vendors
        self._replica = replica
        self._sent: dict[int, Sent] = {}
        self._requests: list[HttpRequest] = []

    async def send(
        self,
        request: HttpRequest,
        timeout: float,
        permitted: Callable[[], bool] = always,
    ) -> HttpAnswer | HttpFailure:
        connecting = min(self._vendors.connect(), timeout / 2)
        if connecting:
            await asyncio.sleep(connecting)
        sent: list[Sent] = []

        def leaves() -> bool:
            if not permitted():
                return False
            sent.append(self._vendors.leave(self._replica, request))
            self._sent[id(request)] = sent[0]
            self._requests.append(request)
            return True

        try:
            answer = await super().send(request, timeout - connecting, leaves)
        finally:
            self._vendors.over(sent)
        if sent:
            sent[0].ended = answer
            shown = answer.status if isinstance(answer, HttpAnswer) else answer.kind
            self._vendors.ledger.say("ended", self._replica, sent[0].account, shown)
        return answer

    async def _arrive(self, request: HttpRequest) -> HttpAnswer | HttpFailure:
        return await self._vendors.arrive(self._sent[id(request)])

    def _travel(self, journey: Any) -> None:
        loop = self._vendors.loop
        task = loop.create_task(journey, context=loop.outside)
        self._travelling.add(task)
        task.add_done_callback(self._arrived)
