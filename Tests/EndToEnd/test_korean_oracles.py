"""The fixtures of Tests/KCultureTests/Oracles are what the pinned packages say: none was mended by hand, none is out of date.

The Swift tests compare KCulture with the fixtures; this holds the fixtures against their sources. It needs no city.
"""

from __future__ import annotations

import importlib.util
import json
from types import ModuleType

import pytest

from city import ROOT

ORACLES = ROOT / "Tests/KCultureTests/Oracles"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("korean_oracles", ORACLES / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def committed(name: str):
    return json.loads((ORACLES / name).read_text(encoding="utf-8"))


def test_jamo_takes_all_syllables_apart_as_committed(make: ModuleType) -> None:
    jamo = make.jamo()
    assert {len(letters) for letters in jamo.values()} == {11_172}
    assert committed("jamo.json") == jamo


def test_g2pk_pronounces_the_taught_words_as_committed(make: ModuleType) -> None:
    words = make.g2pk()
    assert len(words) >= 150
    assert committed("g2pk.json") == words


def test_fsrs_remembers_as_committed(make: ModuleType) -> None:
    said, kept = make.fsrs(), committed("fsrs.json")
    assert len(said) == len(kept)
    # The last digit of a power differs between C libraries.
    for reviews, expected in zip(said, kept, strict=True):
        assert reviews == [pytest.approx(review, rel=1e-12, abs=1e-12) for review in expected]
