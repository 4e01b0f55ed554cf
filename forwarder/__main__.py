"""The program's start. ``python -m forwarder`` is ``forwarder``."""

from __future__ import annotations

INTERRUPTED = 130


def main() -> int:
    """Load the commands and run one; an interrupt is no mistake while they load, either."""
    try:
        from forwarder.cli.main import main as run  # noqa: PLC0415 - it takes a second
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()


if __name__ == "__main__":
    raise SystemExit(main())
