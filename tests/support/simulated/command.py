"""``make simulate``: many seeds on all cores, or one of them with its trace."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.support.simulated.world import Outcome, run

SHOWN = 5


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: every promise was kept; 1: not so."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one only, and print what happened")
    parser.add_argument("--profile", help="of faults, instead of the one drawn from the seed")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return _one(chosen.seed, chosen.profile)
    return _many(range(chosen.first, chosen.first + chosen.seeds), chosen.profile)


def _one(seed: int, profile: str | None) -> int:
    outcome = run(seed, profile)
    for line in outcome.trace:
        _tell(line)
    _tell(_summary(outcome))
    return 1 if outcome.violations else 0


def _many(seeds: Sequence[int], profile: str | None) -> int:
    began = time.monotonic()
    failed: list[int] = []
    played: Counter[str] = Counter()
    # Not forked: a child would share what threads of this process hold.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context) as pool:
        for outcome in pool.map(_play, [(seed, profile) for seed in seeds], chunksize=8):
            played[outcome.profile] += 1
            if outcome.violations:
                failed.append(outcome.seed)
                _tell(_summary(outcome))
            elif sys.stderr.isatty():
                sys.stderr.write(f"\r{sum(played.values())} of {len(seeds)}\r")
    took = time.monotonic() - began
    kinds = ", ".join(f"{number} {name}" for name, number in sorted(played.items()))
    _tell(f"{len(seeds)} seeds in {took:.0f} s ({kinds}): {len(failed)} failed")
    for seed in failed[:SHOWN]:
        _tell(f"make simulate SEED={seed}")
    return 1 if failed else 0


def _play(chosen: tuple[int, str | None]) -> Outcome:
    """Without the trace, which is long: one seed is played again for it."""
    outcome = run(*chosen)
    return Outcome(
        outcome.seed,
        outcome.profile,
        outcome.violations,
        outcome.digest,
        (),
        outcome.lasted,
        outcome.delivered,
    )


def _summary(outcome: Outcome) -> str:
    told = "\n".join(f"  {violation}" for violation in outcome.violations[:SHOWN])
    end = f":\n{told}" if told else ": every promise kept"
    return (
        f"seed {outcome.seed} ({outcome.profile}, {outcome.delivered} deliveries in "
        f"{outcome.lasted:.0f} s, digest {outcome.digest[:16]}){end}"
    )


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
