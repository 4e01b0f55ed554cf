"""Reads what a PNG shows, with the standard library alone."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

Pixel = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    rows: tuple[tuple[Pixel, ...], ...]

    def colours(self) -> dict[Pixel, int]:
        """How often each colour occurs."""
        found: dict[Pixel, int] = {}
        for row in self.rows:
            for pixel in row:
                found[pixel] = found.get(pixel, 0) + 1
        return found


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def read_png(data: bytes) -> Picture:
    """Picture of an 8-bit RGB or RGBA PNG without interlacing."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    header, packed, at = b"", b"", 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        header = body if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    width, height, depth, colour, *_rest, interlaced = struct.unpack(">IIBBBBB", header)
    assert depth == 8
    assert colour in {2, 6}
    assert interlaced == 0
    channels = 3 if colour == 2 else 4
    lines = _unfilter(zlib.decompress(packed), width * channels, height, channels)
    return Picture(width, height, tuple(_pixels(line, channels) for line in lines))


def _pixels(line: bytes, channels: int) -> tuple[Pixel, ...]:
    return tuple(zip(line[0::channels], line[1::channels], line[2::channels], strict=True))


def _unfilter(raw: bytes, stride: int, height: int, step: int) -> list[bytes]:
    lines: list[bytes] = []
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        _unfilter_line(raw[start], line, above, step)
        lines.append(bytes(line))
        above = line
    return lines


def _unfilter_line(kind: int, line: bytearray, above: bytearray, step: int) -> None:
    if kind == 0:
        return
    for x in range(len(line)):
        left = line[x - step] if x >= step else 0
        corner = above[x - step] if x >= step else 0
        guess = (0, left, above[x], (left + above[x]) // 2, _paeth(left, above[x], corner))[kind]
        line[x] = (line[x] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
