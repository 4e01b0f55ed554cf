"""The checks find what they are for: one mistake each, put into manifests that are right."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from tests.manifests import mistakes_built, mistakes_told
from tests.manifests.checks import CHECKS
from tests.manifests.objects import Manifest
from tests.manifests.seeding import Mistake

Rendered = Callable[[str], list[Manifest]]

MISTAKES = [*mistakes_told.MISTAKES, *mistakes_built.MISTAKES]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_it_is_found(rendered: Rendered, mistake: Mistake) -> None:
    objects = copy.deepcopy(rendered(mistake.folder))
    mistake.seed(objects)
    said = list(CHECKS[mistake.check](objects))
    assert any(mistake.says in text for text in said), said


def test_every_check_has_found_something() -> None:
    assert {mistake.check for mistake in MISTAKES} == CHECKS.keys()
