"""The families of signals on cases small enough to work out by hand, boundaries among them."""

from typing import Any

import naive
import numpy as np
import pandas as pd
import pytest

from features import Ledger, RedressError, signals
from features.build import able
from features.dictionary import dictionary
from features.evidence import RULES
from features.families import FAMILIES
from features.kernel import DAY, HOUR
from features.tables import EVIDENCE, REASONS
from features.words import WORDS
from pipelines.marketplace.draws import START

Row = dict[str, Any]
Rows = dict[str, list[Row]]
T = START + 400 * DAY


def order(name: str, at: int, **columns: object) -> Row:
    return {"order_id": name, "at": at, "buyer_id": "b", "seller_id": "s", "amount": 10_000, **columns}


def dispute(name: str, of: str, at: int, reason: str = "damaged", claimed: int = 10_000) -> Row:
    return {"dispute_id": name, "at": at, "order_id": of, "reason": reason, "claimed": claimed}


def chargeback(name: str, of: str, at: int, code: str = "10.4", **columns: object) -> Row:
    found = {"chargeback_id": name, "at": at, "order_id": of, "amount": 10_000, "network": "visa", "reason_code": code}
    return found | columns


def shown(name: str, case: str, at: int, kind: str = "product_photo", party: str = "buyer", **columns: object) -> Row:
    return {"evidence_id": name, "at": at, "case_id": case, "party": party, "kind": kind, **columns}


def seen(rows: Rows, question: str, ask: str, t: int) -> "pd.Series[float]":
    """The signals of one asking."""
    asks = pd.DataFrame({"ask_id": [ask], "at": pd.to_datetime([t], unit="us", utc=True)})
    return signals(Ledger.of(naive.tables(rows)), question, asks=asks).iloc[0]


def test_every_family_says_what_it_is_and_every_name_is_in_one() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) == 12
    assert all(family.says.endswith(".") for family in FAMILIES)
    names = {one.name: one.family for question in ("chargeback_risk", "chargeback_win") for one in dictionary(question)}
    assert names["buyer_credit"] == "buyer credit"
    assert names["device_malicious_sharers_count"] == "links"
    assert names["priors_qualifying_count"] == "chargeback case"


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Garro pan", set()),
        ("replica bag", {"imitation"}),
        ("bag, Garro STYLE", {"imitation"}),
        ("stylesheet for typewriters", set()),
        ("hose compatible with Aldane", {"branded_part"}),
        ("a mixed lot of screws", {"vague_quantity"}),
        ("screws, 12 pieces", {"number_of"}),
        ("set of 4 pans", {"vague_quantity"}),
        ("bag 1:1 aaa+ quality", {"imitation"}),
        ("Garro type bag", {"imitation"}),
        ("cable, USB Type-C to USB type A", set()),
        ("Duranto AAA batteries", set()),
        ("hose, fits Aldane", {"branded_part"}),
        ("shirt, fits true to size", set()),
    ],
)
def test_words_of_a_title_that_a_reader_would_stop_at(title: str, words: set[str]) -> None:
    pages = [{"product_id": "p", "seller_id": "s", "at": T - DAY, "title": title}]
    found = seen({"orders": [order("o", T, product_id="p")], "listings": pages}, "chargeback_risk", "o", T)
    named = {"imitation": "imitates", "branded_part": "is_branded_part", "vague_quantity": "vague_quantity"}
    named |= {"number_of": "titled_quantity"}
    assert set(named) == set(WORDS)
    assert {word for word, name in named.items() if found[f"listing_{name}"] == 1} == words


