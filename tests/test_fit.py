"""The learner's promises: what never lowers a probability, and what a calibration may not turn around."""

from fnmatch import filter as matching

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import Ledger, signals
from features.asking import askings
from features.dictionary import dictionary
from features.tables import EVIDENCE
from models import Model, fit
from models.fit import calibration
from models.questions import QUESTIONS, answers
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables

WIN = QUESTIONS["chargeback_win"]
SEEN = [
    "chargeback_amount",
    "chargeback_for_fraud",
    *(f"case_items_{kind}" for kind in EVIDENCE),
    *(f"case_evidence_by_{party}_count" for party in ("buyer", "seller", "carrier", "issuer", "platform")),
    *(f"case_{name}_set_missing" for name in ("weight", "delivery", "description", "terms", "identity", "remedy")),
    "case_evidence_count",
]
Tables = dict[str, pa.Table]


@pytest.mark.parametrize("way", [1, -1])
def test_what_is_monotone_stays_so_against_the_data(way: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (2_000, 2)).astype(np.float32)
    answer = (rng.random(2_000) < 0.5 - way * 0.12 * (x[:, 0] - 1.5)).astype(np.int8)  # the other way round
    frame = pd.DataFrame(x, columns=["items_tracking", "amount"])
    free, held = fit(frame, answer), fit(frame, answer, monotone={"items_*": way})
    steps = [pd.DataFrame({"items_tracking": [float(i)], "amount": [1.0]}).astype(np.float32) for i in range(4)]
    odds = {name: np.ravel([model.logit(step) for step in steps]) for name, model in (("free", free), ("held", held))}
    assert (way * np.diff(odds["held"]) >= 0).all()
    assert (way * np.diff(odds["free"]) < 0).any()


def test_a_calibration_never_turns_the_order_of_scores_around() -> None:
    raw = np.linspace(-2, 2, 4_000)
    answer = (raw < 0).astype(np.int8)
    slope, _ = calibration(raw, answer)
    assert slope == 0


@pytest.fixture(scope="module")
def defended() -> Tables:
    """What bears on winning in a small world of many chargebacks."""
    made = tables(happen(world("chargeback_rich", orders=6_000), seed=4))
    kept = ("orders", "chargebacks", "representments", "chargeback_rulings", "disputes", "evidence")
    return {name: made[name] for name in kept}


@pytest.fixture(scope="module")
def winning(defended: Tables) -> Model:
    ledger = Ledger.of(defended)
    asks = askings(ledger, WIN.name)
    found = answers(ledger, asks, 0).answer
    frame = signals(ledger, WIN.name, only=SEEN)[found >= 0].reset_index(drop=True)
    assert len(frame) > 200
    return fit(frame, found[found >= 0], monotone=WIN.monotone)


def brought(made: Tables, kinds: tuple[str, ...]) -> Tables:
    """The tables with more evidence in every defence, by the seller."""
    defences = made["representments"]
    more = [
        {
            "evidence_id": f"new {kind} {i}",
            "at": at,
            "case_id": case,
            "case_kind": "chargeback",
            "party": "seller",
            "kind": kind,
        }
        for kind in kinds
        for i, (case, at) in enumerate(
            zip(defences["chargeback_id"].to_pylist(), defences["at"].to_pylist(), strict=True)
        )
    ]
    rows = pa.Table.from_pylist(more).cast(pa.schema([made["evidence"].schema.field(name) for name in more[0]]))
    return made | {"evidence": pa.concat_tables([made["evidence"], rows], promote_options="default")}


@pytest.mark.parametrize("kinds", [*((kind,) for kind in EVIDENCE), ("tracking", "delivery_certificate"), EVIDENCE])
def test_more_evidence_never_lowers_the_chance_of_winning(
    kinds: tuple[str, ...], defended: Tables, winning: Model
) -> None:
    before = winning.logit(signals(Ledger.of(defended), WIN.name, only=SEEN))
    after = winning.logit(signals(Ledger.of(brought(defended, kinds)), WIN.name, only=SEEN))
    assert (after >= before).all()
    if len(kinds) > 1:
        assert (after > before).any()


def test_evidence_would_lower_it_were_it_not_held(defended: Tables) -> None:
    ledger = Ledger.of(defended)
    found = answers(ledger, askings(ledger, WIN.name), 0).answer
    frame = signals(ledger, WIN.name, only=SEEN)[found >= 0].reset_index(drop=True)
    free = fit(frame, found[found >= 0])
    before = free.logit(signals(ledger, WIN.name, only=SEEN))
    after = free.logit(signals(Ledger.of(brought(defended, ("other",))), WIN.name, only=SEEN))
    assert (after < before).any()


def test_every_pattern_of_a_question_names_signals_it_has() -> None:
    for question in QUESTIONS.values():
        names = [one.name for one in dictionary(question.name)]
        assert all(matching(names, pattern) for pattern in question.monotone)
        assert {question.amount, *question.history} <= set(names)
