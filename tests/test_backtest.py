"""A walk forward learns from the answers known when its test begins, and from no later one."""

from collections.abc import Sequence
from pathlib import Path

import naive

from features.kernel import DAY, HOUR
from pipelines.backtest import backtest
from pipelines.simulate import write_ledger

LATE = (10, 20, 30, 40, 50)


def write_days(folder: Path) -> None:
    """A dispute a day for 300 days, ruled the day after; those of LATE are ruled on day 280."""
    days = range(300)
    ruled = {day: 280 if day in LATE else day + 1 for day in days}
    rows: dict[str, Sequence[naive.Row]] = {
        "orders": [
            {"order_id": f"{d}", "at": d * DAY, "buyer_id": f"{d % 7}", "seller_id": f"{d % 5}", "amount": 100 + d % 9}
            for d in days
        ],
        "disputes": [
            {"dispute_id": f"{d}", "at": d * DAY + HOUR, "order_id": f"{d}", "claimed_amount": 100 + d % 9}
            for d in days
        ],
        "rulings": [
            {"dispute_id": f"{d}", "at": ruled[d] * DAY + HOUR, "outcome": "refused" if d % 3 else "refund_full"}
            for d in days
        ],
    }
    write_ledger(naive.tables(rows), folder)


def test_a_ruling_that_came_after_a_test_began_is_not_learnt_from(tmp_path: Path) -> None:
    write_days(tmp_path / "ledger")
    told: list[str] = []
    backtest(
        "dispute_outcome",
        tmp_path / "ledger",
        start=None,
        stop=290 * DAY,
        horizon=120 * DAY,
        n=1,
        train=None,
        gap=None,
        test=60 * DAY,
        exclude=None,
        out=tmp_path / "out",
        seed=0,
        said=told.append,
    )
    # It tests days 230 to 289. Rulings take a day, so it trains on days 0 to 228, less the late.
    learnt = 229 - len(LATE)
    assert [line for line in told if line.startswith("fold")] == [
        f"fold 1970-08-19: {learnt} askings to learn from, 60 to test on"
    ]
