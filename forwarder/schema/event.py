"""The event's JSON Schema (2020-12), made from the models that read events."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema as cs

from forwarder.destinations import click_ids
from forwarder.event import ConversionEvent
from forwarder.schema.examples import example

Json = dict[str, object]
ID: Final = "urn:conversion-forwarder:event:1"
_DESCRIPTION: Final = (
    "One first-party conversion: the value of a record on the events topic, a JSON object in "
    "UTF-8 of at most 1 MiB. Write fields as described here; other ways to write the same, such as "
    "words in another case, are mended where that can be done. Where it cannot, a required field, "
    "`value` or `currency` makes the record invalid; any other field is dropped, and the event "
    "goes on. Fields that are not described here are ignored."
)


class _ForProducers(GenerateJsonSchema):
    """Says what producers may send; how an absent field looks inside is none of their business."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - for all alike
        return False

    def default_schema(self, schema: cs.WithDefaultSchema) -> JsonSchemaValue:
        if isinstance(schema.get("default"), str):
            return super().default_schema(schema)
        return self.generate_inner(schema["schema"])


def event_schema() -> Json:
    """What producers may rely on. Stricter than the reading, which also mends what it can."""
    generated = TypeAdapter(ConversionEvent).json_schema(schema_generator=_ForProducers)
    fields = generated["properties"]
    fields["click_ids"]["properties"] = {
        name: {"type": ["string", "integer"], "description": description}
        for name, description in click_ids.DESCRIPTIONS.items()
    }
    for block in (*fields.values(), *generated["$defs"].values()):
        if "title" in block:
            block["title"] = block["title"].title()
            block["description"] = " ".join(block["description"].split())
    about = {
        "$schema": _ForProducers.schema_dialect,
        "$id": ID,
        "title": "Conversion event, version 1",
        "description": _DESCRIPTION,
        "examples": [example("purchase", "web")],
    }
    return {**about, **generated, **about}
