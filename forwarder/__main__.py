"""The program's start. ``python -m forwarder`` is ``forwarder``."""

from __future__ import annotations

import signal

INTERRUPTED = 130
TERMINATED = 143


def main() -> int:
    """Load the commands and run one; a signal is no mistake while they load, either.

    The kernel drops a SIGTERM that the first process of a container has no handler for: without
    this one, a pod that is deleted while it starts would work on until it is killed.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        from forwarder.cli.main import main as run  # noqa: PLC0415 - it takes a second
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()


def _terminated(*_: object) -> None:
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    raise SystemExit(main())