def test_the_page_is_the_one_the_order_was_placed_on() -> None:
    page: Row = {"product_id": "p", "seller_id": "s", "category": "toys"}
    pages: list[Row] = [
        page | {"at": T - 2 * DAY, "price": 500, "brand": "x", "brand_price": 1000, "brand_authorised": False},
        page | {"at": T, "price": 800},
        page | {"at": T + 1, "price": 900},
        {"product_id": "q", "seller_id": "z", "at": T - 3 * DAY, "category": "toys", "price": 1500},
    ]
    rows: Rows = {
        "orders": [order("early", T - DAY, product_id="p"), order("late", T, product_id="p")],
        "listings": pages,
    }
    early, late = (seen(rows, "chargeback_risk", name, T + DAY) for name in ("early", "late"))
    assert [early["listing_price"], late["listing_price"]] == [500, 800]
    assert [early["listing_price_to_brand"], early["listing_brand_unauthorised"]] == [0.5, 1]
    assert [late["listing_is_branded"], np.isnan(late["listing_brand_unauthorised"])] == [0, True]
    assert [early["product_listing_changes_since_order"], late["product_listing_changes_since_order"]] == [2, 1]
    at_once = seen(
        rows, "chargeback_risk", "late", T
    )  # the page of that very moment is given, and the first two are past
    assert at_once["product_listing_changes_since_order"] == 0
    assert at_once["category_price_to_mean_ever"] == np.float32(800 / 1000)


def test_buyers_who_share_a_link_are_known_malicious_from_when_that_was_found() -> None:
    rows: Rows = {
        "orders": [
            order("x", T - DAY, buyer_id="b0"),
            *(order(f"o{i}", T + i, buyer_id=f"b{i}", device_id="d") for i in range(3)),
        ],
        "disputes": [dispute("d", "x", T - DAY + 1)],
        "findings": [
            {"dispute_id": "d", "at": T + 10, "malicious": True, "source": "officer"},
            {"dispute_id": "d", "at": T + 20, "malicious": False, "source": "audit"},
        ],
        "chargebacks": [chargeback("c", "o1", T + 5)],
    }
    told = {t: seen(rows, "chargeback_risk", "o2", T + t) for t in (2, 3, 5, 6, 10, 11, 20, 21)}
    malicious = {t: found["device_malicious_sharers_count"] for t, found in told.items()}
    assert {t: n for t, n in malicious.items() if n} == {11: 1, 20: 1}
    assert [t for t, found in told.items() if found["device_charged_sharers_count"]] == [6, 10, 11, 20, 21]
    assert told[2]["device_days_since_new_sharer"] == np.float32(1 / DAY)
    assert told[6]["device_sharers_days"] == np.float32(2 / DAY)


def test_content_that_another_buyer_brought_before_is_found_out() -> None:
    rows: Rows = {
        "orders": [order("o", T, buyer_id="b"), order("x", T, buyer_id="other")],
        "disputes": [dispute("d", "o", T + DAY), dispute("e", "x", T + DAY)],
        "evidence": [
            shown("e1", "e", T + 2 * DAY, content_hash="h"),
            shown("e2", "d", T + 3 * DAY, content_hash="h"),
            shown("e3", "d", T + 3 * DAY, content_hash="alone"),
            shown("e4", "d", T + 3 * DAY, content_hash=None),
        ],
    }
    before, after = (seen(rows, "malicious_dispute", "d", t) for t in (T + 3 * DAY, T + 3 * DAY + 1))
    assert np.isnan(before["content_buyers_count"])
    assert [after["content_buyers_count"], after["case_buyer_reused_count"]] == [2, 1]
    first = seen(rows, "malicious_dispute", "e", T + 4 * DAY)
    assert [first["content_buyers_count"], first["case_buyer_reused_count"]] == [
        2,
        0,
    ]  # the first to show it reused nothing


def test_three_items_of_four_are_an_incomplete_set() -> None:
    rule = next(rule for rule in RULES if rule.name == "weight")
    assert len(rule.items) == 4
    rows: Rows = {"orders": [order("o", T)], "disputes": [dispute("d", "o", T + 1, "short_quantity")], "evidence": []}
    told = []
    for n, kind in enumerate(rule.items):
        told.append(seen(rows, "dispute_outcome", "d", T + 9)["case_weight_set_missing"])
        case = "o" if n % 2 else "d"  # what was brought on the order counts too
        rows["evidence"] = [*rows["evidence"], shown(f"e{n}", case, T + 2, kind, "seller")]
    whole = seen(rows, "dispute_outcome", "d", T + 9)
    assert [*told, whole["case_weight_set_missing"]] == [4, 3, 2, 1, 0]
    assert np.isnan(whole["case_delivery_set_missing"])  # nothing asks for it


