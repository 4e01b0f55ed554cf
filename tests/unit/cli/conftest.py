"""The program in this process: what it prints and how it ends."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from forwarder.cli.main import main

SETTINGS = """\
advertisers:
  acme: {currency: USD, phone_region: US}
destinations:
  tiktok: {base_url: http://127.0.0.1:1/tiktok}
  tradedesk: {base_url: http://127.0.0.1:1/tradedesk}
  thrad: {base_url: http://127.0.0.1:1/thrad}
accounts:
  acme-pixel:
    destination: tiktok
    advertisers: [acme]
    event_source_id: C4ABCDEFGHIJ
    access_token: {file: secrets/acme-pixel}
  acme-ttd:
    destination: tradedesk
    advertisers: [acme]
    advertiser_id: abc1234
    tracker_id: tr1
    secret_key: {file: secrets/acme-ttd}
    data_provider_secret_key: {file: secrets/acme-ttd-dp}
  acme-thrad:
    destination: thrad
    advertisers: [acme]
    api_key: {file: secrets/acme-thrad}
"""
SECRETS = {
    "acme-pixel": "tt-hush",
    "acme-ttd": "ttd-hush",
    "acme-ttd-dp": "dp-hush",
    "acme-thrad": "thrad-hush",
}


@dataclass
class Ended:
    code: int
    out: str
    err: str

    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to be in, and no settings of the machine's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORWARDER_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def forwarder(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(arguments)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def settings(home: Path) -> Path:
    """Three accounts with readable secrets."""
    (home / "secrets").mkdir()
    for name, secret in SECRETS.items():
        (home / "secrets" / name).write_text(secret + "\n")
    path = home / "settings.yaml"
    path.write_text(SETTINGS)
    return path


def event(**fields: object) -> dict[str, object]:
    return {
        "event_id": "e1",
        "event_name": "purchase",
        "event_time": "2026-01-31T00:00:00Z",
        "advertiser": "acme",
        "user": {"email": "jane@example.com", "tdid": "12345678-1234-1234-1234-123456789012"},
        "page": {"url": "https://shop.example/thanks?thrad_click_id=click-1"},
        "value": 19.9,
        **fields,
    }


def jsonl(*events: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


@dataclass
class Vendor:
    """Answers what it is told to, and keeps what it got."""

    url: str
    status: int = 200
    answer: bytes = b'{"code": 0, "message": "OK", "request_id": "r-1"}'
    got: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    hangs_up: bool = False


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((dict(self.headers), json.loads(body)))
            self._answer()

        def do_GET(self) -> None:
            made.got.append((dict(self.headers), {}))
            self._answer()

        def _answer(self) -> None:
            if made.hangs_up:
                return
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(made.answer)))
            self.end_headers()
            self.wfile.write(made.answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Vendor(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()
