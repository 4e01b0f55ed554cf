"""The event as a whole: its parts, what was dropped of them, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal, NamedTuple

from forwarder.event.blocks import (
    NO_APP,
    NO_ATTRIBUTION,
    NO_CONSENT,
    NO_LEAD,
    NO_PAGE,
    NO_USER,
    App,
    Attribution,
    Consent,
    Item,
    Lead,
    Page,
    Scalar,
    User,
    read_click_ids,
    read_items,
    read_properties,
)
from forwarder.event.reading import Block, Forms, lazy, one_of, says_nothing, text
from forwarder.normal import identifier

ActionSource = Literal["web", "app", "offline", "crm"]
CustomerType = Literal["new", "returning"]


@dataclass(frozen=True, slots=True)
class AdvertiserDefaults:
    """What an advertiser's events take where they say nothing. ``phone_region``: alpha-2."""

    currency: str | None = None
    phone_region: str | None = None


class Checked(NamedTuple):
    """What makes an event one: its required fields and its money, read and found right."""

    schema_version: str
    event_id: str
    event_name: str
    event_time: float
    advertiser: str
    value: Decimal | None
    currency: str | None
    defaults: AdvertiserDefaults


class ConversionEvent(Block):
    """One conversion, in normal forms. Made by ``decode`` and ``decode_checked``.

    Required fields, money and single optional fields are read at once; the blocks when they are
    first asked for, and in ``user`` the lists of e-mails, phones and external ids again only then.
    Reading never raises: a field without a normal form is ``None`` or empty, and in ``dropped``.
    """

    PATH = ""
    CHECKED = frozenset(Checked._fields) - {"defaults"}
    FORMS: ClassVar[Forms] = {
        "action_source": one_of("web", "app", "offline", "crm", case=str.lower),
        "session_id": identifier,
        "shop_id": identifier,
        "order_id": identifier,
        "search_term": text,
        "description": text,
        "customer_type": one_of("new", "returning", case=str.lower),
    }
    _BLOCKS: ClassVar = ("user", "page", "app", "lead", "attribution", "consent")
    LAZY: ClassVar[Mapping[str, str]] = {
        name: name for name in (*_BLOCKS, "destinations", "click_ids", "items", "properties")
    }
    action_source: ActionSource = "web"
    session_id: str | None = None
    shop_id: str | None = None
    order_id: str | None = None
    search_term: str | None = None
    description: str | None = None
    customer_type: CustomerType | None = None

    def __init__(self, body: Mapping[str, object], checked: Checked) -> None:
        super().__init__(body, {})
        self.schema_version = checked.schema_version
        self.event_id = checked.event_id
        self.event_name = checked.event_name  # as published, trimmed
        self.event_time = checked.event_time  # epoch seconds
        self.advertiser = checked.advertiser
        self.value = checked.value  # money form
        self.currency = checked.currency  # its own; with a value and none, the advertiser's
        self.defaults = checked.defaults

    @lazy
    def destinations(self) -> tuple[str, ...] | None:
        """Kinds of vendors, lower-case; ``None``: all. A single name is a list of one. Whatever
        else is no list names nobody: a wish to narrow must never widen.
        """
        given = self._given.get("destinations")
        if says_nothing(given):
            return None
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list):
            self._drop("destinations")
            return ()
        return tuple(one.strip().lower() if isinstance(one, str) else "" for one in names)

    @lazy
    def user(self) -> User:
        given = self._given.get("user")
        return NO_USER if given is None else User(given, self._dropped, self.defaults.phone_region)

    @lazy
    def click_ids(self) -> Mapping[str, str]:
        """By name, as landing pages get them; those of no known vendor too."""
        return read_click_ids(self._given.get("click_ids"), self._dropped)

    @lazy
    def page(self) -> Page:
        given = self._given.get("page")
        return NO_PAGE if given is None else Page(given, self._dropped)

    @lazy
    def app(self) -> App:
        given = self._given.get("app")
        return NO_APP if given is None else App(given, self._dropped)

    @lazy
    def lead(self) -> Lead:
        given = self._given.get("lead")
        return NO_LEAD if given is None else Lead(given, self._dropped)

    @lazy
    def attribution(self) -> Attribution:
        given = self._given.get("attribution")
        return NO_ATTRIBUTION if given is None else Attribution(given, self._dropped)

    @lazy
    def items(self) -> tuple[Item, ...]:
        """The rows of the order, at most 500."""
        return read_items(self._given.get("items"), self._dropped)

    @lazy
    def consent(self) -> Consent:
        given = self._given.get("consent")
        return NO_CONSENT if given is None else Consent(given, self._dropped)

    @lazy
    def properties(self) -> Mapping[str, Scalar]:
        """Custom data, at most 50 scalars, unchanged."""
        return read_properties(self._given.get("properties"), self._dropped)

    @property
    def dropped(self) -> Sequence[str]:
        """Paths of the fields that were given and have no normal form, each once, rows of ``items``
        and names in free-form objects not told apart. Reads what was not read yet.
        """
        self.settle()
        self.user.settle()
        return tuple(self._dropped)

    def unknown_fields(self) -> Sequence[str]:
        """Paths of the fields that the schema does not know, each once."""
        return tuple(dict.fromkeys(self._unknown()))

    def _unknown(self) -> Iterator[str]:
        yield from self.unknown()
        for name in self._BLOCKS:
            if name in self._given:
                yield from getattr(self, name).unknown()
        for item in self.items:
            yield from item.unknown()
