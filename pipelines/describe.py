"""The job of describing a simulated marketplace: its rates, what is known of the truth, and how far signals can see."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score
from tqdm import tqdm

from features.background import NOT_YET
from features.kernel import DAY, Flag, Int
from features.signal import Float
from models import fit
from pipelines import plots
from pipelines.marketplace import Events, Marketplace, happen
from pipelines.marketplace.claims import in_bad_faith
from pipelines.marketplace.draws import START, end, turn
from pipelines.marketplace.endings import WON
from pipelines.marketplace.orders import NETWORKS
from pipelines.marketplace.parameters import told
from pipelines.marketplace.parcels import DAMAGED, DECLINING, FALSE_SCAN, LOST
from pipelines.marketplace.rates import RATES, contested, ended, judged
from pipelines.opening import Said
from pipelines.report import Cell, Page, Section, Table, write_plots, write_report
from pipelines.sight import FEWEST, LIMIT, SURE, Sight, View, mute, sights, view

STRONGEST: Final = 3
MORE: Final = 5
"""Worlds of the same kind that the ceiling learns from."""
LEARN_UNTIL: Final = 0.6
"""Share of the days that is learnt from; the disputes of the rest are tested on."""
MONTH: Final = 30 * DAY
USUAL_WINDOW: Final = 30
"""Days for a response that no network undercuts before the turn."""


def describe(parameters: Marketplace, *, seed: int, out: Path, said: Said) -> dict[str, object]:
    """Rates, delays, label coverage, the strongest single signals against each hidden cause, and the best achievable scores.

    Writes them with figures to `out`/report.html.
    """
    said(f"simulating {parameters.orders:,} orders over {parameters.days:g} days")
    events = happen(parameters, seed=seed)
    found = {"parameter": told(parameters), "rate": rates(events), "delay": delays(events), "labels": coverage(events)}
    said("measuring every signal against every hidden cause")
    seen = view(events)
    each = sights(seen)
    found["signals"] = strongest(each)
    said(f"training on true labels of {MORE} more such worlds, for the best achievable")
    found["ceiling"] = ceiling(events, seen)
    sections = _sections(events, found, each)
    write_plots(out / "plots", sections)
    write_report(out / "report.html", _page(events, sections))
    closing: dict[str, object] = {
        f"{kind} {name}": line for kind, lines in found.items() for name, line in lines.items()
    }
    return closing | {"report": str(out / "report.html")}


def _page(it: Events, sections: list[Section]) -> Page:
    opened, charged = it.quarrels.opened, it.charges.charged
    lede = (
        "A simulated marketplace shows that the machinery works and proves nothing about the world. This page says what it is "
        "like, how much of its truth the ledger tells, and how far signals can see.",
    )
    facts = (
        ("Orders", f"{len(it.trade.bought):,}"),
        ("Disputes", f"{len(opened):,}"),
        ("of these in bad faith", f"{int(opened.malicious.sum()):,}"),
        ("Chargebacks", f"{len(charged):,}"),
        ("of these contested", f"{int(contested(it).sum()):,}"),
    )
    return Page("What the simulated marketplace is like", lede, facts, tuple(sections))


TOLD: Final = {
    "rate": ("Rates", "What was measured beside what is known of life.", ("", "measured", "what", "known")),
    "delay": ("Delays", "Days by which a tenth, a half and nine tenths of what is known had come.", ("", "days")),
    "labels": ("What the ledger tells of the truth", "Findings come late, and to the suspect first.", ("", "")),
    "signals": (
        "The strongest single signals",
        "By AUC, in whichever direction and with the unknown at whichever end.",
        ("", "cases", "signals"),
    ),
    "ceiling": (
        "The best achievable",
        "Who disputes in bad faith, on the latest disputes, by one learner: from findings, from true labels, and from those of "
        f"{MORE} more worlds. Then how well true probabilities foretell which chargebacks are won.",
        ("", ""),
    ),
    "parameter": (
        "Parameters",
        "Each can be set by --set NAME=VALUE.",
        ("", "value", "what it is", "source and sweep"),
    ),
}
"""Heading, opening sentence and columns of each table of the report."""


def _sections(it: Events, found: dict[str, dict[str, str]], each: list[Sight]) -> list[Section]:
    """The report's sections: tables of all that is told, and figures of single signals and of what changes."""
    made = {kind: _section(kind, lines) for kind, lines in found.items()}
    best = {sight.cause: (auc, name) for sight in each for name, auc in sight.strongest(1)}
    says = ("Each bar is the best of all signals. An AUC of one half tells nothing, 1 would give the cause away.",)
    bars = [Section("How far one signal sees", says, figure=plots.reach(best, LIMIT))] if best else []
    return [
        made["rate"],
        made["delay"],
        made["labels"],
        made["signals"],
        *bars,
        made["ceiling"],
        *_drift(it),
        made["parameter"],
    ]


def _section(kind: str, lines: dict[str, str]) -> Section:
    """One table of the report: what stands between bars in a line becomes its columns, of which the second is short."""
    heading, prose, header = TOLD[kind]
    cells: list[tuple[str | Cell, ...]] = []
    for name, line in lines.items():
        *short, last = line.split(" | ", len(header) - 2)
        texts = (*short[1:], last.removeprefix("known: "))
        cells.append((name, *short[:1], *(Cell("", lines=(text,)) for text in texts)))
    return Section(heading, (prose,), Table(header, tuple(cells)), chapter=True)


