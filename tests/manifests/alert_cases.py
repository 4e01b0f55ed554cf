"""For each alert, series under which it fires and series under which it must stay silent.

Series are written as promtool takes them (``0+60x120``: from 0, 60 more each minute, 120 times).
"""

from __future__ import annotations

from dataclasses import dataclass, field

Labels = dict[str, str]
HOURS = 3
MINUTES = 60 * HOURS
FLAT = f"x{MINUTES}"


def flat(value: float) -> str:
    """The same value for three hours."""
    return f"{value:g}+0{FLAT}"


def rising(each_minute: float) -> str:
    return f"0+{each_minute:g}{FLAT}"


@dataclass(frozen=True)
class Case:
    """``fires``: labels of each alert that must be active after ``minutes``, beside its own."""

    alert: str
    what: str
    series: dict[str, str]
    minutes: int
    fires: list[Labels] = field(default_factory=list)


A = 'account="acme"'
ACME: list[Labels] = [{"account": "acme"}]
POD: list[Labels] = [{"instance": "a"}]
DELIVERIES = "forwarder_deliveries_total"
REQUESTS = "forwarder_requests_total"
RECORDS = "forwarder_records_total"
WRITES = "forwarder_write_failures_total"


def deliveries(delivered: float, dead: float) -> dict[str, str]:
    common = f'{A},destination="tiktok"'
    return {
        f'{DELIVERIES}{{{common},outcome="delivered",reason=""}}': rising(delivered),
        f'{DELIVERIES}{{{common},outcome="dead_lettered",reason="rejected"}}': rising(dead),
    }


def requests(delivered: float, throttled: float) -> dict[str, str]:
    return {
        f'{REQUESTS}{{{A},verdict="delivered",code="0"}}': rising(delivered),
        f'{REQUESTS}{{{A},verdict="throttled",code="40100"}}': rising(throttled),
    }


def records(routed: float, invalid: float) -> dict[str, str]:
    return {
        f'{RECORDS}{{topic="conversions",outcome="routed"}}': rising(routed),
        f'{RECORDS}{{topic="conversions",outcome="invalid_event"}}': rising(invalid),
    }


def stuck(**others: str) -> dict[str, str]:
    """An old delivery waits, and nothing is sent any more."""
    return {
        f"forwarder_oldest_waiting_seconds{{{A}}}": f"0+60{FLAT}",
        f'{REQUESTS}{{{A},verdict="delivered",code="0"}}': flat(5),
        f'forwarder_breaker_open{{{A},reason=""}}': flat(0),
        f'forwarder_account_info{{{A},destination="tiktok",state="active"}}': flat(1),
    } | others


