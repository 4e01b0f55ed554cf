"""A set of places in topics, small enough for millions."""

from __future__ import annotations

from typing import Final, NamedTuple

PAGE: Final = 4096


class Place(NamedTuple):
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def place(text: str) -> Place | None:
    """The place that ``topic/partition/offset`` names."""
    parts = text.split("/")
    if len(parts) != 3 or not all(_is_number(part) for part in parts[1:]):  # noqa: PLR2004 - above
        return None
    return Place(parts[0], int(parts[1]), int(parts[2]))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19  # noqa: PLR2004 - 64 bits


class Marks:
    """One bit for each place, by account, in pages of ``PAGE`` offsets: about a megabyte for four
    million dead letters of one account that lie together.
    """

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str, int, int], bytearray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, account: str, at: Place) -> bool:
        """Whether it was not marked before."""
        number, bit = divmod(at.offset, PAGE)
        key = (account, at.topic, at.partition, number)
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = bytearray(PAGE // 8)
        index, mask = bit >> 3, 1 << (bit & 7)
        if page[index] & mask:
            return False
        page[index] |= mask
        self._count += 1
        return True

    def has(self, account: str, at: Place) -> bool:
        number, bit = divmod(at.offset, PAGE)
        page = self._pages.get((account, at.topic, at.partition, number))
        return page is not None and bool(page[bit >> 3] & (1 << (bit & 7)))
