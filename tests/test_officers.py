"""What officers grant and what that is worth: first rulings by hand, the ends of the line, and how wide intervals are."""

from math import nan

import naive
import numpy as np
import pytest

from features import Ledger
from features.asking import askings
from features.background import NOT_YET
from features.kernel import DAY
from features.signal import Float
from models.officers import WIDE, Officers, granted, measured

Ruled = tuple[int | None, list[tuple[int, str, int | None]], tuple[int, str] | None, float]
CASES: dict[str, Ruled] = {  # cents claimed, rulings, what the platform's own system decided, the share granted
    "in full": (1_000, [(20, "refund_full", 1_000)], None, 1.0),
    "in part": (1_000, [(20, "refund_partial", 250)], None, 0.25),
    "refused": (1_000, [(20, "refused", 0)], None, 0.0),
    "beyond the claim": (1_000, [(20, "refund_full", 1_500)], None, 1.0),
    "nothing claimed": (0, [(20, "refused", 0)], None, 0.0),
    "ruled again": (1_000, [(20, "refused", 0), (30, "refund_full", 1_000)], None, 0.0),
    "not ruled": (1_000, [], None, nan),
    "settled": (1_000, [(20, "settled", 500)], None, nan),
    "settled, then ruled": (1_000, [(20, "settled", 500), (30, "refused", 0)], None, nan),
    "withdrawn": (1_000, [(20, "withdrawn", 0)], None, nan),
    "claim unknown": (None, [(20, "refund_full", 1_000)], None, nan),
    "refund unknown": (1_000, [(20, "refund_full", None)], None, nan),
    "refund unknown, then known": (1_000, [(20, "refund_full", None), (30, "refused", 0)], None, nan),
    "by the system": (1_000, [(20, "refund_full", 1_000)], (15, "refund_full"), nan),
    "by the system, then ruled": (1_000, [(20, "refund_full", 1_000), (30, "refused", 0)], (15, "refund_full"), nan),
    "reviewed for the system": (1_000, [(20, "refund_full", 1_000)], (15, "review"), 1.0),
    "before the system": (1_000, [(20, "refused", 0)], (21, "refund_full"), 0.0),
}


def office(*, with_rulings: bool = True) -> Ledger:
    """A dispute of day 10 for each case."""
    rulings = [
        {"dispute_id": name, "at": day * DAY, "outcome": outcome, "refunded": cents}
        for name, (_, ruled, _, _) in CASES.items()
        for day, outcome, cents in ruled
    ]
    system = {"case_kind": "dispute", "policy": "own", "propensity": 1.0}
    rows: naive.Rows = {
        "orders": [{"order_id": "o", "at": DAY, "buyer_id": "b", "seller_id": "s", "amount": 1_000, "quantity": 1}],
        "disputes": [
            {"dispute_id": name, "at": 10 * DAY, "order_id": "o", "reason": "quality", "claimed": claimed}
            for name, (claimed, _, _, _) in CASES.items()
        ],
        "decisions": [
            {"decision_id": name, "at": made[0] * DAY, "case_id": name, "action": made[1], **system}
            for name, (_, _, made, _) in CASES.items()
            if made
        ],
    }
    return Ledger.of(naive.tables({**rows, **({"rulings": rulings} if with_rulings else {})}))


