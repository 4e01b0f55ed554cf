"""What a consent permits (mapping section 4)."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from forwarder.consent import ConsentDecision, ConsentPolicy, evaluate, us_region
from forwarder.event import ConversionEvent, decode

Json = dict[str, object]


def event(consent: Json | None = None, **user: object) -> ConversionEvent:
    body = {
        "event_id": "1",
        "event_name": "purchase",
        "event_time": 1_700_000_000,
        "advertiser": "acme",
        "consent": consent,
        "user": user,
    }
    return decode(json.dumps(body).encode(), {}, 1_700_000_000.0)


def judge(
    consent: Json, policy: ConsentPolicy | None = None, *, sends_tcf: bool = False
) -> ConsentDecision:
    return evaluate(event(consent).consent, policy or ConsentPolicy(), sends_tcf=sends_tcf)


DENIED = ConsentDecision("consent_denied", None)
MISSING = ConsentDecision("consent_missing", None)
UNSAID = ConsentDecision(None, None)
LIMITED = ConsentDecision(None, True)
UNLIMITED = ConsentDecision(None, False)


@pytest.mark.parametrize("name", ["ad_storage", "ad_user_data"])
@pytest.mark.parametrize("word", ["denied", "DENIED", " Denied "])
def test_a_refusal_stops_the_event(name: str, word: str) -> None:
    assert judge({name: word}) == DENIED


@pytest.mark.parametrize(
    "consent",
    [{}, {"ad_storage": "granted", "ad_user_data": "GRANTED"}, {"ad_storage": None}],
)
def test_what_is_not_refused_passes(consent: Json) -> None:
    assert judge(consent) == UNSAID


@pytest.mark.parametrize(
    ("consent", "decision"),
    [
        ({"ad_storage": "granted"}, UNSAID),
        ({}, MISSING),
        ({"ad_storage": "maybe"}, MISSING),
        ({"ad_storage": "denied"}, DENIED),
    ],
)
def test_a_required_consent_must_be_granted(consent: Json, decision: ConsentDecision) -> None:
    assert judge(consent, ConsentPolicy(require=("ad_storage",))) == decision


@pytest.mark.parametrize(
    ("consent", "sends_tcf", "decision"),
    [
        ({"gdpr_applies": True}, False, MISSING),
        ({"gdpr_applies": True}, True, MISSING),
        ({"gdpr_applies": True, "tcf": "CPxyz"}, False, MISSING),
        ({"gdpr_applies": True, "tcf": "CPxyz"}, True, UNSAID),
        ({"gdpr_applies": True, "tcf": "BOxyz"}, True, MISSING),
        ({"gdpr_applies": True, "ad_user_data": "granted"}, False, UNSAID),
        ({"gdpr_applies": True, "ad_user_data": "denied", "tcf": "CPxyz"}, True, DENIED),
        ({"gdpr_applies": False}, False, UNSAID),
    ],
)
def test_where_the_gdpr_applies_silence_is_no_consent(
    consent: Json, sends_tcf: bool, decision: ConsentDecision
) -> None:
    assert judge(consent, sends_tcf=sends_tcf) == decision


@pytest.mark.parametrize(
    ("consent", "denied", "decision"),
    [
        ({"limited_data_use": True}, "limit", LIMITED),
        ({"limited_data_use": False}, "limit", UNLIMITED),
        ({"limited_data_use": False, "us_privacy": "1YYN"}, "limit", UNLIMITED),
        ({"limited_data_use": False, "ad_personalization": "denied"}, "skip", UNLIMITED),
        ({"us_privacy": "1YYN"}, "limit", LIMITED),
        ({"us_privacy": "1nyn"}, "limit", LIMITED),
        ({"us_privacy": "1YNN"}, "limit", UNSAID),
        ({"us_privacy": "1---"}, "limit", UNSAID),
        ({"us_privacy": "2YYN"}, "limit", UNSAID),
        ({"us_privacy": "1YYN", "ad_personalization": "denied"}, "skip", LIMITED),
        ({"ad_personalization": "denied"}, "limit", LIMITED),
        ({"ad_personalization": "denied"}, "send", UNSAID),
        ({"ad_personalization": "denied"}, "skip", DENIED),
        ({"ad_personalization": "granted"}, "skip", UNSAID),
    ],
)
def test_limited_use(
    consent: Json, denied: Literal["send", "limit", "skip"], decision: ConsentDecision
) -> None:
    assert judge(consent, ConsentPolicy(personalization_denied=denied)) == decision


@pytest.mark.parametrize(
    ("consent", "user", "fallback", "region"),
    [
        ({"region": "US-CA"}, {}, None, "US-CA"),
        ({"region": "us-ca"}, {}, None, "US-CA"),
        ({"region": "DE-BE"}, {"country": "US", "state": "ny"}, "US-VA", "US-NY"),
        ({}, {"country": "US", "state": "US-NY"}, None, "US-NY"),
        ({}, {"country": "US", "state": "New York"}, "US-VA", "US-VA"),
        ({}, {"country": "CA", "state": "ON"}, None, None),
        ({}, {"state": "CA"}, "US-CA", "US-CA"),
    ],
)
def test_the_region_whose_law_limits_the_use(
    consent: Json, user: Json, fallback: str | None, region: str | None
) -> None:
    assert us_region(event(consent, **user), fallback) == region
