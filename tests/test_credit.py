"""The laws of buyer credit: what moves it and what never does, how it recovers, and what is given back."""

import re
from typing import Any

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import Ledger, RedressError, signals
from features.credit import (
    AGES,
    GRAVITY,
    LEAST,
    MARKS,
    OPERANDS,
    Prior,
    Rate,
    credit,
    estimated,
    orders_to_restore,
    posterior,
    strength,
)
from features.kernel import DAY
from features.prior import prior
from pipelines.marketplace import world
from pipelines.marketplace.draws import START
from pipelines.simulate import simulate

Rows = dict[str, list[dict[str, Any]]]
T = START + 400 * DAY
NEW = 100 / 1.25
"""Where credit begins."""


def orders(
    n: int, *, at: int = T - 20 * DAY, buyer: str = "b", seller: str = "s", name: str = "o"
) -> list[dict[str, Any]]:
    return [
        {"order_id": f"{name}{i}", "at": at + i, "buyer_id": buyer, "seller_id": seller, "amount": 500}
        for i in range(n)
    ]


def refused(order: str, at: int) -> Rows:
    """A dispute about an order and its refusal a day later."""
    dispute = {"dispute_id": f"d-{order}", "at": at, "order_id": order, "reason": "damaged", "claimed": 500}
    return {
        "disputes": [dispute],
        "rulings": [{"dispute_id": f"d-{order}", "at": at + DAY, "outcome": "refused", "fault": "buyer"}],
    }


def whole(*parts: Rows) -> Rows:
    """All tables that credit rests on, with the rows of all parts."""
    names = ("disputes", "rulings", "findings", "chargebacks", "chargeback_rulings", "reports", "report_rulings")
    rows: Rows = {name: [] for name in (*names, "blocks", "releases")}
    for part in parts:
        for name, some in part.items():
            rows[name] = rows.get(name, []) + some
    return rows


def seen(rows: Rows, t: int = T, buyer: str = "b") -> pd.Series:
    """The signals of an order that a buyer places at a moment."""
    asked = {"order_id": "asked", "at": t, "buyer_id": buyer, "seller_id": "other", "amount": 1}
    ledger = Ledger.of(naive.tables(rows | {"orders": [*rows["orders"], asked]}))
    asks = pd.DataFrame({"ask_id": ["asked"], "at": pd.to_datetime([t], unit="us", utc=True)})
    return signals(ledger, "chargeback_risk", asks=asks).iloc[0]


def test_a_new_buyer_stands_where_credit_begins() -> None:
    found = seen(whole({"orders": orders(3, buyer="else")}))
    assert found["buyer_credit"] == np.float32(NEW)
    assert found["buyer_credit_low"] < NEW < found["buyer_credit_high"]
    assert found["buyer_credit_orders_to_restore"] == 0
    assert [found[f"buyer_credit_lost_{kind}"] for kind in GRAVITY] == [8.0, 4.0, 4.0, 4.0]


def test_points_lost_and_credit_sum_to_a_hundred() -> None:
    found = seen(whole({"orders": orders(9)}, refused("o0", T - 9 * DAY)))
    lost = sum(found[f"buyer_credit_lost_{kind}"] for kind in GRAVITY)
    assert found["buyer_credit"] + lost == pytest.approx(100, abs=1e-4)
    assert found["buyer_credit_lost_refused"] > 20 > found["buyer_credit_lost_malicious"]


def test_credit_by_hand() -> None:
    """Nine orders of weight 1 and one refusal: rates 0.03/19, 1.05/19, 0.02/19, 0.02/19 over 0.003, 0.005, 0.002, 0.002."""
    found = seen(whole({"orders": orders(9)}, refused("o0", T - 9 * DAY)))
    weights = 0.1 * (0.03 / 19) / 0.003 + 0.05 * (1.05 / 19) / 0.005 + 2 * 0.05 * (0.02 / 19) / 0.002
    assert found["buyer_credit"] == pytest.approx(100 / (1 + weights), rel=1e-6)


counts = st.lists(st.integers(0, 50), min_size=4, max_size=4).map(lambda some: np.cumsum(some).astype(np.float64))