def test_rules_name_items_and_reasons_that_there_are() -> None:
    for rule in RULES:
        assert set(rule.items) <= set(EVIDENCE)
        assert set(rule.reasons) <= set(REASONS)
        assert rule.source
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_time_that_nobody_told_is_held_against_nobody() -> None:
    rows: Rows = {
        "orders": [order("o", T)],
        "disputes": [dispute("d", "o", T + DAY)],
        "evidence": [
            shown(f"e{i}", "d", T + 2 * DAY, happened_at=at) for i, at in enumerate((None, T - 1, T, T + 3 * DAY))
        ],
    }
    found = seen(rows, "malicious_dispute", "d", T + 5 * DAY)
    assert found["case_buyer_photo_before_order_count"] == 1
    assert found["case_evidence_from_the_future_count"] == 1


def test_what_is_filed_with_a_defence_is_known_with_it_and_to_no_other_case() -> None:
    at = T + 20 * DAY
    rows: Rows = {
        "orders": [order("o", T)],
        "chargebacks": [chargeback("c", "o", T + DAY), chargeback("k", "o", T + DAY)],
        "representments": [{"chargeback_id": "c", "at": at}],
        "evidence": [
            shown("e1", "c", at, "tracking", "seller"),
            shown("e2", "c", at - 1, "delivery_certificate", "seller"),
            shown("e3", "o", at, "tracking", "seller"),
        ],
    }
    filed, later = (seen(rows, "chargeback_win", "c", t) for t in (at, at + 1))
    assert [filed["case_evidence_count"], later["case_evidence_count"]] == [2, 3]
    assert filed["case_delivery_set_missing"] == 0
    assert [seen(rows, "chargeback_win", "k", t)["case_evidence_count"] for t in (at, at + 1)] == [0, 1]
    own = signals(Ledger.of(naive.tables(rows)), "chargeback_win")
    assert own[["ask_id", "case_evidence_count"]].to_numpy().tolist() == [["c", 2]]
    assert own["at"].astype("int64").tolist() == [at]


AGES = {"119d": 120 * DAY - 1, "120d": 120 * DAY, "365d": 365 * DAY, "366d": 365 * DAY + 1, "200d": 200 * DAY}


def test_compelling_evidence_counts_undisputed_orders_of_the_right_age_with_two_matches() -> None:
    links = {"instrument_id": "i", "ip_id": "p", "device_id": "v", "address_id": "a", "login_id": "l"}
    rows: Rows = {
        "orders": [
            order("o", T, **links),
            *(order(name, T - age, **links) for name, age in AGES.items()),
            order("weak", T - 150 * DAY, **links | {"ip_id": "x", "device_id": "x"}),
            order("one", T - 151 * DAY, **links | {"address_id": None, "login_id": None, "device_id": None}),
            order("other", T - 152 * DAY, **links | {"instrument_id": "j"}),
        ],
        "disputes": [dispute("d", "200d", T + 2 * DAY)],
        "chargebacks": [chargeback("c", "o", T + DAY)],
    }
    found = seen(rows, "chargeback_win", "c", T + 2 * DAY)
    assert found["priors_undisputed_count"] == 7
    assert found["priors_of_age_count"] == 5
    assert [found[f"priors_same_{m}_count"] for m in ("ip", "device", "address", "login")] == [4, 3, 4, 4]
    assert [found["priors_qualifying_count"], found["compelling_evidence_lacking"]] == [3, 0]
    assert np.isnan(found["first_party_trust_lacking"])
    later = seen(rows, "chargeback_win", "c", T + 2 * DAY + 1)  # one of them was disputed since
    assert [later["priors_qualifying_count"], later["compelling_evidence_lacking"]] == [2, 0]


