"""The event as a whole: its parts, what was dropped of them, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from forwarder.event import forms, required
from forwarder.event.block import EVENT, Block, forget_unknown
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
    Id,
    Item,
    Lead,
    Page,
    Text,
    User,
)
from forwarder.event.forms import Scalar
from forwarder.event.lenient import Nested, Rows

ActionSource = Literal["web", "app", "offline", "crm"]
CustomerType = Literal["new", "returning"]
MAX_ITEMS: Final = 500


@dataclass(frozen=True, slots=True)
class AdvertiserDefaults:
    """What an advertiser's events take where they say nothing. ``phone_region``: alpha-2."""

    currency: str | None = None
    phone_region: str | None = None


class ConversionEvent(Block, title=EVENT):
    """One conversion, in normal forms. Made by ``decode`` and ``decode_checked``, never changed.

    All fields are read at once, but ``user.phones``, which is read on first access.
    """

    schema_version: Annotated[str, required.VERSION] = Field(
        default="1", description="Version of this schema."
    )
    event_id: Annotated[str, required.ID] = Field(
        description="The key by which repeats of the event are known everywhere. The browser pixel "
        "must send the same id for the same event.",
        examples=["order-1001"],
    )
    event_name: Annotated[str, required.NAME] = Field(
        description="A standard name such as `purchase`, or a custom one.", examples=["purchase"]
    )
    event_time: Annotated[float, required.TIME] = Field(
        description="When it happened: RFC 3339 with an offset, or epoch seconds, milliseconds or "
        "microseconds. Not before 2010, at most 10 minutes ahead.",
        examples=["2026-03-14T15:09:26Z", 1773500966],
    )
    advertiser: Annotated[str, required.ID] = Field(
        description="Whose conversion it is: decides which accounts get it.", examples=["acme"]
    )
    action_source: Annotated[ActionSource, forms.ACTION_SOURCE] = Field(
        default="web", description="Where it happened."
    )
    destinations: Annotated[tuple[str, ...] | None, forms.DESTINATIONS] = Field(
        default=None,
        description="Kinds of ad platforms that may have the event. Absent: all; empty: none.",
    )
    user: Annotated[User, Nested(NO_USER)] = NO_USER
    click_ids: Annotated[Mapping[str, str], forms.CLICK_IDS] = Field(
        default=forms.NO_ENTRIES,
        description="Ids that ad platforms add to landing pages or keep in cookies, by name.",
    )
    session_id: Id = None
    shop_id: Id = None
    order_id: Id = Field(default=None, examples=["1001"])
    search_term: Text = Field(default=None, description="What the user searched for.")
    description: Text = None
    customer_type: Annotated[CustomerType | None, forms.CUSTOMER_TYPE] = None
    page: Annotated[Page, Nested(NO_PAGE)] = NO_PAGE
    app: Annotated[App, Nested(NO_APP)] = NO_APP
    lead: Annotated[Lead, Nested(NO_LEAD)] = NO_LEAD
    attribution: Annotated[Attribution, Nested(NO_ATTRIBUTION)] = NO_ATTRIBUTION
    value: Annotated[Decimal | None, required.VALUE] = Field(
        default=None,
        description="What the conversion is worth, in major units. Needs a currency, its own or "
        "the advertiser's default.",
        examples=["129.90"],
    )
    currency: Annotated[str | None, required.CURRENCY] = Field(
        default=None, description="ISO 4217.", examples=["USD"]
    )
    items: Annotated[tuple[Item, ...], Rows(Item, MAX_ITEMS)] = ()
    consent: Annotated[Consent, Nested(NO_CONSENT)] = NO_CONSENT
    properties: Annotated[Mapping[str, Scalar], forms.PROPERTIES] = Field(
        default=forms.NO_ENTRIES,
        description="Custom data: up to 50 strings, numbers and booleans.",
    )

    defaults: ClassVar[AdvertiserDefaults] = AdvertiserDefaults()
    """What its advertiser's events take where they say nothing; set by ``decode``."""
    noted: ClassVar[Sequence[str]] = ()
    """Paths noted while reading; set by ``decode``."""
    unknown: ClassVar[Sequence[str]] = ()
    """See ``unknown_fields``; set by ``decode``."""

    @property
    def dropped(self) -> Sequence[str]:
        """Paths of the fields that were given and have no normal form, each once; rows of ``items``
        and names in free-form objects are not told apart.
        """
        if self.user.phone_dropped:
            return tuple(dict.fromkeys([*self.noted, "user.phone"]))
        return tuple(dict.fromkeys(self.noted)) if self.noted else ()

    def unknown_fields(self) -> Sequence[str]:
        """Paths of the fields that the schema does not know, each once."""
        return self.unknown


def forget_all_unknown(event: ConversionEvent) -> Iterator[str]:
    """Take what the schema does not know out of an event that was just read; the paths."""
    yield from forget_unknown(event)
    for name in _BLOCKS:
        block: Block = getattr(event, name)
        if block is not getattr(ConversionEvent, name):  # else it is shared, and nothing was read
            yield from (f"{name}.{field}" for field in forget_unknown(block))
    for item in event.items:
        yield from (f"items.{field}" for field in forget_unknown(item))


_BLOCKS: Final = ("user", "page", "app", "lead", "attribution", "consent")