def operands(good: Any, marks: list[Any]) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Operands of one buyer: orders in nested windows, none of them taken back, marks of each kind, and the priors."""
    windows = np.concatenate([good, np.zeros(4), *marks])
    rates = [value for kind in MARKS for value in Prior().to_json()[kind].values()]
    return [np.array([value]) for value in (*windows, *rates)]


@given(counts, st.lists(counts, min_size=4, max_size=4), st.integers(0, 3))
def test_every_order_without_a_mark_raises_credit(good: Any, marks: list[Any], age: int) -> None:
    one_more = good + (np.arange(4) >= age)
    before, after = (float(credit(posterior(*operands(some, marks)))[0]) for some in (good, one_more))
    assert before < after <= 100


@given(counts, st.lists(counts, min_size=4, max_size=4), st.integers(0, 3), st.integers(0, 3))
def test_every_mark_lowers_credit_and_an_older_one_less(good: Any, marks: list[Any], kind: int, age: int) -> None:
    def marked(since: int) -> float:
        more = [some + (np.arange(4) >= since) * (k == kind) for k, some in enumerate(marks)]
        return float(credit(posterior(*operands(good, more)))[0])

    clean = float(credit(posterior(*operands(good, marks)))[0])
    assert 0 < marked(age) < clean
    assert marked(age) <= marked(3) + 1e-9


@given(counts, st.lists(counts, min_size=4, max_size=4))
def test_so_many_orders_restore_it_and_one_fewer_does_not(good: Any, marks: list[Any]) -> None:
    needed = int(orders_to_restore(posterior(*operands(good, marks)))[0])
    assert float(credit(posterior(*operands(good + needed, marks)))[0]) >= NEW - 1e-6
    if needed:
        assert float(credit(posterior(*operands(good + needed - 1, marks)))[0]) < NEW


def test_operands_are_as_many_as_windows_of_orders_and_marks_and_priors() -> None:
    assert len(OPERANDS) == len(AGES) * (2 + len(MARKS)) + 2 * len(MARKS)
    assert list(MARKS) == list(GRAVITY)


def platform_acts(rows: Rows, at: int) -> Rows:
    """What the platform alone did about every order and dispute: refunds, decisions, adjusted rules, and answers to them."""
    orders, disputes = rows["orders"], rows["disputes"]
    decided = [
        {"decision_id": f"n{i}", "at": at, "case_id": d["dispute_id"], "case_kind": "dispute", "action": "refuse"}
        | {"policy": "p", "propensity": 0.5}
        for i, d in enumerate(disputes)
    ]
    paid = [
        {"order_id": o["order_id"], "at": at + i, "amount": 500, "funded_by": "platform", "initiator": initiator}
        for o in orders
        for i, initiator in enumerate(("policy", "officer"))
    ]
    closed = [{"order_id": o["order_id"], "at": at, "party": "platform"} for o in orders]
    tiers = [{"buyer_id": "b", "at": at, "tier": "restricted", "reason": "x", "expires_at": None}]
    said = [{"decision_id": d["decision_id"], "at": at, "party": "buyer", "kind": "appeal"} for d in decided]
    return {"cancellations": closed, "decisions": decided, "refunds": paid, "tiers": tiers, "feedback": said}


def test_refunds_and_decisions_of_the_platform_alone_never_move_it() -> None:
    base = whole({"orders": orders(5), "cancellations": []}, refused("o0", T - 9 * DAY))
    acted = whole(base, platform_acts(base, T - 5 * DAY))
    names = [name for name in seen(base).index if name.startswith("buyer_credit")]
    assert len(names) == 8
    assert seen(base)[names].equals(seen(acted)[names])
    assert seen(acted)["buyer_refunds_count_ever"] == 10


def test_what_the_platform_alone_did_is_no_input_of_whether_a_dispute_is_malicious() -> None:
    tables = simulate(world("enriched", orders=4_000, days=200), seed=3)
    begun = zip(tables["refunds"]["funded_by"].to_pylist(), tables["refunds"]["initiator"].to_pylist(), strict=True)
    others = [funder != "platform" and by in ("seller", "issuer") for funder, by in begun]
    assert 20 < sum(others) < len(others) - 20
    less = {
        name: table
        for name, table in tables.items()
        if name not in ("decisions", "tiers", "feedback", "address_checks")
    }
    less["refunds"] = tables["refunds"].filter(pa.array(others))
    both = {
        q: [signals(Ledger.of(some), q) for some in (tables, less)] for q in ("malicious_dispute", "dispute_outcome")
    }
    pd.testing.assert_frame_equal(both["malicious_dispute"][0], both["malicious_dispute"][1], check_exact=True)
    assert not both["dispute_outcome"][0].equals(both["dispute_outcome"][1])  # there refunds are ordinary signals


@pytest.mark.parametrize("guilt", ["upheld", "fault"])
def test_a_seller_found_guilty_gives_credit_back_from_the_moment_that_was_known(guilt: str) -> None:
    known = T - 3 * DAY
    rows = whole({"orders": [*orders(5), *orders(1, buyer="else", name="e")]}, refused("o0", T - 9 * DAY))
    if guilt == "upheld":
        block = {
            "block_id": "k",
            "at": T - 5 * DAY,
            "kind": "seller_integrity",
            "seller_id": "s",
            "cause": "counterfeit",
        }
        rows = whole(rows, {"blocks": [block], "releases": [{"block_id": "k", "at": known, "result": "upheld"}]})
    else:
        other = {"dispute_id": "d-e", "at": T - 5 * DAY, "order_id": "e0", "reason": "quality", "claimed": 5}
        ruled = {"dispute_id": "d-e", "at": known, "outcome": "refund_full", "fault": "seller"}
        rows = whole(rows, {"disputes": [other], "rulings": [ruled]})
    clean = seen(whole({"orders": [*orders(5), *orders(1, buyer="else", name="e")]}), known + 1)["buyer_credit"]
    before, after = seen(rows, known), seen(rows, known + 1)
    assert before["buyer_credit"] < NEW < clean
    assert after["buyer_credit"] == clean
    assert [some["buyer_refusals_count_30d"] for some in (before, after)] == [1, 0]
    assert [some["buyer_disputes_excused_count_ever"] for some in (before, after)] == [0, 1]
    assert after["buyer_disputes_count_ever"] == 1  # a filed dispute stays filed for ever


def test_a_refusal_after_the_seller_was_found_guilty_stands() -> None:
    block = {"block_id": "k", "at": T - 60 * DAY, "kind": "seller_integrity", "seller_id": "s", "cause": "counterfeit"}
    upheld = {"blocks": [block], "releases": [{"block_id": "k", "at": T - 50 * DAY, "result": "upheld"}]}
    found = seen(whole({"orders": orders(5, at=T - 70 * DAY)}, refused("o0", T - 9 * DAY), upheld))
    assert found["buyer_credit"] < NEW
    assert found["buyer_refusals_count_30d"] == 1
    assert found["buyer_disputes_excused_count_ever"] == 0


def test_a_refusal_that_an_appeal_overturned_is_given_back_with_and_without_blocks() -> None:
    rows = whole({"orders": orders(5)}, refused("o0", T - 9 * DAY))
    appeal = {"dispute_id": "d-o0", "at": T - 2 * DAY, "outcome": "refund_full", "fault": "carrier"}
    overturned = whole(rows, {"rulings": [appeal]})
    bare = {name: some for name, some in overturned.items() if name not in ("blocks", "releases")}
    clean = seen(whole({"orders": orders(5)}), T - 2 * DAY + 1)["buyer_credit"]
    for found in (overturned, bare):
        assert seen(found, T - 2 * DAY)["buyer_credit"] < NEW
        assert seen(found, T - 2 * DAY + 1)["buyer_credit"] == clean


@pytest.mark.parametrize(
    ("action", "decided", "counts"),
    [
        ("refuse", T - 8 * DAY, False),
        ("refuse", T - 7 * DAY, True),  # after the ruling, of which it is no cause
        ("review", T - 8 * DAY, True),
        ("request_evidence", T - 8 * DAY, True),
    ],
)
def test_a_refusal_that_the_platforms_own_system_decided_is_no_evidence_against_a_buyer(
    action: str, decided: int, counts: bool
) -> None:
    made = {"decision_id": "n", "at": decided, "case_id": "d-o0", "case_kind": "dispute", "action": action}
    rows = whole(
        {"orders": orders(5)},
        refused("o0", T - 9 * DAY + 1),
        {"decisions": [made | {"policy": "p", "propensity": 1.0}]},
    )
    clean = seen(whole({"orders": orders(5)}))["buyer_credit"]
    found = seen(rows)
    assert found["buyer_refusals_count_30d"] == int(counts)
    assert (found["buyer_credit"] < clean) == counts
    appeal = {"dispute_id": "d-o0", "at": T - 2 * DAY, "outcome": "refused", "fault": "buyer"}
    assert seen(whole(rows, {"rulings": [appeal]}))["buyer_refusals_count_30d"] == 1  # an officer upheld it


def test_a_report_by_a_seller_found_guilty_since_is_taken_back() -> None:
    told = {"reports": [{"report_id": "r", "at": T - 9 * DAY, "order_id": "o0"}]}
    judged = {"report_rulings": [{"report_id": "r", "at": T - 8 * DAY, "upheld": True}]}
    block = {"block_id": "k", "at": T - 5 * DAY, "kind": "seller_integrity", "seller_id": "s", "cause": "quality"}
    upheld = {"blocks": [block], "releases": [{"block_id": "k", "at": T - 3 * DAY, "result": "upheld"}]}
    rows = whole({"orders": orders(5)}, told, judged, upheld)
    assert seen(rows, T - 3 * DAY)["buyer_credit"] < NEW < seen(rows, T - 3 * DAY + 1)["buyer_credit"]


@pytest.mark.parametrize(
    ("end", "party", "good"),
    [
        ("cancellations", "buyer", 0),
        ("cancellations", "seller", 0),
        ("cancellations", "platform", 50),
        ("cancellations", None, 50),  # it may have been the platform, whose decisions move nobody's credit
        ("chargebacks", None, 0),
    ],
)
def test_orders_that_were_cancelled_or_charged_back_are_no_good_history(end: str, party: str | None, good: int) -> None:
    made = orders(50)
    ended = [
        {"order_id": o["order_id"], "at": T - DAY, "chargeback_id": f"c{i}", "amount": 1, "party": party}
        for i, o in enumerate(made)
    ]
    found = seen(whole({"orders": made}, {end: ended}))
    assert (found["buyer_credit"] > NEW) == (good > 0)
    assert good or found["buyer_credit"] == np.float32(NEW)


def test_a_case_does_not_count_against_its_own_parties() -> None:
    """A dispute refused and found malicious, a chargeback won: asked about again, the buyer's credit is what it was."""
    own = {"disputes": [{"dispute_id": "d", "at": T - 9 * DAY, "order_id": "o0", "reason": "damaged", "claimed": 5}]}
    own["rulings"] = [{"dispute_id": "d", "at": T - 8 * DAY, "outcome": "refused"}]
    own["findings"] = [{"dispute_id": "d", "at": T - 7 * DAY, "malicious": True, "source": "audit"}]
    own["messages"] = [{"order_id": "o0", "at": T - 10 * DAY, "sender": "buyer", "kind": "agreement"}]
    ledger = Ledger.of(naive.tables(whole({"orders": orders(5)}, own)))
    asks = pd.DataFrame({"ask_id": "d", "at": pd.to_datetime([T - 9 * DAY, T - 6 * DAY], unit="us", utc=True)})
    found = signals(ledger, "malicious_dispute", asks=asks)
    counts = [
        name for name in found if re.match("buyer_(refusals|found|disputes|agreements|rulings)_.*_ever$", str(name))
    ]
    assert len(counts) > 5
    assert (found[counts].fillna(0) == 0).all(axis=None)
    assert (found["buyer_credit"] > NEW).all()


