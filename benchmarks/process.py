"""What a process has used, read from ``/proc``; and on which core it may run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

TICK = 1 / os.sysconf("SC_CLK_TCK")


class Used(NamedTuple):
    """``cpu``: seconds of user and system time. ``peak``: largest resident size, in MiB."""

    cpu: float
    peak: float


def used(*pids: int) -> Used:
    """What these processes have used together."""
    return Used(sum(map(_cpu, pids)), sum(map(_peak, pids)))


def pin(pid: int, core: int) -> None:
    """Keep a process that was just started on one core."""
    os.sched_setaffinity(pid, {core})


def cores() -> tuple[int, int]:
    """One core for the worker, and another for everything else."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def _cpu(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) * TICK


def _peak(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has ended")