CASES = [
    Case(
        "ForwarderExpirySoon",
        "less than two hours are left, at whichever replica",
        {
            f'forwarder_seconds_to_expiry{{{A},instance="a"}}': flat(90_000),
            f'forwarder_seconds_to_expiry{{{A},instance="b"}}': f"10000-60{FLAT}",
        },
        60,
        ACME,
    ),
    Case(
        "ForwarderExpirySoon",
        "more than two hours are left",
        {f"forwarder_seconds_to_expiry{{{A}}}": flat(7_300)},
        60,
    ),
    Case(
        "ForwarderBreakerOpen",
        "open for 15 minutes, with its reason",
        {f'forwarder_breaker_open{{{A},reason="misconfigured"}}': flat(1)},
        16,
        [{"account": "acme", "reason": "misconfigured"}],
    ),
    Case(
        "ForwarderBreakerOpen",
        "open for 10 minutes only",
        {f'forwarder_breaker_open{{{A},reason="transient"}}': "1+0x10"},
        14,
    ),
    Case(
        "ForwarderBreakerOpen",
        "closed",
        {f'forwarder_breaker_open{{{A},reason=""}}': flat(0)},
        120,
    ),
    Case("ForwarderThrottled", "one in ten for an hour", requests(45, 5), 100, ACME),
    Case("ForwarderThrottled", "one in fifty", requests(49, 1), 100),
    Case("ForwarderThrottled", "not yet for an hour", requests(45, 5), 50),
    Case(
        "ForwarderThrottled",
        "nothing but a throttled request each 15 minutes, as the pauses grow",
        {
            f'{REQUESTS}{{{A},verdict="throttled",code="40100"}}': " ".join(
                f"{n}+0x14" for n in range(12)
            )
        },
        120,
        ACME,
    ),
    Case(
        "ForwarderThrottled",
        "the vendor asked for a wait of three hours",
        {f"forwarder_next_request_seconds{{{A}}}": f"10800-60{FLAT}"},
        100,
        ACME,
    ),
    Case(
        "ForwarderThrottled",
        "the vendor asks for half an hour, again and again",
        {
            f"forwarder_next_request_seconds{{{A}}}": " ".join(["1800-60x29"] * 6),
            f'{REQUESTS}{{{A},verdict="throttled",code="40100"}}': " ".join(
                f"{n}+0x29" for n in range(6)
            ),
        },
        150,
        ACME,
    ),
    Case("ForwarderDeadLettersHigh", "one in ten", deliveries(90, 10), 60, ACME),
    Case("ForwarderDeadLettersHigh", "one in a hundred", deliveries(990, 10), 60),
    Case("ForwarderDeadLettersHigh", "all, but only a few", deliveries(0, 0.5), 60),
    Case(
        "ForwarderTestCodeActive",
        "for more than an hour",
        {f"forwarder_test_code_active{{{A}}}": flat(1)},
        61,
        ACME,
    ),
    Case(
        "ForwarderTestCodeActive",
        "during a test of half an hour",
        {f"forwarder_test_code_active{{{A}}}": f"1+0x30 0+0{FLAT}"},
        100,
    ),
    Case("ForwarderNoProgress", "waiting, and nothing is sent", stuck(), 100, ACME),
    Case(
        "ForwarderNoProgress",
        "never sent anything",
        {f"forwarder_oldest_waiting_seconds{{{A}}}": rising(60)},
        100,
        ACME,
    ),
    Case(
        "ForwarderNoProgress",
        "requests go out, slowly",
        stuck() | {f'{REQUESTS}{{{A},verdict="delivered",code="0"}}': rising(0.1)},
        100,
    ),
    Case(
        "ForwarderNoProgress",
        "its breaker is open, which has its own alert",
        stuck() | {f'forwarder_breaker_open{{{A},reason="transient"}}': flat(1)},
        100,
    ),
    Case(
        "ForwarderNoProgress",
        "it is paused",
        stuck() | {f'forwarder_account_info{{{A},destination="tiktok",state="paused"}}': flat(1)},
        100,
    ),
    Case(
        "ForwarderNoProgress",
        "the vendor asked for a wait of two hours",
        stuck() | {f"forwarder_next_request_seconds{{{A}}}": f"7200-60{FLAT}"},
        100,
    ),
    Case(
        "ForwarderNoProgress",
        "nothing waits",
        {f"forwarder_waiting{{{A}}}": flat(0)},
        100,
    ),
    Case(
        "ForwarderAccountWithoutOwner",
        "all replicas know the account, none has its queue",
        {
            f'forwarder_account_info{{{A},destination="tiktok",state="active",instance="a"}}': flat(
                1
            ),
            f'forwarder_account_info{{{A},destination="tiktok",state="active",instance="b"}}': flat(
                1
            ),
        },
        11,
        [{"account": "acme", "destination": "tiktok"}],
    ),
    Case(
        "ForwarderAccountWithoutOwner",
        "another replica has its queue",
        {
            f'forwarder_account_info{{{A},destination="tiktok",state="active",instance="a"}}': flat(
                1
            ),
            f'forwarder_waiting{{{A},instance="b"}}': flat(0),
        },
        60,
    ),
    Case(
        "ForwarderInvalidRatioHigh",
        "one in ten",
        records(90, 10),
        60,
        [{"topic": "conversions"}],
    ),
    Case("ForwarderInvalidRatioHigh", "one in a hundred", records(990, 10), 60),
    Case("ForwarderInvalidRatioHigh", "all, but only a few", records(0, 1), 60),
    Case(
        "ForwarderEventsLagGrowing",
        "much and growing, over two partitions at two replicas",
        {
            'forwarder_events_lag{partition="0",instance="a"}': rising(300),
            'forwarder_events_lag{partition="1",instance="b"}': rising(300),
        },
        60,
        [{}],
    ),
    Case(
        "ForwarderEventsLagGrowing",
        "much and shrinking",
        {'forwarder_events_lag{partition="0"}': f"900000-600{FLAT}"},
        60,
    ),
    Case(
        "ForwarderEventsLagGrowing",
        "growing and small",
        {'forwarder_events_lag{partition="0"}': rising(10)},
        60,
    ),
    Case(
        "ForwarderRetriesOverdue",
        "by ten minutes",
        {'forwarder_retry_overdue_seconds{tier="10m"}': flat(600)},
        15,
        [{"tier": "10m"}],
    ),
    Case(
        "ForwarderRetriesOverdue",
        "by a minute",
        {'forwarder_retry_overdue_seconds{tier="10m"}': flat(60)},
        60,
    ),
    Case("ForwarderDown", "no replica, ever", {"up": flat(0)}, 6, [{}]),
    Case(
        "ForwarderDown",
        "all replicas of one namespace of two are gone",
        {
            'forwarder_build_info{namespace="prod",instance="a"}': "1+0x30",
            'forwarder_build_info{namespace="staging",instance="b"}': flat(1),
        },
        45,
        [{"namespace": "prod"}],
    ),
    Case(
        "ForwarderNoRouter",
        "only senders are left",
        {
            'forwarder_build_info{namespace="prod",instance="a"}': flat(1),
            'forwarder_commit_age_seconds{namespace="prod",instance="a",role="sender"}': flat(1),
            'forwarder_commit_age_seconds{namespace="prod",instance="b",role="router"}': "1+0x20",
        },
        40,
        [{"namespace": "prod"}],
    ),
    Case(
        "ForwarderNoRouter",
        "one of the replicas routes",
        {
            'forwarder_build_info{namespace="prod",instance="a"}': flat(1),
            'forwarder_build_info{namespace="prod",instance="b"}': flat(1),
            'forwarder_commit_age_seconds{namespace="prod",instance="b",role="router"}': flat(1),
        },
        40,
    ),
    Case(
        "ForwarderDown",
        "one replica of two",
        {'forwarder_build_info{version="1",config_hash="a"}': flat(1)},
        60,
    ),
    Case(
        "ForwarderKafkaUnreachable",
        "for five minutes, at one replica",
        {
            'forwarder_kafka_reachable{instance="a"}': flat(0),
            'forwarder_kafka_reachable{instance="b"}': flat(1),
        },
        5,
        POD,
    ),
    Case(
        "ForwarderKafkaUnreachable",
        "for a minute",
        {'forwarder_kafka_reachable{instance="a"}': f"1 0 1+0{FLAT}"},
        5,
    ),
    Case(
        "ForwarderCommitsStalled",
        "for five minutes",
        {
            'forwarder_commit_age_seconds{role="sender",instance="a"}': rising(60),
            'forwarder_commit_age_seconds{role="router",instance="a"}': flat(1),
            'forwarder_kafka_reachable{instance="a"}': flat(1),
        },
        6,
        [{"instance": "a", "role": "sender"}],
    ),
    Case(
        "ForwarderCommitsStalled",
        "since Kafka is away, which has its own alert",
        {
            'forwarder_commit_age_seconds{role="sender",instance="a"}': rising(60),
            'forwarder_kafka_reachable{instance="a"}': flat(0),
        },
        60,
    ),
    Case(
        "ForwarderCommitsStalled",
        "commits flow",
        {'forwarder_commit_age_seconds{role="sender",instance="a"}': flat(2)},
        60,
    ),
    Case(
        "ForwarderDeadLetterWritesFailing",
        "for ten minutes",
        {f'{WRITES}{{topic="conversions.dlq"}}': rising(6)},
        10,
        [{"topic": "conversions.dlq"}],
    ),
    Case(
        "ForwarderDeadLetterWritesFailing",
        "once, long ago; and another topic",
        {
            f'{WRITES}{{topic="conversions.dlq"}}': f"0 1+0{FLAT}",
            f'{WRITES}{{topic="conversions.queue.acme"}}': rising(6),
        },
        60,
    ),
    Case(
        "ForwarderQueueWritesFailing",
        "a queue and a retry topic, for ten minutes",
        {
            f'{WRITES}{{topic="conversions.queue.acme"}}': rising(6),
            f'{WRITES}{{topic="conversions.retry.1m"}}': rising(6),
        },
        10,
        [{"topic": "conversions.queue.acme"}, {"topic": "conversions.retry.1m"}],
    ),
    Case(
        "ForwarderQueueWritesFailing",
        "only the dead letters, which have their own alert",
        {f'{WRITES}{{topic="conversions.dlq"}}': rising(6)},
        60,
    ),
]