def shares(as_of: int = NOT_YET) -> dict[str, float]:
    """The share of each case that counts as granted by an officer."""
    ledger = office()
    asks = askings(ledger, "malicious_dispute")
    return dict(zip(asks.ids.to_pylist(), granted(ledger, asks, as_of).tolist(), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_first_ruling_of_an_officer_says_what_he_granted(name: str) -> None:
    assert shares()[name] == pytest.approx(CASES[name][3], nan_ok=True)


def test_what_was_ruled_at_a_moment_or_after_it_says_nothing_of_before() -> None:
    ruled = {name for name, (*_, share) in CASES.items() if share == share}
    assert {name for name, share in shares(20 * DAY).items() if share == share} == set()
    later = shares(20 * DAY + 1)
    assert {name for name, share in later.items() if share == share} == ruled
    assert later["ruled again"] == 0


def test_a_ledger_without_rulings_says_nothing() -> None:
    ledger = office(with_rulings=False)
    found = granted(ledger, askings(ledger, "malicious_dispute"))
    assert len(found) == len(CASES)
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("share", "malicious", "caught", "withheld"),
    [
        ([1.0, 0.5], [0.0, 1.0], (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)),  # a line through two points misses neither
        ([0.8, nan, 0.4], [0.25, 0.9, 0.75], (0.8, 0.8, 0.8), (0.0, 0.0, 0.0)),  # 1.0 at none, 0.2 at surely
        ([1.0, 0.0], [0.25, 0.5], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),  # the line runs from 2 to -2
        # Each end is the mean of two, missed by a quarter either way: the error is sqrt(2/16)/2 = 0.176777.
        ([1.0, 0.5, 0.5, 0.0], [0.0, 0.0, 1.0, 1.0], (0.75, 0.75 - 0.346482, 1.0), (0.25, 0.0, 0.25 + 0.346482)),
    ],
)
def test_the_ends_of_the_line_are_what_is_caught_and_withheld(
    share: list[float],
    malicious: list[float],
    caught: tuple[float, float, float],
    withheld: tuple[float, float, float],
) -> None:
    found = measured(np.array(share), np.array(malicious))
    assert found is not None
    assert found.rulings == np.isfinite(share).sum()
    assert found.caught == pytest.approx(caught, abs=1e-6)
    assert found.withheld == pytest.approx(withheld, abs=1e-6)


def drawn(n: int = 200) -> tuple[Float, Float]:
    """Shares granted, with more noise among the suspect, and how probable malice is."""
    rng = np.random.default_rng(3)
    malicious = rng.beta(1.0, 2.0, n)
    return 0.75 - 0.4 * malicious + rng.uniform(-0.5, 0.5, n) * (0.2 + 0.3 * malicious), malicious


def test_intervals_are_as_wide_as_the_sum_over_rows_says() -> None:
    share, malicious = drawn()
    found, n, mean = measured(share, malicious), len(share), malicious.mean()
    spread = ((malicious - mean) ** 2).sum()
    slope = ((malicious - mean) * share).sum() / spread
    assert found is not None
    for end, (point, low, high) in ((1.0, found.caught), (0.0, found.withheld)):
        told, variance = share.mean() + slope * (end - mean), 0.0
        for s, m in zip(share, malicious, strict=True):
            miss = s - (share.mean() + slope * (m - mean))
            variance += ((1 / n + (end - mean) * (m - mean) / spread) * miss) ** 2
        assert point == pytest.approx(1 - told)
        assert (low, high) == pytest.approx((1 - told - WIDE * variance**0.5, 1 - told + WIDE * variance**0.5))
        assert 0 < low < high < 1


def test_intervals_are_as_wide_as_those_of_resamples() -> None:
    share, malicious = drawn()
    found, rng = measured(share, malicious), np.random.default_rng(0)
    rows = [rng.integers(0, len(share), len(share)) for _ in range(1_000)]
    each = [measured(share[some], malicious[some]) for some in rows]
    assert found is not None
    for name in ("caught", "withheld"):
        _, low, high = getattr(found, name)
        again = np.std([getattr(one, name)[0] for one in each])
        assert (high - low) / 2 / WIDE == pytest.approx(again, rel=0.1)


@pytest.mark.parametrize(
    ("share", "malicious"), [([], []), ([nan, nan], [0.1, 0.9]), ([0.5, 1.0], [0.3, 0.3]), ([0.5, nan], [0.3, 0.9])]
)
def test_without_rulings_of_differently_suspect_claims_nothing_is_measured(
    share: list[float], malicious: list[float]
) -> None:
    assert measured(np.array(share), np.array(malicious)) is None


def test_a_card_tells_what_was_measured_as_it_was() -> None:
    officers = Officers(120, (0.7, 0.6, 0.8), (0.1, 0.05, 0.15))
    assert Officers.of_card({"officers": officers.to_json()}) == officers
    assert Officers.of_card({}) is None
