"""Loss by hand: fees of their day, what orders lost, and money predicted against money lost."""

import naive
import numpy as np
import pytest

from features import Ledger
from features.asking import askings
from features.kernel import DAY
from models.denominators import SHARES
from models.loss import FEES, expected_loss, fees, kept, loss_of, money, money_error, observed_loss, priced, shares

TOLD = {"win_share": 0.2, "withdrawn_share": 0.1, "contested_share": 0.5}
NEW = int(np.datetime64("2025-06-17", "us").astype(np.int64))
"""Since when contesting costs."""


def bank(rulings: bool = True) -> Ledger:
    """Orders of two days before the new fee, each charged back on that day but the first, and how that ended."""
    day = NEW - 2 * DAY
    orders = [{"order_id": o, "at": day + i, "amount": 10_000} for i, o in enumerate("nwlxopt")]
    came = [(o, NEW) for o in "wlxop"] + [("t", NEW + 9 * DAY)]
    charges = [{"chargeback_id": o, "order_id": o, "at": at, "amount": 8_000} for o, at in came]
    endings = {"w": "won", "l": "lost", "x": "withdrawn", "p": "partial"}
    ended = [{"chargeback_id": c, "at": NEW + 2 * DAY, "outcome": how} for c, how in endings.items()]
    defended = [{"chargeback_id": c, "at": NEW + DAY} for c in "wlo"]
    found = {"orders": orders, "chargebacks": charges, "representments": defended, "chargeback_rulings": ended}
    return Ledger.of(
        naive.tables({name: rows for name, rows in found.items() if rulings or name != "chargeback_rulings"})
    )


def test_an_order_loses_what_the_bank_keeps_and_the_fees() -> None:
    ledger = bank()
    lost, ended = observed_loss(ledger, askings(ledger, "chargeback_risk"), 5 * DAY, NEW + 30 * DAY, TOLD)
    assert dict(zip("nwlxopt", lost.tolist(), strict=True)) == {
        "n": 0.0,  # no chargeback
        "w": 1_500.0,  # won: the amount and the second fee come back
        "l": 8_000.0 + 3_000.0,
        "x": 1_500.0,  # withdrawn, and never contested
        "o": 0.7 * 8_000.0 + 1_500.0 + 0.5 * 1_500.0 - 0.2 * 1_500.0,  # not ended: at the shares told
        "p": 8_000.0 + 1_500.0,  # in part: how much, nobody says
        "t": 0.0,  # after the horizon
    }
    assert ended.tolist() == [True, True, True, True, False, True, True]


def test_what_came_later_was_not_lost_yet() -> None:
    ledger = bank()
    lost, ended = observed_loss(ledger, askings(ledger, "chargeback_risk"), 5 * DAY, NEW, TOLD)
    assert lost.tolist() == [0.0] * 7
    assert ended.all()


@pytest.mark.parametrize(("at", "cents"), [(NEW - 1, 1_500.0), (NEW, 1_500.0 + 0.5 * 1_500.0 - 0.2 * 1_500.0)])
def test_a_fee_is_due_from_its_day_on(at: int, cents: float) -> None:
    assert fees(np.array([at]), TOLD).tolist() == pytest.approx([cents])


def test_every_fee_has_a_source_and_a_share_that_the_card_knows() -> None:
    assert all(fee.source and (fee.share in SHARES or not fee.share) for fee in FEES)


def test_a_loss_is_expected_of_the_amount_and_the_fees_alike() -> None:
    found = expected_loss(np.array([0.1, 0.0, 0.1]), np.array([10_000.0, 10_000.0, np.nan]), np.full(3, NEW - 1), TOLD)
    assert found[:2].tolist() == pytest.approx([0.1 * (0.7 * 10_000 + 1_500), 0.0])
    assert np.isnan(found[2])


def test_the_shares_are_those_known_by_then() -> None:
    early, late = (shares(bank(), NEW + days * DAY) for days in (1, 3))
    assert early == pytest.approx({"win_share": 0.25, "withdrawn_share": 0.0, "contested_share": 0.5})
    assert late == pytest.approx({"win_share": 6 / 24, "withdrawn_share": 1 / 24, "contested_share": 12 / 24})


def test_only_a_priced_question_of_a_ledger_that_tells_endings_keeps_them() -> None:
    assert kept("chargeback_risk", bank(), NEW).keys() == SHARES.keys()
    assert kept("dispute_outcome", bank(), NEW) == {}
    assert kept("chargeback_risk", bank(rulings=False), NEW) == {}


def test_a_card_without_all_shares_prices_nothing() -> None:
    assert priced(TOLD | {"rows": 5}) == TOLD
    assert priced({"win_share": 0.2}) == {}


def test_money_is_counted_by_band_and_all_together() -> None:
    amount = np.arange(1, 11) * 100.0
    found = money(np.full(10, 5.0), np.where(amount > 800, 50.0, 0.0), amount, resamples=0)
    assert found["band"].tolist() == [
        "1.00 to 2.00",
        "3.00 to 4.00",
        "5.00 to 6.00",
        "7.00 to 8.00",
        "9.00 to 10.00",
        "all",
    ]
    assert found["n"].tolist() == [2, 2, 2, 2, 2, 10]
    assert found["predicted"].tolist() == [10.0] * 5 + [50.0]
    assert found["observed"].tolist() == [0.0] * 4 + [100.0] * 2
    assert money_error(found) == pytest.approx((4 * 10 + 90) / 100)
    assert np.isnan(money_error(money([1.0], [0.0], [100.0], resamples=0)))


@pytest.mark.parametrize(("factor", "off"), [(1.0, False), (1.6, True), (0.5, True)])
def test_money_is_off_where_resamples_agree_that_it_is(factor: float, off: bool) -> None:
    rng = np.random.default_rng(2)
    p, amount = rng.beta(2, 18, 6_000), rng.lognormal(8, 0.5, 6_000)
    observed = np.where(rng.random(6_000) < p, amount, 0.0)
    found = money(factor * p * amount, observed, amount, resamples=200).iloc[-1]
    assert found["off"] == off
    assert found["low"] < found["observed"] < found["high"]
    assert found["gap_low"] < found["gap"] < found["gap_high"]


def test_one_order_is_priced_as_many_are_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    p, cents, at = rng.random(300), rng.integers(0, 10**7, 300), NEW + rng.integers(-5, 5, 300) * DAY
    many = expected_loss(p, cents.astype(np.float64), at, TOLD).tolist()
    each = zip(p.tolist(), cents.tolist(), at.tolist(), strict=True)
    assert [loss_of(*one, TOLD) for one in each] == many
    assert np.isnan(loss_of(0.1, None, NEW, TOLD))
    assert np.isnan(loss_of(0.1, 1, NEW, {}))
