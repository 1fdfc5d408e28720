"""The job of describing a simulated marketplace: its rates, what is known of the truth, and how far signals can see."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score
from tqdm import tqdm

from features import Ledger, signals
from features.asking import askings
from features.kernel import DAY, Flag, Int
from features.signal import Float
from models import fit
from pipelines.check import Said
from pipelines.marketplace import Marketplace, happen
from pipelines.marketplace.claims import CAUSES, SIDE, SIDES
from pipelines.marketplace.draws import START, end
from pipelines.marketplace.endings import WON
from pipelines.marketplace.events import Events
from pipelines.marketplace.ledger import Names, tables
from pipelines.marketplace.parameters import told
from pipelines.marketplace.people import STRANGER
from pipelines.marketplace.proofs import BUYER
from pipelines.marketplace.rates import RATES, contested, ended, judged

FEWEST: Final = 40
"""Cases of a cause below which nothing is said of it."""
STRONGEST: Final = 3
SAMPLE: Final = 20_000
"""Orders that stolen ones are told from."""
MORE: Final = 5
"""Worlds of the same kind that the ceiling learns from."""
LEARN_UNTIL: Final = 0.6
"""Share of the days that is learnt from; the disputes of the rest are tested on."""
SETTLED: Final = 7 * DAY
"""How long after a dispute its evidence is looked at."""


@dataclass(frozen=True)
class View:
    """What signals show of disputes and of a sample of orders, beside what is true: frames and codes (n,) of CAUSES."""

    disputes: pd.DataFrame
    cause: Int
    orders: pd.DataFrame
    stolen: Flag


def describe(parameters: Marketplace, *, seed: int, said: Said) -> dict[str, object]:
    """Rates, delays, label coverage, the strongest single signals against each hidden cause, and the best achievable scores."""
    said(f"simulating {parameters.orders:,} orders over {parameters.days:g} days")
    events = happen(parameters, seed=seed)
    closing: dict[str, object] = {f"parameter {name}": line for name, line in told(parameters).items()}
    closing |= {f"rate {name}": line for name, line in rates(events).items()}
    closing |= {f"labels {name}": line for name, line in coverage(events).items()}
    said("measuring every signal against every hidden cause")
    seen = view(events)
    closing |= {f"signals {name}": line for name, line in strongest(seen, events).items()}
    said(f"training on true labels of {MORE} more such worlds, for the best achievable")
    closing |= {f"ceiling {name}": line for name, line in ceiling(events, seen).items()}
    return closing


def rates(it: Events) -> dict[str, str]:
    """Every rate beside the range that is known of life, and delays by their deciles."""
    found = {}
    for rate in RATES:
        value, n = rate.measured(it)
        kind = "" if rate.unit == "share" else "median, "
        known = f"{rate.shown(rate.low)} to {rate.shown(rate.high)}, {rate.source}"
        found[rate.name] = f"{rate.shown(value)} | {kind}{rate.says} | n {n:,} | known: {known}"
    return found | _delays(it)


def _delays(it: Events) -> dict[str, str]:
    """Days by which a tenth, a half and nine tenths of what is known had come."""
    opened, ruled, found = it.quarrels.opened, it.quarrels.ruled, it.quarrels.found
    charged, until = it.charges.charged, end(it.parameters)
    delays = {
        "dispute after order": opened.at - it.trade.bought.at[opened.order],
        "ruling after dispute": (ruled.at - opened.at[ruled.dispute])[ruled.at < until],
        "finding after dispute": (found.at - opened.at[found.dispute])[found.at < until],
        "chargeback after order": charged.at - it.trade.bought.at[charged.order],
        "ending after chargeback": (it.charges.ended.at - charged.at[it.charges.ended.chargeback])[
            it.charges.ended.at < until
        ],
    }
    return {
        f"delay of {name}": "days: " + ", ".join(f"{day:.3g}" for day in np.quantile(delay / DAY, [0.1, 0.5, 0.9]))
        for name, delay in delays.items()
        if len(delay)
    }


def coverage(it: Events) -> dict[str, str]:
    """How much of the truth the ledger tells: findings of disputes, endings of chargebacks."""
    opened, found, until = it.quarrels.opened, it.quarrels.found, end(it.parameters)
    known = found.at < until
    told_of = np.zeros(len(opened), np.bool_)
    told_of[found.dispute[known]] = True
    right = (found.malicious == opened.malicious[found.dispute])[known]
    bad, filed = opened.malicious, contested(it)
    return {
        "disputes with a finding": _share(told_of),
        "malicious disputes with a finding": _share(told_of[bad]),
        "honest disputes with a finding": _share(told_of[~bad]),
        "findings that are right": _share(right),
        "chargebacks contested": _share(filed),
        "contested chargebacks that ended": _share(ended(it)[filed] >= 0),
    }


def _share(which: Flag) -> str:
    return f"{100 * which.mean():.3g} % of {len(which):,}" if len(which) else "none"


def view(it: Events, names: Names | None = None) -> View:
    """The signals of all disputes at their own moment and of a sample of orders, stolen ones all, with the truth of each."""
    ledger = Ledger.of(tables(it, names))
    disputes = signals(ledger, "dispute_outcome")
    row = disputes["ask_id"].str[1:].astype("int64").to_numpy()
    stolen = it.trade.bought.spirit == STRANGER
    some = np.random.default_rng(it.seed).random(len(stolen)) < SAMPLE / len(stolen)
    asks = askings(ledger, "chargeback_risk")
    asked = pd.DataFrame({"ask_id": asks.ids.to_pandas(), "at": pd.to_datetime(asks.at, unit="us", utc=True)})
    orders = signals(ledger, "chargeback_risk", asks=asked[(stolen | some)[asks.row]])
    order = orders["ask_id"].str[1:].astype("int64").to_numpy()
    shown = pd.DataFrame({"shared_evidence": shared_evidence(it)[row]}, dtype=np.float32)
    return View(pd.concat([disputes, shown], axis=1), it.quarrels.opened.cause[row], orders, stolen[order])


def shared_evidence(it: Events) -> Int:
    """For each dispute, how many other buyers had shown one of its pictures before, a week after it was opened."""
    shown, opened = it.quarrels.shown, it.quarrels.opened
    buyer = it.trade.bought.buyer[opened.order]
    rows = np.flatnonzero((shown.content >= 0) & (shown.party == BUYER))
    rows = rows[np.argsort(shown.at[rows], kind="stable")]
    seen: dict[int, set[int]] = {}
    others = np.zeros(len(opened), np.int64)
    for content, case, at in zip(
        *(values[rows].tolist() for values in (shown.content, shown.case, shown.at)), strict=True
    ):
        known = seen.setdefault(content, set())
        if at < opened.at[case] + SETTLED:
            others[case] = max(others[case], len(known - {buyer[case]}))
        known.add(int(buyer[case]))
    return others


@dataclass(frozen=True)
class Ranks:
    """Ranks of every signal with the unknown first and with it last: matrices (n, signals)."""

    names: list[str]
    low: Float
    high: Float

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Ranks":
        """The ranks of a frame's float32 columns."""
        values = frame.select_dtypes(np.float32)
        low, high = (rankdata(values.fillna(far).to_numpy(np.float64), axis=0) for far in (-np.inf, np.inf))
        return cls([str(name) for name in values.columns], low, high)

    def auc(self, yes: Flag) -> Float:
        """How well each signal alone separates `yes` (n,), in whichever direction, the unknown at whichever end: 0.5 to 1."""
        p, n = int(yes.sum()), len(yes)
        found = [(ranks[yes].sum(axis=0) - p * (p + 1) / 2) / (p * (n - p)) for ranks in (self.low, self.high)]
        return np.asarray(np.max([np.maximum(auc, 1 - auc) for auc in found], axis=0))


