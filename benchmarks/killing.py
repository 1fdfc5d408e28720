"""A process that appends and decides, says what was acknowledged, and may be killed at any moment; and what must be left then.

`python -m benchmarks.killing LEDGER STORE MODELS WRITER BEGIN` sends the facts of a ledger from a position on, in batches that
depend on the position alone, so that one that goes on sends again what was not acknowledged.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

import pandas as pd

from benchmarks.command import ROOT
from benchmarks.parity import in_order, told
from features import Ledger, RedressError
from features.homes import Fact
from features.store import Store
from models.records import chained
from serve import Scorer
from service.overstore import OverStore
from service.warming import warmed

MOST: Final = 30
"""Facts of a batch."""
LINES: Final = 40
"""A process says at most so many lines before it is killed, a batch or a decision each, …"""
SECONDS: Final = 0.2
"""… and lives at most so long after it."""


def batches(facts: Sequence[Fact], begin: int) -> Iterator[tuple[int, list[Fact]]]:
    """The batches from a position on, each with the position after it."""
    while begin < len(facts):
        after = min(len(facts), begin + Random(begin).randint(1, MOST))
        yield after, list(facts[begin:after])
        begin = after


def send(scorer: OverStore, facts: Sequence[Fact], begin: int) -> None:
    """Appends, decides about each dispute that came, and says what was acknowledged as soon as it was."""
    for after, some in batches(facts, begin):
        clock = max(one.at for one in some)
        scorer.store.append(told(some), arrived=clock, request=f"{scorer.writer} {after}")
        print("facts", after, flush=True)
        at = pd.Timestamp(clock, unit="us", tz="UTC").isoformat()
        for ask_id in (one.text("dispute_id") for one in some if one.table == "disputes"):
            with suppress(RedressError):  # its answer is known already
                print("decision", scorer.decide({"ask_id": ask_id, "at": at})["decision_id"], flush=True)


@dataclass
class Left:
    """What was acknowledged so far: facts up to a position, and decisions; and how often the process was killed."""

    facts: int = 0
    decisions: int = 0
    kills: int = 0
    ids: frozenset[str] = frozenset()


def killed(words: Sequence[str | Path], left: Left, lines: int, seconds: float) -> tuple[Left, bool]:
    """What was acknowledged once a process that went on was killed, so long after it said so much; if it had ended."""
    command = [sys.executable, "-m", "benchmarks.killing", *map(str, words), str(left.facts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        came = [child.stdout.readline() for _ in range(lines)]
        with suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        ended = child.poll() is not None
        child.kill()
        came += child.stdout.readlines()
    assert not ended or child.returncode == 0, "it ended by itself, and not well"
    said = [line.split() for line in came if line.endswith("\n")]
    facts = max([left.facts, *(int(word) for what, word in said if what == "facts")])
    ids = left.ids | {word for what, word in said if what == "decision"}
    return Left(facts, len(ids), left.kills + (not ended), ids), ended


def wrong(store: Store, facts: Sequence[Fact], left: Left) -> Iterator[str]:
    """What a store lost that was acknowledged, or has twice, and where chains do not hold."""
    kept = [(one.table, one.key, one.values) for one in store.facts() if one.arrival >= 0]
    keys = [(table, key) for table, key, _ in kept if key is not None]
    if len(set(keys)) < len(keys):
        yield f"{len(keys) - len(set(keys))} facts are there twice"
    ends = {0, *(after for after, _ in batches(facts, 0))}
    if len(kept) < left.facts or len(kept) not in ends:
        yield f"{left.facts} facts were acknowledged, {len(kept)} are there, which is no whole number of batches"
    yield from (f"decision {name} is lost" for name in sorted(left.ids) if store.decision(name) is None)
    for writer in store.decisions.writers():
        yield from chained(store.decisions.chain(writer))


def begun(store: Store, facts: Sequence[Fact]) -> Left:
    """Sends what comes before the first order, and that, so that there is a ledger wherever the next is killed."""
    for after, some in batches(facts, 0):
        store.append(told(some), arrived=max(one.at for one in some), request=f"begun {after}")
        if any(one.table == "orders" for one in some):
            return Left(after)
    return Left(len(facts))


def killings(
    words: Sequence[str | Path], facts: Sequence[Fact], kills: int, random: Random, left: Left | None = None
) -> tuple[Left, list[str]]:
    """Kills a process that goes on again and again, and what was wrong after any of the kills."""
    left, found, ended = left or Left(), list[str](), False
    while not ended and left.kills < kills:
        left, ended = killed(words, left, random.randint(1, LINES), random.random() * SECONDS)
        store = Store.open(str(words[1]))
        found += wrong(store, facts, left)
        store.close()
    return left, found


def main(words: Sequence[str]) -> int:
    """Sends."""
    ledger, where, models, writer, begin = words
    scorer = Scorer.open(where, models)
    assert isinstance(scorer, OverStore)
    warmed(scorer.models, scorer.policy)  # or it is killed before the code is compiled that decides
    send(replace(scorer, writer=writer), in_order(Ledger.open(ledger)), int(begin))
    scorer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
