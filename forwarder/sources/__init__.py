"""What other tools write, translated into native events (mapping section 6). Pure."""

from collections.abc import Mapping
from typing import Final, Literal

from forwarder.sources import ga4, segment
from forwarder.sources.contract import Native, Note, Options, Source, Translation

Format = Literal["native", "ga4", "segment"]
"""What records hold: events of the schema, or what a tool writes."""

SOURCES: Final[Mapping[str, Source]] = {"ga4": ga4.translate, "segment": segment.translate}
"""By format. ``native`` needs none."""

__all__ = ["SOURCES", "Format", "Native", "Note", "Options", "Source", "Translation"]
