"""Logs: one JSON object a line, one line for each change of state.

Every line carries ``time``, ``level`` and ``action``, one of ``ACTIONS``. What libraries log comes
out in the same shape as action ``library``, from warnings upwards whatever ``log_level`` says,
since their debug lines hold requests and records.

The same action about the same account, role and topic is written at most once in ``REPEAT``
seconds. The last one held back follows when that time is over, with the ``time`` when it happened
and ``suppressed``: how many more there were.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, TextIO, get_args

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from forwarder.ops.scrub import scrub

REPEAT: Final = 60.0
MAX_HELD: Final = 1024
LIBRARIES: Final = ("aiokafka", "aiohttp", "asyncio", "kafka")
_NORMAL: Final = ("GroupCoordinatorNotAvailableError",)
"""What aiokafka calls an error and mends itself: a cluster's first group has to be set up."""

Value = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

Action = Literal[
    "service_started",
    "settings_warning",
    "partitions_assigned",
    "partitions_revoked",
    "partitions_lost",
    "router_paused",
    "no_offset",
    "records_deleted",
    "breaker_opened",
    "breaker_closed",
    "throttled",
    "credential_changed",
    "credential_unreadable",
    "kafka_unreachable",
    "kafka_back",
    "kafka_refused",
    "write_stalled",
    "write_back",
    "lease_lost",
    "commit_failed",
    "expired",
    "task_failed",
    "draining",
    "drain_incomplete",
    "stopped",
    "library",
]
"""What a line can be about. The words stand in the documentation and in people's queries."""

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
_STAMP: Final = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")
_LEVELS: Final[dict[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_IDENTITY: Final = ("account", "role", "destination", "topic", "logger")


@dataclass(slots=True)
class _Held:
    """An action that was written less than ``REPEAT`` seconds ago, and what came since."""

    until: float
    count: int = 0
    level: Level = "info"
    fields: dict[str, Value] | None = None


class Log:
    """Writes lines. ``clock``: seconds that only grow; it decides what is a repeat. ``readable``:
    people read them, not programs.
    """

    def __init__(
        self,
        logger: WrappedLogger,
        level: Level,
        clock: Callable[[], float],
        *,
        readable: bool = False,
    ) -> None:
        self.readable = readable
        self._logger = logger
        self._from = _LEVELS[level]
        self._clock = clock
        self._held: dict[tuple[Value, ...], _Held] = {}
        self.spoke = False
        """Whether a line of our own was written: libraries' do not count."""

    @property
    def debugs(self) -> bool:
        """Whether debug lines are written: ask before computing fields for one."""
        return self._from <= _LEVELS["debug"]

    def debug(self, action: Action, **fields: Value) -> None:
        if self._from <= 10:  # noqa: PLR2004 - a constant, since this may stand in hot paths
            self._repeatable("debug", action, fields)

    def info(self, action: Action, **fields: Value) -> None:
        if self._from <= 20:  # noqa: PLR2004 - as above
            self._repeatable("info", action, fields)

    def warning(self, action: Action, **fields: Value) -> None:
        if self._from <= 30:  # noqa: PLR2004 - as above
            self._repeatable("warning", action, fields)

    def error(self, action: Action, **fields: Value) -> None:
        self._repeatable("error", action, fields)

    def flush(self, *, all_held: bool = False) -> None:
        """Write the held back lines whose time is over, or, before the end, all of them. Every
        line written does so too; call it now and then where lines are rare.
        """
        now = self._clock()
        for key, held in list(self._held.items()):  # oldest first
            if held.until > now and not all_held:
                break
            del self._held[key]
            self._write_held(key, held)

    def _repeatable(self, level: Level, action: Action, fields: dict[str, Value]) -> None:
        self.flush()
        key = (action, *(fields.get(name) for name in _IDENTITY))
        held = self._held.get(key)
        if held is not None:
            held.count += 1
            held.level = level
            held.fields = fields | {"time": _STAMP(None, level, {})["time"]}
            return
        while len(self._held) >= MAX_HELD:
            oldest = next(iter(self._held))
            self._write_held(oldest, self._held.pop(oldest))
        self._held[key] = _Held(self._clock() + REPEAT)
        self._write(level, action, fields)

    def _write_held(self, key: tuple[Value, ...], held: _Held) -> None:
        if held.fields is not None:
            more = {"suppressed": held.count - 1} if held.count > 1 else {}
            self._write(held.level, str(key[0]), held.fields | more)

    def _write(self, level: Level, action: str, fields: dict[str, Value]) -> None:
        self.spoke = self.spoke or action != "library"
        getattr(self._logger, level)(action, **fields)


class _Bridge(logging.Handler):
    """Takes what libraries log through the standard library."""

    def __init__(self, log: Log, when: Callable[[], bool]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._when = when

    def emit(self, record: logging.LogRecord) -> None:
        if not self._when():
            return
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a library's broken format string is not our failure
            message = str(record.msg)
        fields: dict[str, Value] = {"logger": record.name, "message": message}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= describe(record.exc_info[1])
        if any(name in message for name in _NORMAL):
            write = self._log.info
        else:
            write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        write("library", **fields)


def describe(error: BaseException) -> dict[str, str]:
    """``error`` (type and text) and ``where`` (file, line, function of its origin), for a line."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return {"error": scrub(text), "where": _where(error.__traceback__)}


def _where(trace: TracebackType | None) -> str:
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    file = "/".join(code.co_filename.replace("\\", "/").split("/")[-2:])
    return f"{file}:{trace.tb_lineno} in {code.co_name}"


def open_log(
    level: Level,
    form: Format | None,
    clock: Callable[[], float],
    stream: TextIO | None = None,
) -> Log:
    """The log of this process, on ``stream`` (standard error). ``form`` ``None``: readable on a
    terminal, else JSON.
    """
    out = stream if stream is not None else sys.stderr
    terminal = out.isatty()
    readable = form == "console" or (form is None and terminal)
    renderer = (
        structlog.dev.ConsoleRenderer(colors=terminal, event_key="action", timestamp_key="time")
        if readable
        else _render_json
    )
    logger: WrappedLogger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            _clean,
            structlog.processors.EventRenamer("action"),
            structlog.processors.add_log_level,
            _stamped,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    return Log(logger, level, clock, readable=readable)


def bridge(log: Log, when: Callable[[], bool] = lambda: True) -> Callable[[], None]:
    """Bring the libraries' lines into ``log`` while ``when`` holds, and drop them otherwise; the
    function returned ends that.
    """
    handler = _Bridge(log, when)
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False

    def undo() -> None:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate

    return undo


def _stamped(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """A line that was held back has its time already."""
    return line if "time" in line else _STAMP(logger, method, line)


def _clean(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    return {
        name: scrub(value) if isinstance(value, str) else value
        for name, value in line.items()
        if value is not None
    }


def _render_json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    first = {name: line.pop(name) for name in ("time", "level", "action")}
    return orjson.dumps({**first, **line}, default=str).decode()
