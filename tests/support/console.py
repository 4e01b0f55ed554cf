"""Runs the consoles of a page as a reader would, and compares what they print.

A section's ```` ```console ```` blocks run in one shell, in an empty directory, in their order.
``$ `` starts a command; a here-document belongs to it. What stands below must be printed, in that
order, other lines in between; ``...`` stands for any text, and runs of blanks are one blank.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_MARK = "--8<-- step"
_TO_FILE = re.compile(r"> (\S+)(?: 2>&1)? &$")
_PATIENCE = 180


class Step(NamedTuple):
    """One command, and lines that it must print."""

    command: str
    printed: tuple[str, ...]


def sections(page: Path) -> dict[str, list[Step]]:
    """Steps by heading (level 2), of those that have any."""
    found: dict[str, list[Step]] = {}
    for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
        steps = [step for block in _BLOCK.findall(part) for step in _steps(block)]
        if steps:
            found[part.partition("\n")[0]] = steps
    return found


def _steps(block: str) -> Iterator[Step]:
    for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        first, *rest = text.splitlines()
        until = re.search(r"<<'(\w+)'", first)
        end = rest.index(until[1]) + 1 if until else 0
        yield Step("\n".join([first, *rest[:end]]), tuple(line for line in rest[end:] if line))


def play(steps: list[Step], folder: Path, env: Mapping[str, str]) -> list[str]:
    """Run the steps; returns what is not as the page says."""
    script = "\n".join(_line(number, step) for number, step in enumerate(steps))
    script += f"\necho '{_MARK} {len(steps)} 0'\nkill $(jobs -p) 2>/dev/null\nwait\nexit 0\n"
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, **env, "PATH": binaries},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    return list(_differences(steps, done.stdout))


def _line(number: int, step: Step) -> str:
    """A background command is waited for until its file has something in it; what asks a server is
    asked again until there is an answer.
    """
    command = step.command
    file = _TO_FILE.search(command)
    if file:
        command += f"\nfor _ in $(seq 150); do [ -s {file[1]} ] && break; sleep 0.2; done"
    elif command.startswith("curl ") and step.printed:
        command = (
            f'for _ in $(seq 100); do GOT="$({command})"; [ "$GOT" ] && break; sleep 0.3; done'
        )
        command += '\necho "$GOT"; [ "$GOT" ]'
    return f"{command}\nCODE=$?; echo; echo '{_MARK} {number}' $CODE"


def _differences(steps: list[Step], output: str) -> Iterator[str]:
    parts = re.split(rf"^{_MARK} (\d+) (\d+)\n", output, flags=re.MULTILINE)
    for number, step in enumerate(steps):
        index = 3 * number
        if index + 2 >= len(parts):
            yield f"$ {step.command}\n  was never run:\n{output}"
            return
        printed, code = parts[index], parts[index + 2]
        if code != "0":
            yield f"$ {step.command}\n  ended with {code}:\n{printed}"
        missing = _missing(step.printed, printed)
        if missing is not None:
            yield f"$ {step.command}\n  does not print: {missing}\n  but:\n{printed}"


def _missing(wanted: tuple[str, ...], printed: str) -> str | None:
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in wanted:
        pattern = ".*".join(map(re.escape, " ".join(line.split()).split("...")))
        at = next((n for n, one in enumerate(lines) if re.fullmatch(pattern, one)), None)
        if at is None:
            return line
        lines = lines[at + 1 :]
    return None
