"""Models that learn from soft labels where a question has sources for them, beside those that take one source at its word."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from features import RedressError
from features.kernel import Flag, Int
from features.signal import Float
from models import Model, fit
from models.fit import FEWEST
from models.glimpse import glimpsed
from models.labels import Labels, Reliability, Share, labels
from models.officers import Officers, granted, measured
from models.questions import Answer
from models.sample import MOST
from models.sources import FAULTS, OUTCOMES, VIEW, Votes, votes
from models.trees import Parameters
from pipelines.learning import Cases, Learnt, grown
from pipelines.report import Section, table

FINDINGS: Final = "findings = truth"
RULING: Final = "ruling = truth"
HONEST: Final = "unlabelled = honest"
APART: Final = 1e-6
"""How far apart the least and the most probable fault lie where a source tells any; less is rounding."""
AGAIN: Final = 5
"""Folds in which signals are weighed by soft labels, of which there are many."""


@dataclass(frozen=True)
class Taught:
    """A model, the same learner taught by naive labels, and the soft labels it learnt from, if any."""

    model: Model
    naive: dict[str, Model] = field(default_factory=dict)
    labels: Labels | None = None
    officers: Officers | None = None

    @property
    def sections(self) -> tuple[Section, ...]:
        """What a report says of the labels."""
        return () if self.labels is None else (sources_section(self.labels, self.officers), view_section(self.labels))

    def predicted(self, frame: pd.DataFrame) -> dict[str, Float]:
        """Probabilities from naive labels."""
        return {name: model.predict_proba(frame)[:, 1] for name, model in self.naive.items()}


def taught(
    work: Cases,
    train: Learnt,
    as_of: int,
    seed: int,
    *,
    naive: bool,
    span: tuple[int, int] | None = None,
    setting: Parameters | None = None,
    bags: int = 0,
) -> Taught:
    """A model from what was known before `as_of`: of soft labels of all askings of a span, or of the answers in `train`.

    With `naive`, the naive labels beside it; with `bags`, which are for intervals, a model of soft labels has its rival. Where
    findings are too few to learn from, they are all there is.
    """
    told = train.answer
    if not work.question.sources or min(int(told.sum()), int((1 - told).sum())) < FEWEST:
        return Taught(grown(work.question, train, seed, setting, bags=bags))
    rows = _rows(work, as_of if span is None else min(span[1], as_of), 0 if span is None else span[0], seed)
    soft = softened(work, rows, as_of, seed)
    model = grown(
        work.question,
        Learnt(soft.frame, soft.answer, np.ones(len(rows))),
        seed,
        setting,
        soft=soft.labels.malicious,
        bags=bags,
    )
    if bags:
        model = replace(model, rival=rival(soft, work.question.follows, seed))
    officers = measured(granted(work.ledger, work.asks.take(rows), as_of), soft.labels.malicious)
    model = replace(
        model, card=dict(model.card) | rested(soft) | ({"officers": officers.to_json()} if officers else {})
    )
    return Taught(model, naively(soft, work.question.follows, seed) if naive else {}, soft.labels, officers)


@dataclass(frozen=True)
class Softened:
    """Askings with what is known of them: signals, the finding of each (-1 without one), votes and soft labels."""

    frame: pd.DataFrame
    answer: Answer
    said: Votes
    labels: Labels


def softened(work: Cases, rows: Int, as_of: int, seed: int) -> Softened:
    """Soft labels of the askings `rows` from what was known before a moment.

    Signals are first weighed by findings, then by the soft labels of all askings that came of these, as a classifier and what
    its labellers are worth are learnt together (Raykar et al. 2010). Once: more rounds would let them agree ever more.
    """
    said = votes(work.ledger, work.asks.take(rows), as_of)
    frame, answer = work.frame(rows), _found(work, rows, as_of)
    first = labels(said, glimpsed(frame, answer, seed=seed))
    again = glimpsed(frame, first.malicious, seed=seed + 1, folds=AGAIN)
    return Softened(frame, answer, said, labels(said, again))


def rested(soft: Softened) -> dict[str, object]:
    """What soft labels rest on: how many were looked into and found to be so, the class prior, and who spoke."""
    return {
        "looked_into": int((soft.answer >= 0).sum()),
        "found": int((soft.answer == 1).sum()),
        "class_prior": round(soft.labels.prior, 6),
        "sources": [name for name, word in soft.said.said.items() if (word >= 0).any()],
    }


def rival(soft: Softened, follows: str | None, seed: int) -> Model | None:
    """A model of how probable a seller's or product's fault is where malice is not; None where no source tells it apart.

    It learns from every asking as far as that is honest.
    """
    view = soft.labels.view
    honest = view[:, 1] + view[:, 2]
    fault = np.divide(view[:, 1], honest, out=np.full(len(view), 0.5), where=honest > 0)
    if np.ptp(fault) < APART:
        return None
    return fit(soft.frame.drop(columns=follows or [], errors="ignore"), fault, weights=honest, seed=seed)


def _rows(work: Cases, stop: int, start: int, seed: int) -> Int:
    """Positions of the askings of a span, of very many a sample."""
    rows = np.flatnonzero((work.asks.at >= start) & (work.asks.at < stop))
    if len(rows) <= MOST:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))


def _found(work: Cases, rows: Int, as_of: int) -> Answer:
    """The finding of each asking as it stood before a moment, -1 without one, or with one older than the asking."""
    found = work.found.as_of(as_of)
    known = (found.known_at < as_of) & (found.known_at >= work.asks.at)
    return np.where(known, found.answer, -1)[rows].astype(np.int8)


def naively(soft: Softened, follows: str | None, seed: int) -> dict[str, Model]:
    """The learner taught by findings alone, by rulings as if they were the truth, and by all that is unlabelled as honest."""
    answer = soft.answer
    refused, granted = (ruled(soft.said, outcome) for outcome in ("refused", "granted"))
    told = {
        FINDINGS: (answer >= 0, answer == 1),
        RULING: (refused | granted, refused),
        HONEST: (np.ones(len(answer), np.bool_), answer == 1),
    }
    return {
        name: model for name, (rows, yes) in told.items() if (model := _fitted(soft.frame, rows, yes, follows, seed))
    }


def ruled(said: Votes, outcome: str) -> Flag:
    """Which askings an officer ruled with one of OUTCOMES; his words are declared as each outcome with every fault."""
    word = said.said["officer"]
    return np.asarray((word >= 0) & (word // len(FAULTS) == OUTCOMES.index(outcome)), np.bool_)


def _fitted(frame: pd.DataFrame, rows: Flag, yes: Flag, follows: str | None, seed: int) -> Model | None:
    try:
        return fit(frame[rows], yes[rows].astype(np.int8), follows=follows, seed=seed)
    except RedressError:
        return None


def sources_section(found: Labels, officers: Officers | None) -> Section:
    """What each source is worth, the class prior, and what officers grant."""
    n, malicious = found.audits
    says = (
        f"Few disputes are looked into, so the model learns from how probable malice is by all that was said of a dispute. "
        f"Class prior {found.prior:.1%}; audits, which are random: {malicious:,} of {n:,} found malicious.",
        "A source accuses, or clears, or both. Sensitivity: how much of the malicious it accuses, where it says anything; "
        "specificity: how much of the rest it clears; neither says anything of a source that only accuses or only clears. In "
        "brackets 95 % intervals. Shares are counted over soft labels.",
        *([] if officers is None else [_granting(officers)]),
    )
    return Section("What each source is worth", says, table(pd.DataFrame([_row(one) for one in found.reliability])))


def _granting(officers: Officers) -> str:
    return (
        f"Of what the malicious claim officers do not grant {_share(officers.caught)}, of what the honest claim "
        f"{_share(officers.withheld)}, over {officers.rulings:,} first rulings of theirs: the ends of a "
        "straight line through the shares granted by how probable malice is. Policies reckon with that."
    )


def _row(one: Reliability) -> dict[str, str]:
    return {
        "source": one.source,
        "by": one.by.replace("_", " "),
        "accused": f"{one.accused:,}",
        "of them malicious": _share(one.accused_right if one.accused else None),
        "cleared": f"{one.cleared:,}",
        "of them honest": _share(one.cleared_right if one.cleared else None),
        "sensitivity": _share(one.sensitivity),
        "specificity": _share(one.specificity),
    }


def _share(told: Share | None) -> str:
    return "–" if told is None else "{:.2f} [{:.2f}, {:.2f}]".format(*told)


def view_section(found: Labels) -> Section:
    """The three hypotheses over all askings, and how far reporters differ."""
    means, likely = found.view.mean(axis=0), np.bincount(found.view.argmax(axis=1), minlength=len(VIEW))
    rows = [
        {"hypothesis": name, "share": f"{share:.1%}", "askings it is likeliest for": f"{int(n):,}"}
        for name, share, n in zip(
            ("buyer's malice", "seller's or product's fault", "carrier's or honest mistake"), means, likely, strict=True
        )
    ]
    told = list(found.reporters.values())
    ranged = f" from {min(told):.0%} to {max(told):.0%}" if told else ""
    says = (
        f"Each dispute's three rival explanations. Of what {len(told):,} sellers reported, the share that is malicious, drawn "
        f"towards that of all, goes{ranged}."
        if told
        else "Each dispute's three rival explanations."
    )
    return Section("Three rival explanations", (says,), table(pd.DataFrame(rows)))