def targets(seen: View) -> Iterator[tuple[str, Ranks, Flag]]:
    """Every hidden cause that there are enough cases of: its name, the ranks of what is asked about, and where it holds."""
    ranks = Ranks.of(seen.disputes)
    side = SIDE[seen.cause]
    told_apart = {"malicious": side == SIDES.index("buyer")}
    told_apart |= {f"at fault: {name}": side == i for i, name in enumerate(SIDES)}
    told_apart |= {f"cause: {name}": seen.cause == i for i, name in enumerate(CAUSES)}
    for name, yes in told_apart.items():
        if FEWEST <= yes.sum() <= len(yes) - FEWEST:
            yield name, ranks, yes
    if FEWEST <= seen.stolen.sum() <= len(seen.stolen) - FEWEST:
        yield "stolen order", Ranks.of(seen.orders), seen.stolen


def strongest(seen: View, it: Events) -> dict[str, str]:
    """The strongest single signals against each hidden cause, by AUC."""
    found = {}
    for name, ranks, yes in targets(seen):
        auc = ranks.auc(yes)
        best = np.argsort(-auc, kind="stable")[:STRONGEST]
        found[f"of {name}"] = f"n {int(yes.sum()):,}; " + ", ".join(f"{ranks.names[i]} {auc[i]:.3f}" for i in best)
    return found


