"""What one replay is given to work with, and the steps that counting and sending share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from forwarder.deadletters.desk import Clocks
from forwarder.deadletters.explain import Today
from forwarder.deadletters.judge import Judge
from forwarder.deadletters.ledger import Ledger, OpenBatch, Run
from forwarder.deadletters.pace import Pace
from forwarder.deadletters.resolve import GoOn, settle
from forwarder.deadletters.scan import Scan, Span, Spans
from forwarder.deadletters.survey import Counts, Survey
from forwarder.kafka.port import Kafka, Reader, TopicPartition

DLQ: Final = "dlq"
EVENTS: Final = "events"
"""The sources of a run."""


class Watcher(Protocol):
    """Told how it goes, for a person who waits."""

    def counting(self, left: int) -> None: ...
    def sending(self, sent: int, to_send: int) -> None: ...
    def say(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are. ``queues``: topic by account; ``senders``: the group that reads it, by
    account; ``batches``: deliveries in a request, by account; ``group``: the run's own.
    """

    ledger: str
    queues: Mapping[str, str]
    senders: Mapping[str, str]
    batches: Mapping[str, int]
    group: str


@dataclass(frozen=True, slots=True)
class Work:
    """``run`` says what is to be sent again. ``judging`` makes the judge of one pass, who starts
    with what the ledger tells. ``today``: see ``Survey``.
    """

    kafka: Kafka
    run: Run
    places: Places
    judging: Callable[[Ledger, Reader, GoOn], Awaitable[Judge]]
    pace: Callable[[], Pace]
    clocks: Clocks
    watcher: Watcher
    limit: int | None = None
    today: Today | None = None

    @property
    def spans(self) -> Spans:
        topic = self.run.topic
        return {TopicPartition(topic, at): Span(*span) for at, span in self.run.spans.items()}

    def scan(self, reader: Reader, spans: Spans) -> Scan:
        """A pass over what the run is about."""
        return Scan(reader, spans, self.clocks.steady, foreign=self.run.source == EVENTS)

    async def settle(
        self,
        ledger: Ledger,
        reader: Reader,
        written: Callable[[OpenBatch, Collection[str]], Awaitable[None]],
        go_on: GoOn,
    ) -> None:
        """See ``resolve.settle``."""
        queues, steady = self.places.queues, self.clocks.steady
        await settle(ledger, self.run.source, queues, reader, steady, written, go_on)

    async def survey(self, ledger: Ledger, reader: Reader, go_on: GoOn) -> Counts:
        """Count all of the run's spans, unless ``go_on`` ends it."""
        judge = await self.judging(ledger, reader, go_on)
        survey = Survey(judge, self.clocks.now, limit=self.limit, today=self.today)
        scan = self.scan(reader, self.spans)

        async def told() -> bool:
            self.watcher.counting(scan.left)
            return await go_on()

        await survey.run(scan, told)
        return survey.counts
