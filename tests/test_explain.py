"""Parts and base give the calibrated log-odds back, reasons are the parts' own, and words are those of the row alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trained import Trained, every_question, marketplace

from features import Ledger
from features.asking import ASKED
from features.signal import Float
from models import Model, fit
from models.explain import COLUMNS, GROUPS, LEAST, MOST, NONE, grouped, summed, weighed
from models.reasons import REASONS, place
from models.telling import SLAB, TOLD, reasons

NAMES = (
    "order_amount",
    "order_quantity",
    "product_disputes_quality_per_order_90d",
    "buyer_credit",
    "buyer_found_malicious_count_ever",
    "buyer_credit_lost_malicious",
    "device_malicious_sharers_count",
    "seller_blocks_standing_count",
    "order_scans_lost_count",
)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return marketplace()


@pytest.fixture(scope="module")
def trained() -> dict[str, Trained]:
    return every_question()


def bare() -> Model:
    """A model without trees, which is all that contributions need to be told."""
    return Model("", NAMES, card={"question": "malicious_dispute"})


def off(model: Model, frame: pd.DataFrame, contributions: Float) -> float:
    """How far the sums of the parts lie from the log-odds of the calibrated probability."""
    p = model.predict_proba(frame)
    sums = summed(model.question, model.signals, contributions).to_numpy().sum(axis=1)
    return float(np.abs(sums - np.log(p[:, 1] / p[:, 0])).max())


@pytest.mark.parametrize("question", ASKED)
def test_parts_and_base_sum_to_the_log_odds_of_the_calibrated_probability(
    question: str, trained: dict[str, Trained]
) -> None:
    model, frame = trained[question].model, trained[question].frame
    assert frame[list(model.signals)].isna().to_numpy().any()
    added = model.contributions(frame)
    assert model.parts(frame).columns.tolist() == list(COLUMNS)
    assert off(model, frame, added) < 1e-9
    assert model.parts(frame).drop(columns="base_part").to_numpy().any()


@pytest.mark.parametrize("question", ASKED)
def test_unknown_signals_are_taken_apart_as_exactly(question: str, trained: dict[str, Trained]) -> None:
    model, frame = trained[question].model, trained[question].frame[:50].copy()
    hidden = np.random.default_rng(0).random((50, len(model.signals))) < 0.5
    frame[list(model.signals)] = frame[list(model.signals)].mask(hidden).astype(np.float32)
    assert off(model, frame, model.contributions(frame)) < 1e-9


def test_a_sum_that_is_not_the_log_odds_is_caught(trained: dict[str, Trained]) -> None:
    model, frame = trained["chargeback_risk"].model, trained["chargeback_risk"].frame
    added = model.contributions(frame)
    without = np.array([*[1.0] * (added.shape[1] - 1), 0.0])
    heaviest = int(np.abs(added[:, :-1]).max(axis=0).argmax())
    assert off(model, frame, added * without) > 1e-3
    assert off(model, frame, np.delete(np.insert(added, heaviest, 0.0, axis=1), heaviest + 1, axis=1)) > 1e-3
    assert off(replace(model, slope=model.slope * 1.001), frame, added) > 1e-6


@pytest.mark.parametrize("question", ASKED)
def test_a_part_is_the_sum_of_its_reasons(question: str, trained: dict[str, Trained]) -> None:
    model, frame = trained[question].model, trained[question].frame
    added = model.contributions(frame)
    weights = grouped(added[:, :-1], [place(name) for name in model.signals], len(REASONS))
    by_part = grouped(weights, [GROUPS.index(reason.part) for reason in REASONS], len(GROUPS))
    by_part[:, -1] += added[:, -1]
    assert np.abs(by_part - model.parts(frame).to_numpy()).max() < 1e-12


def test_sums_are_those_of_the_row_alone_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    size = (SLAB + 7, 60)
    added = rng.normal(size=size) * np.exp(5 * rng.normal(size=size))
    group = rng.integers(0, 3, 60).tolist()
    whole = grouped(added, group, 3)
    for rows in (slice(0, 1), slice(SLAB - 1, SLAB), slice(SLAB, SLAB + 3), slice(SLAB + 6, None)):
        assert (grouped(added[rows], group, 3) == whole[rows]).all()
        assert (grouped(np.asfortranarray(added[rows]), group, 3) == whole[rows]).all()


def naive(row: list[float], names: tuple[str, ...], most: int) -> list[tuple[int, float, list[int]]]:
    """The reasons of one row that weigh most, each way: place, log-odds and signals, by looking at each."""
    weight: dict[int, float] = {}
    for name, added in zip(names, row, strict=True):
        weight[place(name)] = weight.get(place(name), 0.0) + added
    told = []
    for way in (1, -1):
        for of in sorted((of for of in weight if way * weight[of] > LEAST), key=lambda of: (-way * weight[of], of))[
            :most
        ]:
            mine = [i for i, name in enumerate(names) if place(name) == of and way * row[i] > 0]
            told.append((of, weight[of], sorted(mine, key=lambda i: (-way * row[i], i))[:most]))
    return told


@given(
    st.lists(st.lists(st.integers(-4, 4), min_size=len(NAMES), max_size=len(NAMES)), min_size=1, max_size=4),
    st.integers(1, 4),
)
def test_what_weighs_most_is_what_a_look_at_each_finds(eighths: list[list[int]], most: int) -> None:
    added = np.array(eighths) / 8
    found = weighed(bare().signals, np.column_stack([added, np.ones(len(added))]), most)
    for i, row in enumerate(added.tolist()):
        slots = [slot for slot in range(2 * most) if found.reason[i, slot] != NONE]
        told = [
            (
                int(found.reason[i, slot]),
                found.weight[i, slot],
                [s for s in found.signal[i, slot].tolist() if s != NONE],
            )
            for slot in slots
        ]
        assert told == naive(row, NAMES, most)
        assert [slot for slot in slots if slot < most] == list(range(sum(weight > 0 for _, weight, _ in told)))


def row_of(**added: float) -> Float:
    return np.array([[*(added.get(name, 0.0) for name in NAMES), -2.0]])


FRAME = pd.DataFrame([[5023, 1, 0.25, 34.25, 2, 30.5, np.nan, 1, 0]], columns=list(NAMES)).astype(np.float32)


def test_a_case_is_told_in_three_voices() -> None:
    added = row_of(
        buyer_found_malicious_count_ever=0.5,
        buyer_credit_lost_malicious=0.75,
        device_malicious_sharers_count=0.25,
        product_disputes_quality_per_order_90d=-0.5,
        seller_blocks_standing_count=-1.0,
        order_amount=0.5,
        order_quantity=-0.125,
    )
    (told,) = reasons(bare().question, bare().signals, FRAME, added).to_dict("records")
    assert told["reason_codes"] == [
        "buyer_found_malicious",
        "order_itself",
        "shared_findings",
        "seller_integrity",
        "product_complaints",
    ]
    assert told["reasons"] == [
        "Findings of malice in the buyer's earlier disputes: speaks for found malicious, +1.25 | "
        "credit lost by disputes found malicious = 30.5 points (+0.75) | "
        "disputes that stand found malicious of this buyer, ever = 2 disputes (+0.50)",
        "What was ordered, when, and whether it goes abroad: speaks for found malicious, +0.38 | "
        "amount of the order = 50.23 (+0.50)",
        "Malice or chargebacks of buyers who share a card, device, address, e-mail or IP: speaks for found malicious, +0.25 | "
        "buyers who had used this device, this one among them, and stand found malicious = unknown (+0.25)",
        "Blocks of the seller for integrity, and what became of them: speaks for found honest, -1.00 | "
        "blocks for integrity of this seller that stand = 1 block (-1.00)",
        "Disputes, rulings, refunds and chargebacks about the product: speaks for found honest, -0.50 | "
        "disputes for quality for each order of this product, last 90d = 0.25 disputes per order (-0.50)",
    ]
    assert told["reasons_seller"] == [
        "Answer or appeal the block. Supply invoices and authorisations of the goods.",
        "Supply pictures of the goods that were sent, and compare them with the page.",
        "What is known of this order counts in your favour.",
    ]
    assert told["reasons_buyer"] == [
        "Your earlier orders with us are part of the picture. You can ask for your own record and have it corrected.",
        "We look at the whole of this order. You can add whatever helps us to understand what happened.",
        "What is known of this order counts in your favour.",
        "What is known of this product counts in your favour.",
    ]


@pytest.mark.parametrize("added", [0.0, LEAST, -LEAST])
def test_where_nothing_weighs_nothing_is_told(added: float) -> None:
    (told,) = reasons(bare().question, bare().signals, FRAME, row_of(order_amount=added)).to_dict("records")
    assert told == {name: [] for name in TOLD}


def test_of_no_rows_nothing_is_told() -> None:
    none = reasons(bare().question, bare().signals, FRAME[:0], row_of()[:0])
    assert (none.columns.tolist(), len(none)) == (list(TOLD), 0)


@pytest.mark.parametrize("question", ASKED)
def test_words_of_a_row_are_the_same_alone_and_among_others(question: str, trained: dict[str, Trained]) -> None:
    model, frame = trained[question].model, trained[question].frame
    whole = reasons(model.question, model.signals, frame, model.contributions(frame))
    assert 1 < whole["reasons"].map(len).max() <= 2 * MOST
    for i in (0, 150, len(frame) - 1):
        one = frame.iloc[[i]]
        alone = reasons(model.question, model.signals, one, model.contributions(one))
        assert alone.iloc[0].to_dict() == whole.iloc[i].to_dict()


def test_what_a_faulty_product_explains_lies_in_its_part_and_not_in_its_buyers() -> None:
    rng = np.random.default_rng(2)
    names = ("product_disputes_quality_per_order_90d", "buyer_disputes_count_90d")
    frame = pd.DataFrame(rng.random((4_000, 2)).round(2), columns=list(names)).astype(np.float32)
    rate, disputes = frame.to_numpy().T
    malicious = (rng.random(4_000) < 0.1 + 0.6 * disputes * (1 - rate)).astype(np.int8)
    fitted = fit(frame, malicious, parameters={"num_leaves": 8})
    model = replace(fitted, card=dict(fitted.card) | {"question": "malicious_dispute"})
    sound, faulty = (
        model.parts(pd.DataFrame([[often, 0.5]], columns=list(names), dtype=np.float32)) for often in (0.1, 0.9)
    )
    moved = (faulty - sound).iloc[0]
    assert moved["product_part"] < -0.5
    assert moved["buyer_part"] < 0.1
