"""Time and maturity: which answers may be learnt from as of a moment, and which spans train and test."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.asking import Askings
from features.kernel import Int
from models.questions import LEFT_OUT, OPEN, QUESTIONS, YES, Answer, Answers

MATURE_SHARE: Final = 0.95
"""Without a horizon, an asking is mature when it is older than this share of answers were when they came."""


@dataclass(frozen=True)
class Labelled:
    """Askings that may be learnt from as of `as_of`: positions `which`, their `answer`, and where the others went."""

    as_of: int
    which: Int
    answer: Answer
    maturity: int
    counts: dict[str, int]


def maturity_age(asks: Askings, found: Answers, as_of: int) -> int:
    """The age in microseconds by which MATURE_SHARE of the answers known before `as_of` had come, 0 if none had."""
    known = (found.known_at < as_of) & (found.known_at >= asks.at) & (found.answer != OPEN)
    delays = np.sort(found.known_at[known] - asks.at[known])
    return int(delays[int(np.ceil(MATURE_SHARE * delays.size)) - 1]) if delays.size else 0


def labelled(asks: Askings, found: Answers, as_of: int, horizon: int, asked_at: Int) -> Labelled:
    """What of `asks` can be learnt from, given what was known before `as_of`.

    `asked_at` (n,) is the `at` of the row asked about, from which a horizon counts. Immature askings leave on both sides,
    so that early answers do not crowd out the slow ones.
    """
    question, found = QUESTIONS[asks.question], found.as_of(as_of)
    age = horizon if question.horizon else maturity_age(asks, found, as_of)
    start = asked_at if question.horizon else asks.at
    late = asks.at >= as_of
    immature = ~late & (start + age >= as_of)
    before = ~late & ~immature & (found.known_at < asks.at)
    rest = ~late & ~immature & ~before
    unknown = rest & ((found.known_at >= as_of) | (found.answer == OPEN))
    out = rest & ~unknown & (found.answer == LEFT_OUT)
    use = rest & ~unknown & ~out
    which = np.flatnonzero(use)
    counts = {
        "asked": int((~late).sum()),
        "immature": int(immature.sum()),
        "answered before asking": int(before.sum()),
        "no answer": int(unknown.sum()),
        "neither yes nor no": int(out.sum()),
        "learnt from": int(use.sum()),
        "yes": int((found.answer[which] == YES).sum()),
    }
    return Labelled(as_of, which, found.answer[which], age, counts)


@dataclass(frozen=True)
class Fold:
    """One walk forward: train on askings of [train_from, train_to), test on those of [test_from, test_to), in microseconds."""

    train_from: int
    train_to: int
    test_from: int
    test_to: int


def folds(stop: int, n: int, *, train: int | None, gap: int, test: int, start: int) -> list[Fold]:
    """The last `n` test spans of length `test`, side by side and ending at `stop`; a train span of None is all since `start`.

    >>> [(f.train_from, f.train_to, f.test_from, f.test_to) for f in folds(100, 2, train=20, gap=5, test=10, start=0)]
    [(55, 75, 80, 90), (65, 85, 90, 100)]
    """
    ends = [stop - test * k for k in range(n)][::-1]
    spans = [(end - test - gap, end - test, end) for end in ends]
    return [Fold(start if train is None else max(start, to - train), to, lo, hi) for to, lo, hi in spans]
