"""How long the evidence planner takes for one case: the best of all sets of twelve items, scoring of the sets included."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.workbench import Workbench, markdown
from features import Ledger
from features.asking import named_askings
from features.build import gathered
from features.kernel import DAY, Flag
from features.signal import Float
from features.supposed import HELD, Exhibit, needed, supposed
from features.tables import EVIDENCE
from models import Model, fit
from models.chances import outlook
from models.evidence import best
from models.linear import linear
from models.obtaining import Item, Obtaining
from models.questions import QUESTIONS
from models.terms import WINNING
from pipelines.learning import cases

ORDERS: Final = 20_000
ITEMS: Final = 12
CASES: Final = 60
AT_MOST: Final = 5.0
"""Milliseconds for a case at most."""
QUESTION: Final = "chargeback_win"


@dataclass(frozen=True)
class Setting:
    """Cases with their signals, one frame each, and the items that each might obtain."""

    frames: Sequence[pd.DataFrame]
    items: Sequence[Sequence[Item]]


def planner(bench: Workbench) -> str:
    """Milliseconds to find the best set of 12 items for a chargeback, scoring included, by each kind of model; 5 at most."""
    path = bench.folder / "planned"
    words = ("--orders", bench.rows or ORDERS, "--days", 400, "--seed", 1, "--set", "world=chargeback_rich")
    bench.redress("simulate", "--out", path, *words)
    ledger = Ledger.open(path)
    setting, found = asked(ledger), list[dict[str, object]]()
    for name, model in models(ledger).items():
        chosen = list[list[list[bool]]]()
        for way, search in WAYS.items():
            sets, taken = timed(model, setting, search, bench.runs)
            chosen.append(sets)
            found.append({"model": name, "way": way} | told(taken))
        if not all(some == chosen[0] for some in chosen):
            raise AssertionError(f"{name}: ways found different sets")
    return markdown(found)


def models(ledger: Ledger) -> dict[str, Model]:
    """Declared terms alone, the model as it is trained, and trees that know of no terms."""
    work = cases(ledger, QUESTION, start=None, stop=None, horizon=120 * DAY)
    rows = np.flatnonzero(work.found.answer >= 0)
    frame, answers, about = work.frame(rows), work.found.answer[rows], QUESTIONS[QUESTION]
    card = {"question": QUESTION, "horizon_days": 120.0}
    terms = linear(frame, answers, WINNING)
    used = [*dict.fromkeys(name for term in terms.terms for name in term.signals), *needed(QUESTION)]
    trees = fit(frame, answers, monotone=about.monotone, follows=about.follows)
    return {
        "terms alone": Model("", tuple(used), card=card, linear=terms),
        "as trained": replace(
            fit(frame, answers, monotone=about.monotone, follows=about.follows, terms=about.terms), card=card
        ),
        "trees alone": replace(trees, card=card),
    }


def asked(ledger: Ledger) -> Setting:
    """The latest chargebacks when they came, each with the first twelve kinds of evidence that it does not have."""
    facts = ledger.facts["chargebacks"]
    rows = np.arange(len(facts))[-CASES:]
    ids = facts.strings("chargeback_id").take(rows).to_pylist()
    asks = pd.DataFrame({"ask_id": ids, "at": pd.to_datetime(facts.at[rows], unit="us", utc=True)})
    frame = gathered(ledger, named_askings(ledger, QUESTION, asks))
    frames = [frame.iloc[[i]].reset_index(drop=True) for i in range(len(frame))]
    usual = Obtaining()
    kinds = [[kind for kind in EVIDENCE if not one[HELD[kind]].iloc[0] > 0][:ITEMS] for one in frames]
    return Setting(frames, [[Item(kind, usual.cents(kind), usual.hours(kind)) for kind in some] for some in kinds])


Search = Callable[[Model, pd.DataFrame, Sequence[Item], float], Flag]


def _pruned(model: Model, frame: pd.DataFrame, items: Sequence[Item], amount: float) -> Flag:
    told = outlook(model, frame, [item.exhibit for item in items])
    return best(told.chances, [item.cents for item in items], amount, told.reads.tolist())


def _every(model: Model, frame: pd.DataFrame, items: Sequence[Item], amount: float) -> Flag:
    told = outlook(model, frame, [item.exhibit for item in items])
    return best(told.chances, [item.cents for item in items], amount)


def _row_by_row(model: Model, frame: pd.DataFrame, items: Sequence[Item], amount: float) -> Flag:
    exhibits: list[Exhibit] = [item.exhibit for item in items]

    def chances(sets: Flag) -> Float:
        return model.predict_proba(supposed(QUESTION, frame, exhibits, sets))[:, 1]

    return best(chances, [item.cents for item in items], amount)


WAYS: Final[dict[str, Search]] = {
    "as planned": _pruned,
    "every set of all 12": _every,
    "a frame with a row for each set": _row_by_row,
}
"""Ways of finding the same: with what no chance depends on left out, with all, and with no structure used."""


def timed(model: Model, setting: Setting, search: Search, runs: int) -> tuple[list[list[bool]], list[float]]:
    """The set chosen for each case, and the median seconds that it took."""
    lean = {*model.columns, *needed(QUESTION)}
    chosen, taken = list[list[bool]](), list[float]()
    for frame, items in zip(setting.frames, setting.items, strict=True):
        mine = frame[[name for name in frame if name in lean]]
        amount, seconds = float(frame["chargeback_amount"].iloc[0]), list[float]()
        for _ in range(runs):
            begun = time.perf_counter()
            found = search(model, mine, items, amount)
            seconds.append(time.perf_counter() - begun)
        chosen.append(found.tolist())
        taken.append(float(np.median(seconds)))
    return chosen, taken


def told(taken: Sequence[float]) -> dict[str, object]:
    """Median and largest milliseconds over cases, beside what they may be."""
    ms = np.array(taken) * 1_000
    return {"cases": len(taken), "median ms": float(np.median(ms)), "largest ms": float(ms.max()), "at most": AT_MOST}
