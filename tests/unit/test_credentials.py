"""Secrets: read, kept when they vanish, read again when they change; never shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from forwarder.credentials import (
    Credential,
    CredentialChange,
    CredentialWatch,
    SecretProblem,
    SecretSource,
    Unreadable,
    read_credential,
    read_secret,
)


def from_file(path: Path) -> SecretSource:
    return SecretSource(file=path)


def test_a_secret_is_a_file_a_variable_or_a_value(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush 1\r\n\n")
    assert read_secret(from_file(tmp_path / "token"), {}) == "hush 1"
    assert read_secret(SecretSource(env="TOKEN"), {"TOKEN": "hush 2\n"}) == "hush 2"
    assert read_secret(SecretSource.model_validate("hush 3"), {}) == "hush 3"


@pytest.mark.parametrize("content", [b"  hush\n", b"hush \t\r\n", b"\xef\xbb\xbfhush\n"])
def test_what_editors_and_shells_leave_around_a_secret_is_no_part_of_it(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "token").write_bytes(content)
    assert read_secret(from_file(tmp_path / "token"), {}) == "hush"
    assert read_secret(SecretSource(env="TOKEN"), {"TOKEN": content.decode()}) == "hush"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b" \n", "is empty"),
        (b"hush\nhush", "holds a line break or another control character"),
        (b"hush\x00", "holds a line break or another control character"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"h" * 70_000, "is longer than 65536 characters, so no secret"),
    ],
)
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        read_secret(from_file(path), {})
    assert str(caught.value) == f"the file {path} {rule}"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read: No such file or directory"):
        read_secret(from_file(tmp_path / "none"), {})
    with pytest.raises(Unreadable, match="the environment variable TOKEN is not set"):
        read_secret(SecretSource(env="TOKEN"), {})
    with pytest.raises(Unreadable, match="the environment variable TOKEN is empty"):
        read_secret(SecretSource(env="TOKEN"), {"TOKEN": ""})


def test_a_change_makes_a_new_version(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    sources = {"token": from_file(path)}
    first = read_credential(sources, 100.0, None, {}).credential
    assert first == Credential(1, {"token": "one"}, 100.0)
    assert read_credential(sources, 101.0, first, {}).credential is first
    path.write_text("two")
    assert read_credential(sources, 102.0, first, {}).credential == Credential(
        2, {"token": "two"}, 102.0
    )


def test_an_empty_or_missing_file_keeps_the_old_secret_and_says_so(tmp_path: Path) -> None:
    path, other = tmp_path / "token", tmp_path / "other"
    path.write_text("one")
    other.write_text("a")
    sources = {"token": from_file(path), "other": from_file(other)}
    first = read_credential(sources, 100.0, None, {}).credential
    path.write_text("")
    reading = read_credential(sources, 101.0, first, {})
    assert reading.credential is first
    assert reading.problems == (SecretProblem("token", f"the file {path} is empty"),)
    path.unlink()
    other.write_text("b")
    reading = read_credential(sources, 102.0, first, {})
    assert reading.credential == Credential(2, {"token": "one", "other": "b"}, 102.0)
    assert [problem.field for problem in reading.problems] == ["token"]


def test_half_of_a_credential_is_none(tmp_path: Path) -> None:
    sources = {"token": from_file(tmp_path / "none"), "other": SecretSource.model_validate("b")}
    reading = read_credential(sources, 1.0, None, {})
    assert reading.credential is None
    assert len(reading.problems) == 1


def test_an_account_without_secrets_has_an_empty_credential() -> None:
    assert read_credential({}, 1.0, None, {}).credential == Credential(1, {}, 1.0)


def kubernetes_secret(directory: Path, version: str, token: str) -> None:
    """Writes a secret volume as the kubelet does: a new directory, then one symlink swapped."""
    fresh = directory / f"..{version}"
    fresh.mkdir()
    (fresh / "token").write_text(token)
    (directory / "..new").symlink_to(fresh.name)
    (directory / "..new").rename(directory / "..data")
    if not (directory / "token").is_symlink():
        (directory / "token").symlink_to("..data/token")


def test_the_watch_sees_the_symlink_swap_of_kubernetes(tmp_path: Path) -> None:
    kubernetes_secret(tmp_path, "2026_1", "one")
    watch = CredentialWatch({"acme": {"token": from_file(tmp_path / "token")}}, {})
    assert watch.check(1.0) == [CredentialChange("acme", Credential(1, {"token": "one"}, 1.0), ())]
    assert watch.check(2.0) == []
    kubernetes_secret(tmp_path, "2026_2", "two")
    assert watch.check(3.0) == [CredentialChange("acme", Credential(2, {"token": "two"}, 3.0), ())]
    assert watch.credentials() == {"acme": Credential(2, {"token": "two"}, 3.0)}


def test_the_watch_tells_a_problem_once_and_again_after_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "token"
    watch = CredentialWatch({"acme": {"token": from_file(path)}}, {})
    (change,) = watch.check(1.0)
    assert change.credential is None
    assert change.problems[0].field == "token"
    assert watch.check(2.0) == []
    path.write_text("one")
    (change,) = watch.check(3.0)
    assert change.credential is not None
    assert change.problems == ()
    path.write_text("")
    (change,) = watch.check(4.0)
    assert change.credential is None
    assert change.problems == (SecretProblem("token", f"the file {path} is empty"),)
    assert watch.credentials()["acme"].version == 1


async def test_a_change_is_seen_within_5_seconds(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    now = 0.0
    seen: list[tuple[float, CredentialChange]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now >= 10 and path.read_text() == "one":
            path.write_text("two")
        if now > 20:
            raise asyncio.CancelledError

    watch = CredentialWatch({"acme": {"token": from_file(path)}}, {})
    watch.check(now)
    with pytest.raises(asyncio.CancelledError):
        await watch.run(lambda change: seen.append((now, change)), lambda: now, sleep)
    ((at, change),) = seen
    assert at <= 15
    assert change.credential == Credential(2, {"token": "two"}, at)


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    source = SecretSource.model_validate("hush")
    watch = CredentialWatch({"acme": {"token": source}}, {})
    shown = [source, watch, watch.check(1.0), watch.credentials(), source.model_dump_json()]
    assert "hush" not in repr(shown)
    assert repr(watch) == "CredentialWatch(1 of 1 readable)"


def test_a_new_credential_that_is_anothers_is_not_taken(tmp_path: Path) -> None:
    """Unless a shared budget keeps both to one limit; a swap is none, and ends with two again."""
    files = {name: tmp_path / name for name in ("one", "two")}
    for name, path in files.items():
        path.write_text(name)

    def clashes(found: Mapping[str, Credential]) -> list[list[str]]:
        same = len({one.secrets["key"] for one in found.values()}) < len(found)
        return [sorted(found)] if same else []

    watch = CredentialWatch({n: {"key": from_file(p)} for n, p in files.items()}, {}, clashes)
    watch.check(1.0)
    files["two"].write_text("one")
    (change,) = watch.check(2.0)
    assert (change.account, change.credential) == ("two", None)
    assert "shared with one" in change.problems[0].rule
    assert watch.get("two").secrets == {"key": "two"}
    assert watch.check(3.0) == []
    files["one"].write_text("two")
    assert {change.account for change in watch.check(4.0)} == {"one", "two"}
    assert [watch.get(name).secrets["key"] for name in files] == ["two", "one"]