def test_a_malicious_dispute_never_costs_less_than_a_refused_one() -> None:
    tables = simulate(world("enriched", orders=8_000, days=300), seed=2)
    told = prior(Ledger.of(tables), START + 300 * DAY, 0).to_json()
    assert len({rate["orders"] for rate in told.values()}) == 1
    means = {kind: rate["marks"] / rate["orders"] for kind, rate in told.items()}
    assert GRAVITY["malicious"] / means["malicious"] >= GRAVITY["refused"] / means["refused"]


def test_orders_with_a_seller_found_to_fake_them_stop_counting_as_good() -> None:
    known = T - 3 * DAY
    block = {
        "block_id": "k",
        "at": T - 5 * DAY,
        "kind": "seller_integrity",
        "seller_id": "s",
        "cause": "false_transactions",
    }
    upheld = {"blocks": [block], "releases": [{"block_id": "k", "at": known, "result": "upheld"}]}
    rows = whole({"orders": orders(40, at=T - 100 * DAY)}, upheld)
    before, after = seen(rows, known), seen(rows, known + 1)
    assert before["buyer_credit"] > after["buyer_credit"] == np.float32(NEW)
    assert [after[f"buyer_orders_faked_count_{w}"] for w in ("30d", "90d", "365d", "ever")] == [0, 0, 40, 40]
    assert after["buyer_orders_count_ever"] == 40
    aged = seen(rows, T + 300 * DAY)
    assert [aged[f"buyer_orders_faked_count_{w}"] for w in ("365d", "ever")] == [0, 40]
    assert aged["buyer_credit"] == np.float32(NEW)


