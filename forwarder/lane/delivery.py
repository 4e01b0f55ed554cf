"""What moves through a lane: deliveries, the groups they are sent in, attempts and writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from forwarder.credentials import Credential
from forwarder.destinations.contract import Item
from forwarder.http.port import HttpRequest
from forwarder.kafka.port import Record

WAITING: Final = 0
IN_FLIGHT: Final = 1
WRITING: Final = 2
FINISHED: Final = 3


@dataclass(eq=False, slots=True)
class Delivery:
    """One (event, account) pair in the window: its record, and what earlier rounds left in its
    headers. ``first_failed_at``, ``arrived`` (in the lane): epoch seconds. ``size``: raw bytes.

    ``group``: where it waits; ``None``: in its turn, with the window. An entry in another place
    is out of date and passed over, so that moving a delivery costs nothing.
    """

    record: Record
    origin: str
    attempts: int
    replays: int
    retries: int
    first_failed_at: float | None
    run: str | None
    offset: int = -1
    size: int = 0
    arrived: float = 0.0
    state: int = WAITING
    group: Group | None = None
    item: Item | None = None
    event_id: str | None = None
    event_time: float | None = None


@dataclass(eq=False, slots=True)
class Isolation:
    """The way of one refused batch down to the deliveries at fault. ``proven``: something has
    shown since that the account itself is not, so it runs to the bottom.
    """

    proven: bool = False


@dataclass(eq=False, slots=True)
class Group:
    """Deliveries that are sent together, and sent again as exactly this group.

    ``since``: when it was formed; ``due``: not sent again before. ``failures``: transient failures
    of this group; ``charged``: those that count as attempts of its one delivery. ``mark``: how many
    requests had been delivered when it first failed. ``pair``: codes with which the two halves of
    one group were refused, shared by both.
    """

    deliveries: tuple[Delivery, ...]
    since: float
    due: float = 0.0
    failures: int = 0
    charged: int = 0
    first_failed_at: float | None = None
    mark: int = 0
    isolation: Isolation | None = None
    pair: list[str] | None = None

    def waiting(self) -> tuple[Delivery, ...]:
        """Its deliveries that have not ended or moved elsewhere meanwhile."""
        return tuple(d for d in self.deliveries if d.state == WAITING and d.group is self)

    @property
    def proven(self) -> bool:
        return self.isolation is not None and self.isolation.proven

    @property
    def unmarked(self) -> bool:
        """Nothing is known of it that its deliveries would not say by themselves."""
        return self.isolation is None and self.pair is None and not (self.failures or self.charged)


@dataclass(eq=False, slots=True)
class Attempt:
    """One request that the lane wants sent, and the deliveries in it. ``number`` counts up."""

    request: HttpRequest
    deliveries: tuple[Delivery, ...]
    credential: Credential
    probe: bool
    group: Group = field(repr=False)
    number: int = 0


class WriteKind(StrEnum):
    DEAD_LETTER = "dead_letter"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Write:
    """A delivery that must leave the lane by a record, and is finished once that is acknowledged.

    ``reason``, ``code``, ``message`` become headers. ``RETRY`` goes to the retry topic number
    ``tier`` (0: 1m, 1: 10m, 2: 1h). ``attempts`` and ``retries`` are the values to write.
    """

    kind: WriteKind
    delivery: Delivery
    reason: str
    code: str
    message: str
    tier: int
    attempts: int
    retries: int
    first_failed_at: float
    failed_at: float
