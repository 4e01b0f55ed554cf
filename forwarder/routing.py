"""Which accounts an event is for, by its advertiser and its ``destinations``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from forwarder.event import ConversionEvent

EVERY_ADVERTISER: Final = "*"


class _Settings(Protocol):
    @property
    def destination(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def advertisers(self) -> tuple[str, ...]: ...


class Routable(Protocol):
    """What routing needs of an account; ``destinations.contract.Account`` is one."""

    @property
    def settings(self) -> _Settings: ...


@dataclass(frozen=True, slots=True)
class Route:
    """Names of accounts, in the order of the settings file.

    ``accounts`` should have the event; ``not_targeted`` take the advertiser's events, but this one
    names other destinations. With both empty nobody takes its advertiser: it is ``unrouted``.
    ``unknown``: how many of its destinations nobody knows.
    """

    accounts: tuple[str, ...] = ()
    not_targeted: tuple[str, ...] = ()
    unknown: int = 0

    @property
    def unrouted(self) -> bool:
        return not self.accounts and not self.not_targeted


class Routing:
    """The accounts of a settings file, indexed by advertiser. Call it with an event.

    A paused account is routed to: its queue fills. A draining one is not; an advertiser that only
    draining accounts list is unrouted, so that its events do not vanish. ``destinations`` of an
    event name kinds of vendors, not accounts. ``kinds``: those that are known beside the ones that
    accounts use, so that naming a vendor without an account is no mistake.
    """

    def __init__(self, accounts: Mapping[str, Routable], kinds: Collection[str] = ()) -> None:
        routed = {name: a for name, a in accounts.items() if a.settings.state != "draining"}
        self._kinds = {*kinds, *(account.settings.destination for account in accounts.values())}
        self._kind_of = {name: account.settings.destination for name, account in routed.items()}
        listed = {name: frozenset(account.settings.advertisers) for name, account in routed.items()}
        self._by_advertiser = {
            advertiser: _takers(advertiser, listed)
            for advertiser in {EVERY_ADVERTISER}.union(*listed.values())
        }
        self._others = self._by_advertiser[EVERY_ADVERTISER]

    def __call__(self, event: ConversionEvent) -> Route:
        everyone = self._by_advertiser.get(event.advertiser, self._others)
        if event.destinations is None:
            return everyone
        return self._targeted(everyone.accounts, event.destinations)

    def _targeted(self, names: tuple[str, ...], destinations: tuple[str, ...]) -> Route:
        kinds = self._kind_of
        return Route(
            accounts=tuple(name for name in names if kinds[name] in destinations),
            not_targeted=tuple(name for name in names if kinds[name] not in destinations),
            unknown=sum(kind not in self._kinds for kind in destinations),
        )


def _takers(advertiser: str, listed: Mapping[str, frozenset[str]]) -> Route:
    wanted = {advertiser, EVERY_ADVERTISER}
    return Route(accounts=tuple(name for name, lists in listed.items() if lists & wanted))
