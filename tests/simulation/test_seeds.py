"""A fixed set of seeds, in every run of the tests; ``make simulate`` plays as many as one likes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.simulated.plan import PROFILES, draw
from tests.support.simulated.world import run

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(40)
GROUP = 8


@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, GROUP))
def test_every_promise_is_kept(first: int) -> None:
    failed = {seed: run(seed).violations for seed in range(first, first + GROUP)}
    assert {seed: told for seed, told in failed.items() if told} == {}


def test_the_fixed_seeds_meet_every_profile_of_faults() -> None:
    assert {draw(seed).profile for seed in SEEDS} == set(PROFILES)


AGAIN = (3, 5, 14)


def test_a_seed_plays_the_same_way_again() -> None:
    """Also in another process, whose sets of strings are in another order."""
    first = {seed: run(seed) for seed in AGAIN}
    assert {seed: run(seed).trace for seed in AGAIN} == {s: o.trace for s, o in first.items()}
    assert _digests_elsewhere() == [first[seed].digest for seed in AGAIN]


def _digests_elsewhere() -> list[str]:
    play = f"[print(run(seed).digest) for seed in {AGAIN}]"
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.support.simulated.world import run; {play}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_different_seeds_play_differently() -> None:
    assert len({run(seed).digest for seed in range(4)}) == 4
