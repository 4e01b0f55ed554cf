"""What producers build on, as files: JSON Schema, AsyncAPI, and an example of every event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from forwarder.schema.asyncapi import EVENT_FILE, asyncapi
from forwarder.schema.event import event_schema
from forwarder.schema.examples import examples

__all__ = ["files", "write_schemas"]


def files() -> Iterator[tuple[str, str]]:
    """Path below the folder, and text, of each file."""
    yield EVENT_FILE, _text(event_schema())
    yield "asyncapi.json", _text(asyncapi())
    for name, example in examples():
        yield f"examples/{name}", _text(example)


def write_schemas(out: Path) -> list[Path]:
    """Write all files below ``out``; returns their paths. Raises ``OSError``."""
    (out / "examples").mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files():
        path = out / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
