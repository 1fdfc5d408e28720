"""Whether effects of evidence are those of a simulated world's mechanism of winning, and how far mere differences are off.

The true effect is the mean over the same cases of their true chance with the evidence less that without. An item is added to or
taken from what each filed; a set is completed, or left as those of the same reason who lack some of it have it, on average.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from shutil import rmtree

import numpy as np
import pandas as pd

from benchmarks.winning import CASES, ORDERS, QUESTION
from benchmarks.workbench import Workbench, markdown
from features import Ledger
from features.kernel import DAY, Flag
from features.signal import Float
from models.effects import Effect, Treatment
from models.effects import effects as estimated
from models.questions import Answer
from pipelines.learning import cases
from pipelines.marketplace.truth import Truth

Filed = Sequence[frozenset[str]]


@dataclass(frozen=True)
class World:
    """Contested chargebacks of one simulated world, the earliest CASES of them, with what was filed and the truth."""

    frame: pd.DataFrame
    answer: Answer
    filed: Filed
    family: Sequence[str]
    truth: Truth


def effects(bench: Workbench) -> str:
    """Effects of items and sets of evidence beside the true ones of 20,000 contested cases, and beside mere differences."""
    rows = [row for seed in range(1, bench.runs + 1) for row in judged(world(bench, seed), seed)]
    told = pd.DataFrame(rows)
    return f"{markdown(summary(told))}\n\n{markdown([shown(row) for row in rows])}"


def world(bench: Workbench, seed: int) -> World:
    """One simulated world with many chargebacks, gone again from the disk."""
    path = bench.folder / f"rich {seed}"
    words = ("--orders", bench.rows or ORDERS, "--seed", seed, "--set", "world=chargeback_rich")
    bench.redress("simulate", "--out", path, *words)
    work = cases(Ledger.open(path), QUESTION, start=None, stop=None, horizon=120 * DAY)
    rows, truth = np.flatnonzero(work.found.answer >= 0)[:CASES], Truth.of(path)
    frame, evidence = (
        work.frame(rows),
        pd.read_parquet(path / "evidence.parquet", columns=["case_id", "case_kind", "kind"]),
    )
    rmtree(path)
    mine = evidence[evidence["case_kind"] == "chargeback"].groupby("case_id")["kind"].agg(frozenset)
    filed = [mine.get(name, frozenset()) for name in frame["ask_id"]]
    family = truth.tables["chargebacks"].set_index("chargeback_id").loc[frame["ask_id"], "family"].tolist()
    return World(frame, work.found.answer[rows], filed, family, truth)


def judged(here: World, seed: int) -> list[dict[str, object]]:
    """Each treatment that is common enough, estimated and true, over its own cases."""
    found = estimated(here.frame, here.answer, seed=seed)
    return [_judged(here, one, seed) for one in found if one.verdict != "too few"]


def _judged(here: World, one: Effect, seed: int) -> dict[str, object]:
    asked = (
        here.frame[one.treatment.asked].notna().to_numpy()
        if one.treatment.asked
        else np.ones(len(here.frame), np.bool_)
    )
    told = {"world": seed, "evidence": one.treatment.name, "verdict": one.verdict, "without": one.because}
    told |= {"treated": one.treated, "mere": one.association.estimate, "mere_true": true(here, one.treatment, asked)}
    told |= {"mere_low": one.association.low, "mere_high": one.association.high}
    if one.found is None:
        return told
    near, wide = one.found.adjusted, one.found.wide
    told |= {"effect": near.estimate, "low": near.low, "high": near.high, "wide_low": wide.low, "wide_high": wide.high}
    return told | {"true": true(here, one.treatment, one.rows), "robustness": one.found.robustness}


def true(here: World, one: Treatment, rows: Flag) -> float:
    """The true effect of a treatment, over some cases."""
    at = np.flatnonzero(rows).tolist()
    names, filed = here.frame["ask_id"].iloc[at].tolist(), [here.filed[i] for i in at]
    whole = frozenset(one.items)
    with_it = here.truth.win_probability(names, [kinds | whole for kinds in filed])
    return float(np.mean(with_it - without(here, whole, names, filed, [here.family[i] for i in at])))


def without(here: World, whole: frozenset[str], names: list[str], filed: Filed, family: list[str]) -> Float:
    """The true chances were the set incomplete: as it is or, of a complete one, as others of the family lack it, on average."""
    parts = lacked(here, whole)
    chance = np.zeros(len(names))
    for part in {part for some in parts.values() for part in some}:
        share = [
            float(kinds & whole == part) if not whole <= kinds else parts[name][part]
            for kinds, name in zip(filed, family, strict=True)
        ]
        chance += np.array(share) * here.truth.win_probability(names, [(kinds - whole) | part for kinds in filed])
    return chance


def lacked(here: World, whole: frozenset[str]) -> dict[str, dict[frozenset[str], float]]:
    """How often those of each reason family who lack some of a set have which part of it; nothing of it where none lacks."""
    counts = {name: Counter[frozenset[str]]() for name in set(here.family)}
    for kinds, name in zip(here.filed, here.family, strict=True):
        if not whole <= kinds:
            counts[name][kinds & whole] += 1
    some = {name: count or Counter({frozenset[str](): 1}) for name, count in counts.items()}
    return {name: {part: k / count.total() for part, k in count.items()} for name, count in some.items()}


def summary(told: pd.DataFrame) -> list[dict[str, object]]:
    """Mean absolute error and coverage: of effects, of the same with hidden confounding, and of mere differences."""
    some = told[told["verdict"] == "effect"]
    ways = {
        "effect": (some, "effect", "true", "low", "high"),
        "effect, allowing for hidden confounding": (some, "effect", "true", "wide_low", "wide_high"),
        "difference in win rates, of the same": (some, "mere", "mere_true", "mere_low", "mere_high"),
        "difference in win rates, of what is called an association": (
            told[told["verdict"] == "association"],
            *("mere", "mere_true", "mere_low", "mere_high"),
        ),
    }
    return [{"way": way} | _summed(*found) for way, found in ways.items() if len(found[0])]


def _summed(rows: pd.DataFrame, name: str, truth: str, low: str, high: str) -> dict[str, object]:
    miss, covered = rows[name] - rows[truth], rows[truth].between(rows[low], rows[high])
    return {
        "treatments": len(rows),
        "mean absolute error": f"{miss.abs().mean():.4f}",
        "mean error": f"{miss.mean():+.4f}",
        "largest": f"{miss.abs().max():.4f}",
        "covered": f"{int(covered.sum())} of {len(rows)}",
    }


def shown(row: dict[str, object]) -> dict[str, object]:
    """A row as it prints: points of probability."""
    found = "effect" in row
    covered = found and float(str(row["low"])) <= float(str(row["true"])) <= float(str(row["high"]))
    return {
        **{name: row[name] for name in ("world", "evidence", "treated")},
        "true, all": _points(row["mere_true"]),
        "mere difference": _points(row["mere"]),
        "true, of those with counterparts": _points(row["true"]) if found else "–",
        "effect": f"{_points(row['effect'])} [{_points(row['low'])}, {_points(row['high'])}]"
        if found
        else row["without"],
        "covered": ("yes" if covered else "no") if found else "–",
        "robustness": f"{float(str(row['robustness'])):.3f}" if found else "–",
    }


def _points(share: object) -> str:
    return f"{100 * float(str(share)):+.1f}"
