"""The vendors of the benchmarks: takes everything, answers at once (or after a delay), keeps
nothing. A process of its own, on sockets and nothing else, so that the worker is what is measured.

    POST /<tag>/<milliseconds>/...   any vendor's request; answered after so long
    POST /refused/...                answered with 401
    GET /count                       JSON: by tag, the requests and events that were taken
    GET /ages/<tag>                  JSON: microseconds from publishing to here, and forgets them

Tags that begin with ``timed`` note ages.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import cast

import uvloop

# Fits all three: TikTok's code, Thrad's status, no refusals of The Trade Desk.
BODY = b'{"code":0,"message":"OK","request_id":"r","status":"ok","data":{}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
ANSWER = HEAD % len(BODY) + BODY
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
EVENT = b'"event_id":"'
ORDER = b'"order_id":"'
PUBLISHED = re.compile(rb'"(?:event_id|order_id)":"(\d{16})-')


@dataclass
class Taken:
    requests: int = 0
    events: int = 0
    ages: list[int] = field(default_factory=list)


TAKEN: dict[str, Taken] = defaultdict(Taken)


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._missing = 0
        self._path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        if self._missing:
            self._missing -= len(data)
        else:
            self._begin()
        if self._path and self._missing <= 0:
            self._end()

    def _begin(self) -> None:
        received = b"".join(self._chunks)
        self._chunks = [received]
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[:end]
        self._path = head.split(b" ", 2)[1]
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        self._missing = end + 4 + length - len(received)

    def _end(self) -> None:
        path, body = self._path.decode(), b"".join(self._chunks)
        self._path, self._chunks, self._missing = b"", [], 0
        parts = path.split("/")
        if parts[1] == "count":
            self._write(_json({tag: (one.requests, one.events) for tag, one in TAKEN.items()}))
        elif parts[1] == "ages":
            ages, TAKEN[parts[2]].ages = TAKEN[parts[2]].ages, []
            self._write(_json(ages))
        elif parts[1] == "refused":
            self._write(REFUSED)
        else:
            _take(parts[1], body)
            self._answer(int(parts[2]) / 1000)

    def _answer(self, delay: float) -> None:
        if delay:
            asyncio.get_running_loop().call_later(delay, self._write, ANSWER)
        else:
            self._write(ANSWER)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def _take(tag: str, body: bytes) -> None:
    taken = TAKEN[tag]
    taken.requests += 1
    taken.events += body.count(EVENT) or body.count(ORDER)
    if tag.startswith("timed"):
        now = time.time_ns() // 1000
        taken.ages += [now - int(at) for at in PUBLISHED.findall(body)]


def _json(value: object) -> bytes:
    body = json.dumps(value).encode()
    return HEAD % len(body) + body


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it: that one holds the other end of its input.
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve())