def test_the_chargeback_says_its_family_its_deadline_and_what_was_paid_before() -> None:
    rows: Rows = {
        "orders": [order("o", T)],
        "chargebacks": [chargeback("c", "o", T + DAY, "13.1", respond_by=T + 21 * DAY)],
        "refunds": [{"order_id": "o", "at": T + 2, "amount": 2_500, "funded_by": "seller", "initiator": "seller"}],
        "shipments": [{"order_id": "o", "at": T + at, "tracking_id": t} for at, t in ((3, "t"), (4 * DAY, None))],
    }
    found = seen(rows, "chargeback_win", "c", T + 3 * DAY)
    families = [
        name.removeprefix("chargeback_for_")
        for name in found.index
        if name.startswith("chargeback_for_") and found[name]
    ]
    assert families == ["not_received"]
    assert found["chargeback_days_to_deadline"] == 18
    assert [found["order_refunded_share"], found["order_delivery_notice_filled"], found["chargeback_is_visa"]] == [
        0.25,
        1,
        1,
    ]
    assert seen(rows, "chargeback_win", "c", T + DAY)["order_shipments_count"] == 1


def test_a_thread_is_open_until_the_seller_answers() -> None:
    said = [("buyer", 0), ("buyer", 1), ("seller", 3), ("seller", 4), ("buyer", 6), ("platform", 7)]
    rows: Rows = {
        "orders": [order("o", T)],
        "disputes": [dispute("d", "o", T + 1)],
        "messages": [
            {"message_id": f"m{i}", "order_id": "o", "at": T + hours * HOUR, "sender": who, "kind": "text"}
            for i, (who, hours) in enumerate(said)
        ],
    }
    found = seen(rows, "dispute_outcome", "d", T + 9 * HOUR)
    assert [
        found["seller_inquiries_count_ever"],
        found["seller_threads_open_count"],
        found["seller_threads_open_share"],
    ] == [2, 1, 0.5]
    assert [found["order_answer_hours_mean"], found["order_threads_open_count"]] == [3, 1]
    assert seen(rows, "dispute_outcome", "d", T + 3 * HOUR)["order_threads_open_count"] == 1
    assert seen(rows, "dispute_outcome", "d", T + 3 * HOUR + 1)["order_threads_open_count"] == 0


def test_scans_that_make_no_sense_are_counted() -> None:
    scan = {"order_id": "o", "country": "DE"}
    rows: Rows = {
        "orders": [order("o", T, ship_country="DE", promised_at=T + 6 * DAY)],
        "disputes": [dispute("d", "o", T + 5 * DAY, "not_received")],
        "scans": [
            scan | {"at": T + DAY, "kind": "accepted"},
            scan | {"at": T + 4 * DAY, "kind": "delivered", "country": "FR", "address_match": False, "signature": None},
            scan | {"at": T + 4 * DAY + 1, "kind": "in_transit", "happened_at": T + 9 * DAY},
        ],
    }
    found = seen(rows, "dispute_outcome", "d", T + 5 * DAY)
    names = (
        "scans",
        "scans_delivered",
        "delivered_abroad",
        "delivered_elsewhere",
        "delivered_signed",
        "scans_backwards",
    )
    assert [found[f"order_{name}_count"] for name in (*names, "scans_from_the_future")] == [3, 1, 1, 1, 0, 1, 1]
    assert [found["order_delivery_to_dispute_days"], found["dispute_days_after_promised"]] == [1, -1]
    assert found["order_delivery_after_promised_days"] == -2