def test_a_finding_that_is_reversed_is_taken_back() -> None:
    dispute = refused("o0", T - 9 * DAY)["disputes"]
    found = [
        {"dispute_id": "d-o0", "at": T - 8 * DAY, "malicious": True, "source": "officer"},
        {"dispute_id": "d-o0", "at": T - 2 * DAY, "malicious": False, "source": "audit"},
    ]
    rows = whole({"orders": orders(5), "disputes": dispute, "findings": found})
    then, now = seen(rows, T - 2 * DAY), seen(rows, T - 2 * DAY + 1)
    assert (then["buyer_found_malicious_count_30d"], then["buyer_found_honest_count_ever"]) == (1, 0)
    assert (now["buyer_found_malicious_count_30d"], now["buyer_found_honest_count_ever"]) == (0, 1)
    assert then["buyer_credit"] < NEW < now["buyer_credit"]


def test_a_kind_of_mark_that_the_ledger_cannot_show_stays_where_it_begins() -> None:
    rows: Rows = {"orders": orders(20)}
    alone, all_tables = seen(rows), seen(whole(rows))
    assert alone["buyer_credit"] == np.float32(NEW)
    assert all_tables["buyer_credit"] > NEW
    found = seen({"orders": orders(20), "disputes": [], "rulings": []})
    assert alone["buyer_credit"] < found["buyer_credit"] < all_tables["buyer_credit"]


