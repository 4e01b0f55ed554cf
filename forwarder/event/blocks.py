"""The parts of an event, in normal forms (mapping section 1). An absent field is ``None``."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Final

from pydantic import Field

from forwarder import normal
from forwarder.event import forms
from forwarder.event.block import Block, lazy
from forwarder.event.lenient import says_nothing

Text = Annotated[str | None, forms.TEXT]
Name = Annotated[str | None, forms.NAME]
TextOrDigest = Annotated[str | None, forms.TEXT_OR_DIGEST]
Id = Annotated[str | None, forms.ID]
Url = Annotated[str | None, forms.URL]
Boolean = Annotated[bool | None, forms.BOOLEAN]
Granted = Annotated[bool | None, forms.GRANTED]


class User(Block, title="user"):
    """Who did it. Identifiers may be given as they are or as SHA-256 digests of 64 hex digits,
    where the field says so; the forwarder normalises and hashes what a platform wants hashed.
    """

    emails: Annotated[tuple[str, ...], forms.EMAILS] = Field(
        default=(),
        validation_alias="email",
        description="E-mail address or its digest, one or a list of up to 10.",
        examples=["alice@example.com"],
    )
    phone_given: Annotated[object, forms.PHONE] = Field(
        default=None,
        validation_alias="phone",
        description="Phone number of at most 50 characters or the digest of its E.164 form, one "
        "or a list of up to 10. "
        "Best in E.164; otherwise read as dialled in `country`, else in the advertiser's region.",
        examples=["+12133734253"],
    )
    external_ids: Annotated[tuple[str, ...], forms.EXTERNAL_IDS] = Field(
        default=(),
        validation_alias="external_id",
        description="The advertiser's own id of the user or its digest, one or a list of up to 10.",
        examples=["user_123"],
    )
    first_name: Name = Field(
        default=None, description="First name of at most 256 characters, or its digest."
    )
    last_name: Name = Field(
        default=None, description="Last name of at most 256 characters, or its digest."
    )
    zip: TextOrDigest = Field(
        default=None, description="Postal code, or its digest.", examples=["90001"]
    )
    city: Annotated[str | None, forms.CITY] = Field(
        default=None, description="At most 256 characters.", examples=["Los Angeles"]
    )
    country: Annotated[str | None, forms.COUNTRY] = Field(
        default=None, description="ISO 3166-1 alpha-2.", examples=["US"]
    )
    state: Annotated[str | None, forms.STATE] = Field(
        default=None,
        description="State or region, with or without its country, of at most 256 characters.",
        examples=["CA"],
    )
    metro: Id = Field(default=None, description="Metro area.", examples=["803"])
    ip: Annotated[str | None, forms.IP] = Field(
        default=None,
        validation_alias="ip_address",
        description="The user's public IPv4 or IPv6 address; of a comma list the first.",
        examples=["203.0.113.1"],
    )
    user_agent: Text = Field(default=None, description="The browser's or app's user agent.")
    locale: Text = Field(default=None, description="BCP 47 language tag.", examples=["en-US"])
    client_id: Id = Field(default=None, description="First-party id of the browser or device.")
    att_status: Annotated[str | None, forms.ATT_STATUS] = Field(
        default=None, description="What iOS answered to App Tracking Transparency."
    )
    idfa: Annotated[str | None, forms.IDFA] = Field(
        default=None, description="Apple advertising id, or its digest; needs `att_status`' leave."
    )
    idfv: Annotated[str | None, forms.IDFV] = Field(default=None, description="Apple vendor id.")
    gaid: Annotated[str | None, forms.GAID] = Field(
        default=None, description="Google advertising id, or its digest."
    )
    tdid: Annotated[str | None, forms.GUID] = Field(
        default=None, description="Cookie id that an ad platform shares with the site: a GUID."
    )
    uid2: Annotated[str | None, forms.UID2] = Field(default=None, description="Raw UID2.")
    uid2_token: Id = Field(default=None, description="UID2 advertising token.")
    euid: Annotated[str | None, forms.UID2] = Field(default=None, description="Raw EUID.")
    euid_token: Id = Field(default=None, description="EUID advertising token.")
    ramp_id: Annotated[str | None, forms.RAMP_ID] = Field(default=None, description="RampID.")

    phone_region: ClassVar[str | None] = None
    """Alpha-2, for numbers where ``country`` is silent; an instance has its advertiser's."""

    @lazy
    def phones(self) -> tuple[str, ...]:
        """E.164 or digests, at most 10. The only field whose form can take long (25 µs)."""
        given = self.phone_given
        return given if type(given) is tuple else self._phones.forms

    @property
    def phone_dropped(self) -> bool:
        """Whether something that was given as ``phone`` has no normal form."""
        given = self.phone_given
        return given is not None and type(given) is not tuple and self._phones.dropped

    @lazy
    def _phones(self) -> normal.Many:
        if says_nothing(self.phone_given):
            return normal.Many((), dropped=False)
        region = self.country or self.phone_region
        return normal.many(self.phone_given, lambda number: normal.phone(number, region))


