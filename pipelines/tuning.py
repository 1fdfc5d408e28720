"""The job within training that chooses a setting of the trees, on what was known before the latest slice."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from features.kernel import Int
from models.sample import sampled
from models.split import Labelled
from models.tuning import SPACE, Forward, Setting, Tuned, tuned
from pipelines.learning import Cases, Learnt
from pipelines.opening import Said, moment
from pipelines.report import Section, table
from pipelines.signals import written

MOST_TUNED: Final = 100_000
"""Rows that settings are compared on at most, a sample that is weighted for those left out."""


@dataclass(frozen=True)
class Chosen:
    """The setting that training uses, empty for our own, and what the report says of the choice."""

    setting: Setting
    sections: tuple[Section, ...] = ()


def choose(work: Cases, rows: Int, learnt: Learnt, begin: int, *, n: int, seed: int, out: Path, said: Said) -> Chosen:
    """Tries `n` settings on the askings among `rows` that could be learnt from at `begin`, and writes what it tried."""
    if not n:
        return Chosen({})
    data = work.labelled(begin)
    known = np.flatnonzero(np.isin(rows, data.which))
    answer = data.answer[np.searchsorted(data.which, rows[known])]
    kept, stands_for = sampled(answer, seed, MOST_TUNED)
    which = known[kept]
    cv = Forward(work.asks.at[rows[which]], ripe_at(work, rows[which], data))
    trainings = (n + 1) * cv.n_splits
    said(f"tuning on {len(which):,} askings known by {moment(begin)}: {n + 1} settings, {trainings} trainings")
    with tqdm(desc="settings", total=n + 1, delay=2, disable=None, leave=False) as bar:
        found = tuned(
            learnt.frame.iloc[which],
            answer[kept],
            splits=list(cv.split(which)),
            n=n,
            weights=stands_for * learnt.weight[which],
            seed=seed,
            monotone=work.question.monotone,
            follows=work.question.follows,
            tried=bar.update,
        )
    said(f"tuning took {found.seconds:,.0f} s and chose {_says(found.setting)}")
    with written(out / "tuning.csv") as path:
        found.table.to_csv(path, index=False)
    return Chosen(found.setting, (_section(found, begin, len(which)),))


def ripe_at(work: Cases, rows: Int, data: Labelled) -> Int:
    """When each asking may be learnt from: once it is mature, and its answer known."""
    start = work.asked_at if work.question.horizon else work.asks.at
    return np.maximum(work.found.known_at[rows], start[rows] + data.maturity)


def _says(setting: Setting) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in setting.items()) or "our own setting"


def _section(found: Tuned, begin: int, rows: int) -> Section:
    shown = found.table.assign(chosen=np.where(found.table["chosen"], "chosen", ""))
    for name in ("log_loss", "gain", "gain_error", "average_precision"):
        shown[name] = [f"{value:.5f}" for value in found.table[name]]
    for name in SPACE:
        shown[name] = ["by rows" if np.isnan(value) else f"{value:g}" for value in found.table[name].astype(float)]
    return Section(
        "Settings that were tried",
        (
            f"On {rows:,} askings whose answers were known by {moment(begin)[:16]} UTC, so on nothing of the latest slice: "
            f"spans of their latest part, each predicted from what was known when it began. It took {found.seconds:,.0f} s.",
            f"Chosen is {_says(found.setting)}: another setting than our own only where it gains more log loss on average than "
            "the standard error of that average.",
        ),
        table(shown.rename(columns=lambda name: name.replace("_", " "))),
    )