def test_the_prior_is_estimated_from_what_was_known_before_and_from_nothing_else() -> None:
    tables = simulate(world("enriched", orders=8_000, days=300), seed=2)
    t = START + 200 * DAY
    past = {
        name: table.filter([at < t for at in table["at"].cast("int64").to_pylist()]) for name, table in tables.items()
    }
    found = prior(Ledger.of(tables), t, 0)
    assert found == prior(Ledger.of(past), t, 0)
    assert found != prior(Ledger.of(tables), t + 100 * DAY, 0)
    assert found != Prior()
    assert Prior.from_json(found.to_json()) == found
    assert prior(Ledger.of({"orders": tables["orders"]}), t, 0) == Prior()


def test_the_estimate_finds_the_strength_that_rates_were_drawn_with() -> None:
    rng = np.random.default_rng(1)
    n = rng.poisson(20, 40_000).astype(np.float64)
    marks = rng.poisson(rng.gamma(0.4, 1 / 8, n.size) * n).astype(np.float64)
    assert strength(marks, n) == pytest.approx(8, rel=0.1)
    found = estimated(float(marks.sum()), float(n.sum()), 8.0, Rate(1, 1))
    assert found.mean == pytest.approx(0.05, rel=0.03)
    assert estimated(0.0, 9.0, 20.0, Rate(0.1, 2)) == Rate(1.0, 20.0)  # its own mean, worth as much as the others
    assert estimated(1.0, 1e9, 20.0, Rate(0.1, 2)).mean == LEAST


def test_a_prior_wants_orders() -> None:
    with pytest.raises(RedressError, match="want at least one order"):
        prior(Ledger.of({"orders": naive.tables({"orders": []})["orders"]}), T, 0)
