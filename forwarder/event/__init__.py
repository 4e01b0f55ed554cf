"""The event, version 1: one schema for all producers, read leniently.

Required fields and the money rules make an event invalid; every other field that fails its normal
form is dropped, noted in ``dropped``, and the event goes on. Attributes hold normal forms (mapping
section 1), or ``None`` or empty.
"""

from forwarder.event.blocks import (
    NO_CONSENT,
    App,
    Attribution,
    Consent,
    Item,
    Lead,
    Page,
    User,
)
from forwarder.event.conversion import (
    ActionSource,
    AdvertiserDefaults,
    ConversionEvent,
    CustomerType,
)
from forwarder.event.decoding import (
    MAX_AHEAD,
    MAX_BYTES,
    FieldError,
    InvalidEvent,
    decode,
    decode_checked,
)
from forwarder.event.forms import Scalar
from forwarder.event.framing import parsed, unframed
from forwarder.event.peeking import Peeked, peek

__all__ = [
    "MAX_AHEAD",
    "MAX_BYTES",
    "NO_CONSENT",
    "ActionSource",
    "AdvertiserDefaults",
    "App",
    "Attribution",
    "Consent",
    "ConversionEvent",
    "CustomerType",
    "FieldError",
    "InvalidEvent",
    "Item",
    "Lead",
    "Page",
    "Peeked",
    "Scalar",
    "User",
    "decode",
    "decode_checked",
    "parsed",
    "peek",
    "unframed",
]
