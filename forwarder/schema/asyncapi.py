"""The topics and their headers as AsyncAPI 3."""

from __future__ import annotations

from typing import Final

Json = dict[str, object]
EVENT_FILE: Final = "event.schema.json"
_PREFIX: Final = "conversions"
_JSON_SCHEMA: Final = "application/schema+json;version=draft-2020-12"

_COUNT: Final[Json] = {"type": "string", "pattern": "^[0-9]+$"}
_TIME: Final[Json] = {"type": "string", "format": "date-time"}
_TEXT: Final[Json] = {"type": "string"}
_REASONS: Final = (
    "invalid_event",
    "undecodable",
    "unsupported_version",
    "oversize",
    "unrouted",
    "unknown_account",
    "rejected",
    "expired",
    "exhausted",
)

_ORIGIN: Final[Json] = {
    "forwarder-origin": _TEXT | {"description": "`topic/partition/offset` of the first record."}
}
_PROGRESS: Final[Json] = {
    "forwarder-attempts": _COUNT | {"description": "Requests that failed on it."},
    "forwarder-retries": _COUNT | {"description": "Rounds through the retry topics so far."},
    "forwarder-replays": _COUNT | {"description": "Times that an operator sent it again."},
    "forwarder-first-failed-at": _TIME | {"description": "Starts the clock of `give_up`."},
    "forwarder-last-failed-at": _TIME,
    "forwarder-run": _TEXT | {"description": "The replay that sent it again last."},
}
_TROUBLE: Final[Json] = {
    "forwarder-account": _TEXT | {"description": "Absent: the record is invalid or unrouted."},
    "forwarder-destination": _TEXT | {"description": "Absent: the record is invalid or unrouted."},
    "forwarder-code": _TEXT | {"description": "The platform's code, or `local.<rule>`."},
    "forwarder-message": _TEXT | {"description": "Why, without personal data or credentials."},
}
_DESCRIBED: Final[Json] = {
    "forwarder-event-id": _TEXT,
    "forwarder-event-name": _TEXT,
    "forwarder-event-time": _TIME,
    "forwarder-advertiser": _TEXT,
    "forwarder-order-id": _TEXT,
}
_TRACE: Final[Json] = {
    "traceparent": _TEXT | {"description": "W3C trace context: travels along, never sent on."}
}


def _reason(*reasons: str) -> Json:
    return {"forwarder-reason": {"type": "string", "enum": list(reasons)}}


def _message(title: str, summary: str, headers: Json, required: tuple[str, ...] = ()) -> Json:
    schema: Json = {"type": "object", "properties": headers | _TRACE}
    if required:
        schema["required"] = list(required)
    return {
        "title": title,
        "summary": summary,
        "contentType": "application/json",
        "headers": schema,
        "payload": {"schemaFormat": _JSON_SCHEMA, "schema": {"$ref": f"./{EVENT_FILE}"}},
    }


_MESSAGES: Final[Json] = {
    "event": _message(
        "Event",
        "One conversion, as producers publish it. Any key will do; `event_id` is a good one. "
        "Confluent-framed JSON is accepted. Headers named forwarder-* are ignored.",
        {},
    ),
    "delivery": _message(
        "Delivery",
        "One event for one account: the event's own key and bytes.",
        _ORIGIN | _PROGRESS,
        ("forwarder-origin",),
    ),
    "retry": _message(
        "Delivery that waits",
        "Due when the record's timestamp plus the topic's delay has passed.",
        _ORIGIN | _PROGRESS | _TROUBLE | _reason("transient"),
        ("forwarder-origin", "forwarder-account", "forwarder-reason"),
    ),
    "deadLetter": _message(
        "Dead letter",
        "An event that ended undelivered: its own key and bytes; one that was too large to be "
        "kept has no value.",
        _ORIGIN | _PROGRESS | _TROUBLE | _reason(*_REASONS) | _DESCRIBED,
        ("forwarder-origin", "forwarder-reason"),
    ),
}


def _channel(address: str, message: str, description: str, **more: object) -> Json:
    return {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        **more,
    }


_CHANNELS: Final[Json] = {
    "events": _channel(
        _PREFIX,
        "event",
        "What producers publish, and all that they need to know. Its name is a setting.",
        bindings={"kafka": {"topic": _PREFIX, "partitions": 24, "bindingVersion": "0.5.0"}},
    ),
    "queue": _channel(
        f"{_PREFIX}.queue.{{account}}",
        "delivery",
        "The queue of one account; its lag is what waits for that account.",
        parameters={"account": {"description": "Name of the account in the settings."}},
        bindings={"kafka": {"partitions": 1, "bindingVersion": "0.5.0"}},
    ),
    "retry": _channel(
        f"{_PREFIX}.retry.{{delay}}",
        "retry",
        "Deliveries that wait outside their queue, one topic for each delay.",
        parameters={
            "delay": {"description": "How long they wait.", "enum": ["1m", "10m", "1h"]},
        },
    ),
    "dlq": _channel(f"{_PREFIX}.dlq", "deadLetter", "What could not be delivered, and why."),
}


def _operation(action: str, channel: str, summary: str) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
    }


def asyncapi() -> Json:
    """The document. Its version is that of the event's schema."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Conversion forwarder",
            "version": "1",
            "description": "Topics by their default names. Producers write to `events` alone; the "
            "others belong to the forwarder and may be read by anybody.",
        },
        "defaultContentType": "application/json",
        "channels": _CHANNELS,
        "operations": {
            "receiveEvent": _operation("receive", "events", "Read, check and route an event."),
            "queueDelivery": _operation("send", "queue", "Hand an event to an account."),
            "receiveDelivery": _operation("receive", "queue", "Send it to the ad platform."),
            "postponeDelivery": _operation("send", "retry", "Try this one again later."),
            "receiveRetry": _operation("receive", "retry", "Hand it to its account again."),
            "buryEvent": _operation("send", "dlq", "Keep what could not be delivered."),
        },
        "components": {"messages": _MESSAGES},
    }
