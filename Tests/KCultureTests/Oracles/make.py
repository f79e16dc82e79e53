#!/usr/bin/env python3
"""What independent packages say about Hangul, its pronunciation and memory: the fixtures that the Swift tests of KCulture compare with.

Written anew by `.build/e2e-venv/bin/python Tests/KCultureTests/Oracles/make.py`; Tests/EndToEnd/test_korean_oracles.py asserts
that the files beside this script are what the pinned packages say.

- jamo.json: initial, medial and final of all 11,172 syllables, by `jamo`, as one string per place
- g2pk.json: pronunciation of the words of words.txt, by `g2pk`
- fsrs.json: stability, difficulty, interval and retrievability over random reviews, by `fsrs`
"""

from __future__ import annotations

import json
import random
import re
import sys
import types
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SYLLABLES = range(0xAC00, 0xD7A4)
SEED = 20_261
SEQUENCES = 60
REVIEWS = 10
NO_FINAL = "-"


def jamo() -> dict[str, str]:
    import jamo as package

    places = {"initials": "", "medials": "", "finals": ""}
    for code in SYLLABLES:
        letters = [package.j2hcj(letter) for letter in package.hangul_to_jamo(chr(code))]
        for place, letter in zip(places, [*letters, NO_FINAL], strict=False):
            places[place] += letter
    return places


def g2pk() -> dict[str, str]:
    # g2pk asks nltk for a dictionary of English, which is a download of its own and says nothing about Korean: an empty one
    # stands in. The tagger of Korean (python-mecab-ko and its dictionary) is the real one.
    nltk = types.ModuleType("nltk")
    corpus = types.ModuleType("nltk.corpus")
    nltk.data = types.SimpleNamespace(find=lambda path: path)
    corpus.cmudict = types.SimpleNamespace(dict=dict)
    replaced = {name: sys.modules.get(name) for name in ("nltk", "nltk.corpus")}
    sys.modules.update({"nltk": nltk, "nltk.corpus": corpus})
    try:
        import g2pk as package
    finally:
        for name, module in replaced.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    # Its rules are some 600 patterns that it hands to `re` as text, more than `re` keeps compiled: five seconds without this.
    re._MAXCACHE = 4096
    speak = package.G2p()
    return {word: speak(word) for word in words()}


def words() -> list[str]:
    lines = (HERE / "words.txt").read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(word for line in lines if not line.startswith("#") for word in line.split()))


def fsrs() -> list[list[dict[str, float]]]:
    """Reviews of the same day, on the day due, early and late; `retrievability` is that just before the review."""
    import fsrs as package

    choose = random.Random(SEED)
    scheduler = package.Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    sequences = []
    for _ in range(SEQUENCES):
        card = package.Card(card_id=1)
        now = datetime(2026, 1, 1, tzinfo=timezone.utc)
        elapsed = 0
        reviews = []
        for _ in range(REVIEWS):
            recall = choose.choice([1, 2, 3, 3, 3, 4])
            now += timedelta(days=elapsed)
            retrievability = scheduler.get_card_retrievability(card, now)
            card, _ = scheduler.review_card(card, package.Rating(recall), now)
            interval = (card.due - now).days
            reviews.append({
                "elapsed": elapsed, "recall": recall, "retrievability": retrievability,
                "stability": card.stability, "difficulty": card.difficulty, "interval": interval,
            })  # fmt: skip
            elapsed = choose.choice([0, 1, interval, interval, interval // 2, 2 * interval, choose.randrange(1, 400)])
        sequences.append(reviews)
    return sequences


ORACLES = {"jamo.json": jamo, "g2pk.json": g2pk, "fsrs.json": fsrs}


def text(value: Any) -> str:
    """Readable in a diff: one word or one sequence of reviews a line."""
    compact = lambda part: json.dumps(part, ensure_ascii=False, separators=(",", ":"))  # noqa: E731
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{compact(key)}: {compact(part)}" for key, part in value.items()) + "\n}\n"
    return "[\n" + ",\n".join(map(compact, value)) + "\n]\n"


if __name__ == "__main__":
    for name, oracle in ORACLES.items():
        (HERE / name).write_text(text(oracle()), encoding="utf-8")