@pytest.mark.parametrize(
    ("carrier", "says"),
    [(1_460, "all there"), (960, "short"), (None, "unknown"), (1_130, "either")],
)
def test_the_carrier_s_weight_speaks_for_one_side(carrier: int | None, says: str) -> None:
    """Ten units of 130 g in about 160 g of packaging, of which half are said to be missing."""
    rows: Rows = {
        "orders": [order("o", T, product_id="p", quantity=10)],
        "listings": [{"product_id": "p", "seller_id": "s", "at": T - DAY, "unit_weight": 130}],
        "shipments": [{"order_id": "o", "at": T + 1, "carrier_weight": carrier, "declared_weight": 1_460}],
        "disputes": [dispute("d", "o", T + DAY, "short_quantity", claimed=5_000)],
    }
    found = seen(rows, "malicious_dispute", "d", T + DAY)
    ratio = found["order_weight_carrier_log_ratio"]
    assert {"all there": ratio > 3, "short": ratio < -3, "unknown": np.isnan(ratio), "either": abs(ratio) < 2}[says]
    assert 0 < found["order_weight_seller_log_ratio"] < 0.3  # a number that the seller may have chosen
    assert found["order_weight_separation"] > 4
    rows["disputes"] = [dispute("d", "o", T + DAY, "damaged", claimed=5_000)]
    assert np.isnan(seen(rows, "malicious_dispute", "d", T + DAY)["order_weight_carrier_log_ratio"])


def test_a_reporter_s_word_weighs_what_his_reports_were_worth_when_he_spoke() -> None:
    judged = [{"report_id": f"r{i}", "at": T + 10 + i, "upheld": i == 0} for i in range(2)]
    rows: Rows = {
        "orders": [order(f"o{i}", T, buyer_id="b" if i == 2 else "else") for i in range(3)],
        "reports": [{"report_id": f"r{i}", "at": T + (5, 6, 12)[i], "order_id": f"o{i}"} for i in range(3)],
        "report_rulings": judged,
    }
    found = seen(rows, "chargeback_risk", "o2", T + DAY)
    assert found["buyer_reports_count_ever"] == 1
    assert found["buyer_reports_weighted_ever"] == np.float32(0.5)  # one upheld, one not, of two added
    assert found["seller_reports_upheld_rate_ever"] == 0.5


def test_only_the_signals_that_are_named_are_computed() -> None:
    ledger = Ledger.of(naive.tables({"orders": [order("o", T), order("p", T + 1)]}))
    found = signals(ledger, "chargeback_risk", only=["seller_orders_count_ever", "order_amount"])
    assert list(found.columns) == ["ask_id", "at", "order_amount", "seller_orders_count_ever"]
    whole = signals(ledger, "chargeback_risk")
    pd.testing.assert_frame_equal(found, whole[list(found.columns)], check_exact=True)
    assert able(ledger, "chargeback_risk", ["seller_disputes_count_ever"]) == []
    with pytest.raises(RedressError, match="want names of signals of chargeback_risk, got nothing_such"):
        signals(ledger, "chargeback_risk", only=["nothing_such"])


def test_the_platforms_answers_of_a_quarter_are_drawn_towards_all_of_them() -> None:
    """48 refused before the quarter, two granted within it, and one at the moment of asking, which is not known."""
    moments = [*[T - 100 * DAY] * 47, T - 90 * DAY - 1, T - 90 * DAY, T - DAY, T]
    words = [*["refused"] * 48, "refund_full", "refund_partial", "refused"]
    opened = [dispute(f"d{i}", "o", T - 150 * DAY + i) for i in range(len(words))] + [dispute("asked", "o", T - DAY)]
    rulings = [
        {"ruling_id": f"r{i}", "dispute_id": f"d{i}", "at": at, "outcome": word}
        for i, (at, word) in enumerate(zip(moments, words, strict=True))
    ]
    rows = {"orders": [order("o", T - 200 * DAY)], "disputes": opened, "rulings": rulings}
    rate = (2 + 0.5) / (50 + 1)
    expected = np.log((2 + 50 * rate) / (0 + 50 * (1 - rate)))
    found = seen(rows, "dispute_outcome", "asked", T)["platform_answers_log_odds_90d"]
    assert found == pytest.approx(expected, rel=1e-6)
    # a day earlier 49 are known, which are too few
    assert np.isnan(seen(rows, "dispute_outcome", "asked", T - DAY)["platform_answers_log_odds_90d"])
