"""The part of ``check`` that asks: brokers and their topics, and vendors with a harmless call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from forwarder.cli.cluster import cluster
from forwarder.cli.failures import kafka_failure
from forwarder.cli.topics import differences
from forwarder.credentials import Credential
from forwarder.destinations.contract import Account
from forwarder.http.client import AiohttpClient
from forwarder.http.port import HttpAnswer, HttpClient, HttpFailure
from forwarder.kafka.port import Admin, Kafka, KafkaProblem, Unavailable
from forwarder.kafka.topics import Difference
from forwarder.problems import Problem, Problems
from forwarder.settings import Settings, bind_accounts

_OK: Final = range(200, 300)
_REFUSED: Final = (401, 403)
_TRIES: Final = 5
_PAUSE: Final = 1.0


class Findings(NamedTuple):
    """``wrong``: settings or credentials; ``failed``: who could not be asked; ``drift``: topics
    that are not as they must be; ``warnings``: what is merely suspicious.
    """

    wrong: Sequence[Problem] = ()
    failed: Sequence[Problem] = ()
    drift: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()


def online_findings(settings: Settings, credentials: Mapping[str, Credential]) -> Findings:
    """All that brokers and vendors say against these settings."""
    return asyncio.run(_findings(settings, credentials))


async def _findings(settings: Settings, credentials: Mapping[str, Credential]) -> Findings:
    http = AiohttpClient()
    try:
        kafka, vendors = await asyncio.gather(
            broker_findings(settings), vendor_findings(settings, credentials, http)
        )
    finally:
        await http.close()
    return Findings(*([*mine, *theirs] for mine, theirs in zip(kafka, vendors, strict=True)))


async def broker_findings(settings: Settings, kafka: Kafka | None = None) -> Findings:
    """Reachable, permitted, and every topic as it must be."""
    place = f"kafka {settings.kafka.bootstrap_servers}"
    admin: Admin | None = None
    try:
        admin = (kafka or cluster(settings)).admin()
        await admin.start()
        found = await differences(admin, settings)
        for group in _groups(settings):
            await _readable(admin, group)
    except KafkaProblem as problem:
        return Findings(failed=kafka_failure(problem, place).problems)
    except Problems as problems:
        return Findings(wrong=problems.problems)
    finally:
        if admin is not None:
            await admin.stop()
    return Findings(
        drift=[_told(difference) for difference in found if not _is_orphan(difference)],
        warnings=[_told(difference) for difference in found if _is_orphan(difference)],
    )


async def _readable(admin: Admin, group: str) -> None:
    """A cluster that never had a group makes their coordinator when it is first asked for."""
    for _ in range(_TRIES - 1):
        try:
            await admin.committed(group)
        except Unavailable:
            await asyncio.sleep(_PAUSE)
        else:
            return
    await admin.committed(group)


def _groups(settings: Settings) -> list[str]:
    destinations = sorted({account.destination for account in settings.accounts.values()})
    senders = [settings.kafka.sender_group(destination) for destination in destinations]
    return [settings.kafka.group_id, *senders]


def _is_orphan(difference: Difference) -> bool:
    return difference.setting == "account"


def _told(difference: Difference) -> Problem:
    place = f"topic {difference.topic}"
    if difference.setting == "topic":
        rule = "is missing, or hidden from this principal"
        return Problem(place, rule, "create it with forwarder topics create")
    if _is_orphan(difference):
        rule = "is a queue, but no account has its name"
        fix = "bring the account back as draining until the queue is empty, then delete the topic"
        return Problem(place, rule, fix)
    rule = f"{difference.setting} is {difference.found}, but must be {difference.wanted}"
    return Problem(place, rule, "change the topic: the forwarder never alters one that exists")


async def vendor_findings(
    settings: Settings, credentials: Mapping[str, Credential], http: HttpClient
) -> Findings:
    """Credentials that a vendor refuses, for vendors that have a harmless call to ask with."""
    accounts = bind_accounts(settings)
    asked = [_asked(settings, accounts[name], credentials[name], http) for name in credentials]
    found = await asyncio.gather(*asked)
    return Findings(
        wrong=[problem for one in found for problem in one.wrong],
        failed=[problem for one in found for problem in one.failed],
    )


async def _asked(
    settings: Settings, account: Account, credential: Credential, http: HttpClient
) -> Findings:
    preflight = account.preflight(credential)
    if preflight is None:
        return Findings()
    place = settings.place("accounts", account.name)
    answer = await http.send(preflight.request, settings.delivery.request_timeout)
    match answer:
        case HttpFailure(kind):
            rule = f"the vendor did not answer ({kind})"
            fix = "check base_url and the way out of this network"
            return Findings(failed=[Problem(place, rule, fix)])
        case HttpAnswer(status) if status in _OK:
            return Findings()
        case HttpAnswer(status) if status in _REFUSED:
            rule = f"the vendor refuses the credential (HTTP {status})"
            fix = "replace the key: it is unknown, expired or revoked"
            return Findings(wrong=[Problem(place, rule, fix)])
        case HttpAnswer(status):
            rule = f"the vendor could not say whether the credential works (HTTP {status})"
            return Findings(failed=[Problem(place, rule, "try again later")])