def _drift(it: Events) -> list[Section]:
    """What changes at the turn, month by month."""
    month = (turn(it.parameters) - START) / MONTH + 1
    drawn = (
        (
            "A carrier gets worse",
            "Parcels lost, damaged, or falsely scanned as delivered.",
            _carriers(it),
            "share of parcels",
        ),
        (
            "Abuse takes a new pattern",
            "Disputes in bad faith, by month of opening.",
            _patterns(it),
            "share of disputes",
        ),
        ("A network's rule changes", "Windows of under 30 days for a response.", _windows(it), "share of chargebacks"),
    )
    return [
        Section(heading, (says,), figure=plots.turns(rates, month, heading, label))
        for heading, says, rates, label in drawn
        if all(np.isfinite(rate).sum() > 1 for rate in rates.values())
    ]


def _carriers(it: Events) -> dict[str, Float]:
    sent, at = it.trade.sent, it.trade.bought.at
    shipped, faults = sent.shipped < NOT_YET, np.isin(sent.problem, (LOST, FALSE_SCAN, DAMAGED))
    worse, rest = (shipped & which for which in (sent.carrier == DECLINING, sent.carrier != DECLINING))
    return {
        "the one that gets worse": _monthly(it, at[worse], faults[worse]),
        "all others": _monthly(it, at[rest], faults[rest]),
    }


def _patterns(it: Events) -> dict[str, Float]:
    opened = it.quarrels.opened
    bad = opened.malicious
    return {"the new pattern": _monthly(it, opened.at[bad], opened.pattern[bad])}


def _windows(it: Events) -> dict[str, Float]:
    charged = it.charges.charged
    short, visa = charged.respond_by - charged.at < USUAL_WINDOW * DAY, charged.network == NETWORKS.index("visa")
    return {
        "Visa's": _monthly(it, charged.at[visa], short[visa]),
        "all others": _monthly(it, charged.at[~visa], short[~visa]),
    }


def _monthly(it: Events, at: Int, which: Flag) -> Float:
    """The share of things that are so, by whole months of 30 days from the first; NaN in a month without any."""
    months = max(1, (end(it.parameters) - START) // MONTH)
    month = np.minimum((at - START) // MONTH, months - 1)
    total, met = np.bincount(month, minlength=months), np.bincount(month, which, months)
    return np.asarray(np.divide(met, total, out=np.full(months, np.nan), where=total > 0))


def strongest(each: list[Sight]) -> dict[str, str]:
    """The strongest single signals against each hidden cause, and the kinds of signals that tell of none."""
    best = {
        f"of {sight.cause}": f"n {sight.cases:,} | "
        + ", ".join(f"{name} {auc:.3f}" for name, auc in sight.strongest(STRONGEST))
        for sight in each
    }
    return best | {f"that tell of no cause beyond {SURE:g} standard errors": f" | {', '.join(mute(each)) or 'none'}"}


def rates(it: Events) -> dict[str, str]:
    """Every rate beside the range that is known of life."""
    found = {}
    for rate in RATES:
        value, n = rate.measured(it)
        kind = "" if rate.unit == "share" else "median, "
        strays = "" if n == 0 or rate.holds(value) else "; outside, here"
        known = f"{rate.shown(rate.low)} to {rate.shown(rate.high)}, {rate.source}{strays}"
        found[rate.name] = f"{rate.shown(value)} | {kind}{rate.says}, of {n:,} | known: {known}"
    return found


def delays(it: Events) -> dict[str, str]:
    """Days by which a tenth, a half and nine tenths of what is known had come."""
    opened, ruled, found = it.quarrels.opened, it.quarrels.ruled, it.quarrels.found
    charged, until = it.charges.charged, end(it.parameters)
    waits = {
        "dispute after order": opened.at - it.trade.bought.at[opened.order],
        "ruling after dispute": (ruled.at - opened.at[ruled.dispute])[ruled.at < until],
        "finding after dispute": (found.at - opened.at[found.dispute])[found.at < until],
        "chargeback after order": charged.at - it.trade.bought.at[charged.order],
        "ending after chargeback": (it.charges.ended.at - charged.at[it.charges.ended.chargeback])[
            it.charges.ended.at < until
        ],
    }
    return {
        name: ", ".join(f"{day:.3g}" for day in np.quantile(wait / DAY, [0.1, 0.5, 0.9])) + " days"
        for name, wait in waits.items()
        if len(wait)
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


def ceiling(it: Events, seen: View) -> dict[str, str]:
    """What the same learner reaches with true labels and five times the data, beside findings alone; and true chances."""
    m = it.parameters
    cut = pd.to_datetime(START + round(LEARN_UNTIL * m.days * DAY), unit="us", utc=True)
    early, late = (seen.disputes["at"] < cut).to_numpy(), (seen.disputes["at"] >= cut).to_numpy()
    bad = in_bad_faith(seen.cause)
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
        truths.append(in_bad_faith(other.cause)[early])
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