def ceiling(it: Events, seen: View) -> dict[str, str]:
    """What the same learner reaches with true labels and five times the data, beside findings alone; and true chances."""
    m = it.parameters
    cut = pd.to_datetime(START + round(LEARN_UNTIL * m.days * DAY), unit="us", utc=True)
    early, late = (seen.disputes["at"] < cut).to_numpy(), (seen.disputes["at"] >= cut).to_numpy()
    bad = SIDE[seen.cause] == SIDES.index("buyer")
    found: dict[str, str] = {}
    if bad[late].sum() >= FEWEST:
        test = seen.disputes[late]
        judged = _judged(it, seen, cut)
        told_of = early & (judged >= 0)
        found |= {
            "base rate": f"{bad[late].mean():.3f} of {int(late.sum()):,} disputes of the last {1 - LEARN_UNTIL:.0%} of days"
        }
        if len(np.unique(judged[told_of])) == 2:
            found["findings as true"] = _reached(seen.disputes[told_of], judged[told_of] == 1, test, bad[late])
        found["true labels"] = _reached(seen.disputes[early], bad[early], test, bad[late])
        frames, truths = _more(it, cut)
        found["true labels, five times the data"] = _reached(frames, truths, test, bad[late])
    return found | _winning(it)


def _judged(it: Events, seen: View, cut: pd.Timestamp) -> Int:
    """What was found of each dispute before the cut: 1 malicious, 0 honest, -1 nothing."""
    found, until = it.quarrels.found, int(cut.value // 1000)
    said = np.full(len(it.quarrels.opened), -1)
    rows = np.flatnonzero(found.at < until)
    said[found.dispute[rows]] = found.malicious[rows]
    return said[seen.disputes["ask_id"].str[1:].astype("int64").to_numpy()]


def _more(it: Events, cut: pd.Timestamp) -> tuple[pd.DataFrame, Flag]:
    """Disputes before the cut in more worlds of the same kind, with their true labels, in time order."""
    frames, truths = [], []
    for k in tqdm(range(1, MORE + 1), desc="worlds", delay=2, disable=None, leave=False):
        other = view(happen(it.parameters, seed=it.seed + 1000 * k))
        early = (other.disputes["at"] < cut).to_numpy()
        frames.append(other.disputes[early])
        truths.append((SIDE[other.cause] == SIDES.index("buyer"))[early])
    frame, yes = pd.concat(frames, ignore_index=True), np.concatenate(truths)
    order = np.argsort(frame["at"].to_numpy(), kind="stable")
    return frame.iloc[order].reset_index(drop=True), yes[order]


def _reached(frame: pd.DataFrame, yes: Flag, test: pd.DataFrame, truth: Flag) -> str:
    if yes.all() or not yes.any():
        return "nothing to learn from"
    p = fit(frame, yes.astype(np.int8)).predict_proba(test)[:, 1]
    precision, auc = average_precision_score(truth, p), roc_auc_score(truth, p)
    return f"average precision {precision:.3f}, AUC {auc:.3f}, learnt from {len(yes):,}"


def _winning(it: Events) -> dict[str, str]:
    """How well the true probabilities of winning rank and predict the endings of contested chargebacks."""
    some = judged(it)
    won, p = ended(it)[some] == WON, it.charges.done.probability[some]
    if len(won) < FEWEST or won.all() or not won.any():
        return {"winning": f"too few contested chargebacks that ended: {len(won):,}"}
    auc, brier = roc_auc_score(won, p), float(np.mean((p - won) ** 2))
    return {
        "winning, true probabilities": f"AUC {auc:.3f}, Brier score {brier:.3f}, {won.mean():.3f} of {len(won):,} won"
    }
