"""Disputes as decisions see them, by hand: what is left of an order, what is complete, what confirms, and who pays."""

from collections.abc import Mapping

import naive
import numpy as np
import pandas as pd
import pytest

from features import Ledger
from features.asking import named_askings
from models.claims import SHORT, SIGNALS, Dispute, claims
from models.refunds import Case, Refunds

DAY = naive.DAY
FRAME = {"case_items_listing_copy": 1.0, "case_items_product_photo": 0.0, "case_description_set_missing": 1.0}


def seen(at: int, **signals: float) -> tuple[int, Case]:
    """What is left of an order of 100.00, paid back in part on days 5 and 7, as of a day; and the claims."""
    return disputed("quality", at, signals)


def disputed(reason: str | None, at: int, signals: Mapping[str, float]) -> tuple[int, Case]:
    """The same of a dispute with some reason."""
    rows = {
        "orders": [{"order_id": "o", "at": DAY, "buyer_id": "b", "seller_id": "s", "amount": 10_000, "quantity": 4}],
        "disputes": [
            {"dispute_id": "c", "at": 2 * DAY, "order_id": "o", "reason": "quality", "claimed": 1},
            {"dispute_id": "d", "at": 2 * DAY, "order_id": "o", "reason": reason, "claimed": 5_000},
        ],
        "refunds": [
            {"order_id": "o", "at": 5 * DAY, "amount": 3_000, "funded_by": "seller"},
            {"order_id": "o", "at": 6 * DAY, "amount": None, "funded_by": "seller"},
        ],
        "chargebacks": [{"chargeback_id": "c", "at": 7 * DAY, "order_id": "o", "amount": 4_000}],
    }
    ledger = Ledger.of(naive.tables(rows))
    asks = pd.DataFrame({"ask_id": ["d"], "at": pd.to_datetime([at], unit="us", utc=True)})
    frame = pd.DataFrame({name: [value] for name, value in {**FRAME, **signals}.items()}, dtype=np.float32)
    found = claims(ledger, named_askings(ledger, "malicious_dispute", asks), frame)
    return int(found.left[0]), found.case(0)


@pytest.mark.parametrize(
    ("day", "left"), [(3, 10_000), (5, 10_000), (5.5, 7_000), (6.5, 7_000), (7, 7_000), (7.5, 3_000)]
)
def test_what_was_paid_back_strictly_before_is_no_longer_left(day: float, left: int) -> None:
    assert seen(int(day * DAY))[0] == left


@pytest.mark.parametrize(
    ("signals", "field", "value"),
    [
        ({}, "lacking", ("product_photo",)),
        ({"case_items_product_photo": 1.0}, "lacking", ()),
        ({}, "confirmed", ()),
        ({"buyer_found_malicious_count_ever": 1.0}, "confirmed", ("earlier_finding",)),
        (
            {"buyer_reports_standing_count_ever": 2.0, "case_buyer_reused_count": 1.0},
            "confirmed",
            ("upheld_report", "reused_evidence"),
        ),
        ({"case_weight_set_missing": 0.0, "order_weight_carrier_log_ratio": 2.1}, "confirmed", ("weight_complete",)),
        ({"case_weight_set_missing": 0.0, "order_weight_carrier_log_ratio": 2.0}, "confirmed", ()),
        ({"case_weight_set_missing": 1.0, "order_weight_carrier_log_ratio": 9.0}, "confirmed", ()),
        ({}, "borne_by", "platform"),
        ({"seller_blocks_upheld_count_ever": 1.0}, "borne_by", "seller"),
        ({"seller_blocks_upheld_count_ever": 1.0, "order_scans_lost_count": 1.0}, "borne_by", "insurer"),
        ({"order_weight_carrier_short_units": 1.0}, "owed", 0.5),  # a unit is worth 25.00 of the 50.00 that are claimed
        ({"order_weight_carrier_short_units": 3.0}, "owed", 1.0),
        ({"order_weight_carrier_short_units": 0.0}, "owed", 0.0),
    ],
)
def test_a_dispute_is_seen_as_its_signals_say(signals: dict[str, float], field: str, value: object) -> None:
    assert getattr(seen(3 * DAY, **signals)[1], field) == value


def test_what_the_weight_does_not_tell_is_not_known() -> None:
    assert np.isnan(seen(3 * DAY)[1].owed)
    assert np.isnan(seen(3 * DAY, order_weight_carrier_short_units=np.nan)[1].owed)
    assert Refunds().partial_from > 0


def test_a_dispute_without_a_reason_has_not_that_of_another() -> None:
    assert seen(3 * DAY)[1].reason == "quality"
    case = disputed(None, 3 * DAY, {})[1]
    assert (case.reason, case.lacking) == ("", ())


@pytest.mark.parametrize(
    "signals",
    [{}, {SHORT: 1.0}, {SHORT: 3.0, "seller_blocks_upheld_count_ever": 1.0}, {"buyer_found_malicious_count_ever": 1.0}],
)
def test_plain_facts_are_seen_as_those_of_a_ledger(signals: dict[str, float]) -> None:
    dispute = Dispute("d", "o", int(5.5 * DAY), "quality", 5_000, 10_000, 4, paid_back=3_000)
    known = dict.fromkeys(SIGNALS, np.nan) | FRAME | signals
    assert repr(dispute.case(known)) == repr(seen(int(5.5 * DAY), **signals)[1])
