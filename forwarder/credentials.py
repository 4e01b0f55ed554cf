"""Secrets of accounts: where they come from, and the versions of what was read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationInfo,
    model_validator,
)

_MAX_SECRET: Final = 64 << 10
_POLL_SECONDS: Final = 2.0
_FORMS: Final = "a secret is {file: PATH}, {env: NAME}, or the value itself as text"


def _beside_settings(path: Path, info: ValidationInfo) -> Path:
    directory = (info.context or {}).get("directory")
    return path if directory is None else Path(directory) / path


SettingsPath = Annotated[Path, AfterValidator(_beside_settings)]
"""A path as settings write it: relative to the directory of the settings file, which validation
gets as ``context={"directory": ...}``."""


class SecretSource(BaseModel):
    """``{file: PATH}`` (re-read on change), ``{env: NAME}``, or the value itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    file: SettingsPath | None = None
    env: str | None = None
    value: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, given: object) -> object:
        if isinstance(given, str):
            given = {"value": given}
        if isinstance(given, Mapping) and len([v for v in given.values() if v is not None]) == 1:
            return given
        if isinstance(given, cls):
            return given
        raise ValueError(_FORMS)


@dataclass(frozen=True, slots=True)
class Credential:
    """An account's secrets as read once. ``version`` grows by one with every change; requests
    carry it, so that a late answer to an old key changes nothing. ``loaded_at``: epoch seconds.
    """

    version: int
    secrets: Mapping[str, str] = field(repr=False)
    loaded_at: float = 0.0


_NONE: Final = Credential(0, {})


class SecretProblem(NamedTuple):
    """A secret that cannot be read: the ``field`` of the settings, and why. Never its text."""

    field: str
    rule: str


class Reading(NamedTuple):
    """``credential`` is ``None`` only where no complete one was ever read."""

    credential: Credential | None
    problems: tuple[SecretProblem, ...]


class Unreadable(ValueError):
    """Why a source yields no secret. No part of the secret stands in the text."""


def read_secret(source: SecretSource, environ: Mapping[str, str]) -> str:
    """The secret, without the white space and byte order mark that editors and shells leave around
    it: no header could carry them, and a signature would silently be another. Raises
    ``Unreadable``.
    """
    if source.value is not None:
        return _usable(source.value.get_secret_value(), "the value")
    if source.env is not None:
        if source.env not in environ:
            raise Unreadable(f"the environment variable {source.env} is not set")
        return _usable(environ[source.env], f"the environment variable {source.env}")
    assert source.file is not None
    return _usable(_read_file(source.file), f"the file {source.file}")


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SECRET + 1).decode()
    except OSError as error:
        raise Unreadable(f"the file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unreadable(f"the file {path} is not UTF-8 text") from None


def _usable(text: str, origin: str) -> str:
    secret = text.removeprefix("\ufeff").strip()
    if not secret:
        raise Unreadable(f"{origin} is empty")
    if len(secret) > _MAX_SECRET:
        raise Unreadable(f"{origin} is longer than {_MAX_SECRET} characters, so no secret")
    if not secret.isprintable():
        raise Unreadable(f"{origin} holds a line break or another control character")
    return secret


def read_credential(
    sources: Mapping[str, SecretSource],
    now: float,
    previous: Credential | None,
    environ: Mapping[str, str],
) -> Reading:
    """The account's secrets as they are now. What is empty or unreadable keeps its previous
    secret and is a problem; ``previous`` itself comes back when nothing changed.
    """
    secrets: dict[str, str] = {}
    problems: list[SecretProblem] = []
    for field_name, source in sources.items():
        try:
            secrets[field_name] = read_secret(source, environ)
        except Unreadable as error:
            problems.append(SecretProblem(field_name, str(error)))
            if previous is not None and field_name in previous.secrets:
                secrets[field_name] = previous.secrets[field_name]
    if len(secrets) < len(sources):
        return Reading(None, tuple(problems))
    if previous is not None and previous.secrets == secrets:
        return Reading(previous, tuple(problems))
    version = previous.version + 1 if previous else 1
    return Reading(Credential(version, secrets, now), tuple(problems))


class CredentialChange(NamedTuple):
    """What became of one account's secrets: a new ``credential``, or problems that are new."""

    account: str
    credential: Credential | None
    problems: tuple[SecretProblem, ...]


_UNREAD: Final = Reading(None, ())
_CLASH: Final = "the new credential needs a named budget that is shared with"


class CredentialWatch:
    """Reads every account's secrets, and again whenever ``check`` is called.

    Contents are compared, not times: the files are small, and a mounted Kubernetes secret changes
    by a swapped symlink.
    """

    def __init__(
        self,
        accounts: Mapping[str, Mapping[str, SecretSource]],
        environ: Mapping[str, str],
        clashes: Callable[[Mapping[str, Credential]], Iterable[Sequence[str]]] = lambda _: (),
    ) -> None:
        """``clashes``: groups of accounts that may not have the same credential, but do."""
        self._sources = accounts
        self._environ = environ
        self._clashes = clashes
        self._readings: dict[str, Reading] = {}

    def __repr__(self) -> str:
        return f"CredentialWatch({len(self.credentials())} of {len(self._sources)} readable)"

    def get(self, account: str) -> Credential:
        """The newest credential of ``account``; one without secrets where none was ever read."""
        reading = self._readings.get(account)
        return _NONE if reading is None or reading.credential is None else reading.credential

    def credentials(self) -> dict[str, Credential]:
        """The newest credential of every account that has one."""
        read = {name: reading.credential for name, reading in self._readings.items()}
        return {name: credential for name, credential in read.items() if credential is not None}

    def check(self, now: float) -> list[CredentialChange]:
        """Read everything; what differs from the last call. A problem is told once."""
        changes: list[CredentialChange] = []
        for name, after in self._read(now).items():
            before = self._readings.get(name, _UNREAD)
            self._readings[name] = after
            new = after.credential if after.credential is not before.credential else None
            told = tuple(p for p in after.problems if p not in before.problems)
            if new is not None or told:
                changes.append(CredentialChange(name, new, told))
        return changes

    def _read(self, now: float) -> dict[str, Reading]:
        """Of every account. One that would pass another's limit keeps the credential it has."""
        read = {
            name: read_credential(
                sources, now, self._readings.get(name, _UNREAD).credential, self._environ
            )
            for name, sources in self._sources.items()
        }
        credentials = {n: one.credential for n, one in read.items() if one.credential is not None}
        known = self.credentials()
        replaced = {n for n, before in known.items() if before is not read[n].credential}
        for names in self._clashes(credentials) if replaced else ():
            for name in names:
                if name in replaced:
                    others = ", ".join(sorted(set(names) - {name}))
                    problem = SecretProblem("", f"{_CLASH} {others}, so the old one is kept")
                    read[name] = Reading(known[name], (*read[name].problems, problem))
        return read

    async def run(
        self,
        on_change: Callable[[CredentialChange], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Check for ever, often enough that a change is seen within 5 s. Cancel to end."""
        while True:
            await sleep(_POLL_SECONDS)
            for change in self.check(clock()):
                on_change(change)
