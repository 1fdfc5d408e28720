"""The mechanism of winning: evidence counts as sets, never hurts, and everything else has the side it is written down with."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.kernel import DAY
from features.tables import EVIDENCE
from pipelines.marketplace import Events, happen, world
from pipelines.marketplace.claims import CAUSES
from pipelines.marketplace.defences import eligible
from pipelines.marketplace.orders import NETWORKS
from pipelines.marketplace.winning import CODES, FAMILIES, ITEMS, SETS, Cases, Mechanism, families, win_probability

TURN = 1_000
WEIGHT = SETS[1].items


def case(
    family: str,
    network: str = "visa",
    cause: str = "misunderstanding",
    cents: int = 5_000,
    at: int = TURN,
    flags: bool = True,
) -> Cases:
    """One chargeback as the mechanism sees it."""
    flag = np.array([flags])
    codes = np.array([[FAMILIES.index(family)], [NETWORKS.index(network)], [CAUSES.index(cause)], [cents], [at]])
    return Cases(codes[0], codes[1], codes[2], codes[3], codes[4], flag, flag)


def held(*kinds: str) -> NDArray[np.bool_]:
    """One row of evidence."""
    return np.array([[kind in kinds for kind in EVIDENCE]])


def log_odds(one: Cases, *kinds: str, mechanism: Mechanism | None = None) -> float:
    p = float(win_probability(mechanism or Mechanism(TURN, 0.0), one, held(*kinds))[0])
    return float(np.log(p / (1 - p)))


def test_three_of_four_weight_items_are_not_three_quarters() -> None:
    one = case("not_as_described")
    base = log_odds(one)
    alone = [log_odds(one, *(kind for kind in WEIGHT if kind != left)) - base for left in WEIGHT]
    assert max(alone) < 0.5
    assert log_odds(one, *WEIGHT) - base == pytest.approx(2.2)


@pytest.mark.parametrize(
    ("family", "kinds", "flags", "adds"),
    [
        ("not_received", ("tracking",), True, 0.2),
        ("not_received", ("delivery_certificate",), True, 0.2),
        ("not_received", ("tracking", "delivery_certificate"), True, 0.2 + 0.2 + 2.1),
        ("not_received", ("tracking", "delivery_certificate"), False, 0.2 + 0.2),  # no scan stands behind them
        ("fraud", ("identity_match",), True, 0.3 + 2.0),
        ("fraud", ("identity_match",), False, 0.3),  # no prior transactions qualify
        ("credit", ("refund_proof",), True, 1.8),
        ("counterfeit", ("brand_authorisation", "listing_copy"), True, 0.3 + 0.2 + 2.0),
        ("fraud", WEIGHT, True, 0.0),  # not what the case is about
        ("not_received", (), True, 0.0),
    ],
)
def test_evidence_adds_what_is_written_down(family: str, kinds: tuple[str, ...], flags: bool, adds: float) -> None:
    one = case(family, flags=flags)
    assert log_odds(one, *kinds) - log_odds(one) == pytest.approx(adds)


@pytest.mark.parametrize(
    ("one", "other", "adds"),
    [
        (case("fraud"), case("fraud", "mastercard"), 0.1),
        (case("unnamed"), case("unnamed", "other"), -0.2),
        (case("credit"), case("credit", cause="faulty_product"), -0.25),
        (case("credit"), case("credit", cause="short_loaded"), -0.25),
        (case("credit"), case("credit", cause="ring_abuse"), 0.15),
        (case("credit"), case("credit", cause="forgotten"), 0.1),
        (case("fraud"), case("fraud", cause="stolen_card"), -0.1),
        (case("credit"), case("credit", cause="lost"), 0.0),
        (case("credit", cents=5_000), case("credit", cents=50_000), -0.15 * np.log(10)),
        (case("credit", cents=1), case("credit", cents=100), 0.0),
    ],
)
def test_a_case_counts_for_what_is_written_down(one: Cases, other: Cases, adds: float) -> None:
    assert log_odds(other) - log_odds(one) == pytest.approx(adds)


@pytest.mark.parametrize(
    ("network", "at", "adds"),
    [("visa", 0, 2.3), ("visa", TURN, 2.3), ("mastercard", TURN, 2.3), ("mastercard", TURN - 1, 0.7)],
)
def test_first_party_trust_begins_at_the_turn(network: str, at: int, adds: float) -> None:
    one = case("fraud", network, at=at)
    assert log_odds(one, "identity_match") - log_odds(one) == pytest.approx(adds)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_more_evidence_never_hurts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 200
    flags = rng.random((2, n)) < 0.5
    family, network, cause = (rng.integers(0, len(names), n) for names in (FAMILIES, NETWORKS, CAUSES))
    amount, at = rng.integers(1, 10**6, n), rng.integers(0, 2 * TURN, n)
    some = Cases(family, network, cause, amount, at, flags[0], flags[1])
    items = rng.random((n, len(EVIDENCE))) < 0.5
    mechanism = Mechanism(TURN, 0.04)
    before = win_probability(mechanism, some, items)
    assert np.all((before > 0.04) & (before < 0.96))
    for kind in range(len(EVIDENCE)):
        more = items.copy()
        more[:, kind] = True
        assert np.all(win_probability(mechanism, some, more) >= before)


def test_noise_moves_every_ending_each_way() -> None:
    one, whole = case("not_received"), Mechanism(TURN, 0.0)
    noisy = replace(whole, noise=0.1)
    for kinds in ((), ("tracking", "delivery_certificate")):
        calm = win_probability(whole, one, held(*kinds))[0]
        assert win_probability(noisy, one, held(*kinds))[0] == pytest.approx(0.1 + 0.8 * calm)


def test_what_is_written_down_names_evidence_families_and_codes() -> None:
    named = [kind for weights in ITEMS.values() for kind in weights] + [kind for whole in SETS for kind in whole.items]
    assert set(named) <= set(EVIDENCE)
    assert set(ITEMS) == set(FAMILIES) == set(Mechanism(0, 0).base)
    assert set(CODES.values()) | {"unnamed"} == set(FAMILIES)
    assert all(adds >= 0 for weights in (*ITEMS.values(), *(whole.adds for whole in SETS)) for adds in weights.values())
    assert families(np.array([0, 1, -1]), ("10.4", "4853")).tolist() == [
        FAMILIES.index(name) for name in ("fraud", "cardholder", "unnamed")
    ]


@pytest.fixture(scope="module")
def rich() -> Events:
    return happen(world("chargeback_rich", orders=40_000, orders_per_buyer=12), seed=4)


def test_prior_transactions_qualify_as_their_naive_twin_says(rich: Events) -> None:
    bought, charged = rich.trade.bought, rich.charges.charged
    spoilt = np.full(len(bought), np.iinfo(np.int64).max)
    np.minimum.at(spoilt, rich.quarrels.opened.order, rich.quarrels.opened.at)
    np.minimum.at(spoilt, charged.order, charged.at)
    some = np.arange(0, len(charged), 7)
    found = eligible(rich.parameters, bought, charged.order[some], charged.at[some], spoilt)
    for row, says in zip(some, found, strict=True):
        order, at = charged.order[row], charged.at[row]
        prior = np.flatnonzero(bought.instrument == bought.instrument[order])
        days = (bought.at[order] - bought.at[prior]) / DAY
        prior = prior[(days > 120) & (days <= 365) & (spoilt[prior] >= at)]
        matches = sum(
            1
            for other in prior
            if (bought.ip[other] == bought.ip[order] or bought.device[other] == bought.device[order])
            and sum(
                getattr(bought, name)[other] == getattr(bought, name)[order]
                for name in ("ip", "device", "login", "address")
            )
            >= 2
        )
        assert says == (matches >= 2)
    assert 0.02 < found.mean() < 0.6


def test_strong_cases_get_more_evidence_and_are_contested_more_often(rich: Events) -> None:
    done, charged = rich.charges.done, rich.charges.charged
    diligent = np.isin(rich.trade.who.trade[rich.trade.bought.seller[charged.order]], (1,))
    filed = done.items.any(axis=1)
    assert done.propensity[charged.malicious].mean() > done.propensity[~charged.malicious].mean()
    assert done.items[filed & diligent].sum(axis=1).mean() > 1.3 * done.items[filed & ~diligent].sum(axis=1).mean()
    fault = np.isin(charged.cause, [CAUSES.index(name) for name in ("faulty_product", "wrong_item", "short_loaded")])
    described = done.cases.family == FAMILIES.index("not_as_described")
    pieces = done.items.sum(axis=1)
    assert pieces[filed & described & charged.malicious].mean() > pieces[filed & described & fault].mean()