class Page(Block, title="page"):
    """Where it happened on the web."""

    url: Url = Field(
        default=None,
        description="URL of the page. Query values that hold an e-mail address are redacted.",
        examples=["https://shop.example/thanks?order=1001"],
    )
    referrer: Url = Field(default=None, examples=["https://shop.example/cart"])


class App(Block, title="app"):
    """Where it happened in an app."""

    app_id: Id = Field(default=None, examples=["id123456789"])
    name: Text = Field(default=None, examples=["Acme Shop"])
    version: Text = Field(default=None, examples=["7.4.1"])


class Lead(Block, title="lead"):
    """The lead that a CRM event is about."""

    lead_id: Id = Field(default=None, description="The ad platform's id of the lead.")
    lead_event_source: Text = Field(default=None, description="Name of the CRM.")


class Attribution(Block, title="attribution"):
    """What a measurement partner says of the ad behind an app event."""

    callback: Id = Field(default=None, description="Callback parameter of the ad click.")
    campaign_id: Id = None
    ad_id: Id = None
    creative_id: Id = None
    is_retargeting: Boolean = None
    attributed: Boolean = None
    attribution_type: Text = None
    attribution_provider: Text = None
    attribution_share: Annotated[float | None, forms.SHARE] = None


class Item(Block, title="items"):
    """A row of the order."""

    item_id: Id = Field(default=None, examples=["SKU-1"])
    item_name: Text = Field(default=None, examples=["Running shoe"])
    item_brand: Text = None
    item_category: Text = Field(default=None, examples=["Shoes"])
    price: Annotated[Decimal | None, forms.MONEY] = Field(
        default=None, description="Of one unit, in the event's currency.", examples=["59.90"]
    )
    quantity: Annotated[Decimal | None, forms.QUANTITY] = Field(default=None, examples=[1])


class Consent(Block, title="consent"):
    """What the user agreed to."""

    # True: granted; False: denied; None: nobody said.
    ad_storage: Granted = Field(default=None, description="Denied: the event goes nowhere.")
    ad_user_data: Granted = Field(default=None, description="Denied: the event goes nowhere.")
    ad_personalization: Granted = Field(
        default=None, description="Denied: what then happens is a setting; by default limited use."
    )
    limited_data_use: Boolean = Field(default=None, description="Limit the use (US state laws).")
    gdpr_applies: Boolean = Field(default=None, description="Whether the GDPR applies.")
    tcf: Annotated[str | None, forms.TCF] = Field(default=None, description="IAB TCF string.")
    us_privacy: Annotated[str | None, forms.US_PRIVACY] = Field(
        default=None, description="IAB US Privacy string.", examples=["1YNN"]
    )
    gpp: Annotated[str | None, forms.GPP] = Field(default=None, description="IAB GPP string.")
    gpp_sid: Annotated[tuple[int, ...], forms.SECTIONS] = Field(
        default=(), description="Sections of the GPP string that apply.", examples=[[7]]
    )
    region: Annotated[str | None, forms.REGION] = Field(
        default=None, description="Where the user is, as ISO 3166-2.", examples=["US-CA"]
    )


NO_USER: Final = User()
NO_PAGE: Final = Page()
NO_APP: Final = App()
NO_LEAD: Final = Lead()
NO_ATTRIBUTION: Final = Attribution()
NO_CONSENT: Final = Consent()
"""Absent blocks. Every event has some, and they never change."""
