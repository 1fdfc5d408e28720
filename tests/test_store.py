"""The laws of the online store: it takes what the naive store takes, and says what the batch says of the same facts."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from dense import dense
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twins import Twins

from benchmarks.parity import in_order
from features import Ledger
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables

EVERYTHING = {
    **{"opportunist_share": 0.3, "opportunist_claims": 0.1, "serial_share": 0.03, "faulty_products": 0.1},
    **{"ring_share": 0.03, "faker_share": 0.1, "caught_days": 30, "stolen_rate": 0.05, "integrity_error": 0.1},
}
"""Rates at which everything that a marketplace can do happens in a few hundred orders."""


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    jitter=st.sampled_from([0, 1, 3, 8, 30]),
    most=st.sampled_from([1, 8, 20, 200]),
)
def test_facts_in_any_order_and_again_make_what_the_naive_store_and_the_batch_make_of_them(
    seed: int, jitter: int, most: int
) -> None:
    random = Random(seed)
    with TemporaryDirectory() as folder:
        twins = Twins.made(Path(folder))
        twins.pour(in_order(Ledger.of(dense(random, 4))), random, most=most, jitter=jitter)
        twins.same()
        ledger = twins.exported()
        twins.as_filled(ledger)
        assert twins.as_batch(ledger, random, 30) > 30


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """A small marketplace in which everything happens, sent in large batches, some facts late and some twice."""
    twins, random = Twins.made(tmp_path_factory.mktemp("market")), Random(5)
    facts = Ledger.of(tables(happen(world("chargeback_rich", orders=400, days=300, **EVERYTHING), seed=5)))
    twins.pour(in_order(facts), random, most=300, jitter=40)
    return twins


def test_a_marketplace_in_disorder_is_that_of_the_naive_store(market: Twins) -> None:
    assert market.late > 100
    market.same()


def test_signals_of_a_marketplace_are_those_of_the_batch_whenever_they_are_asked_for(market: Twins) -> None:
    ledger = market.exported()
    market.as_filled(ledger)
    assert market.as_batch(ledger, Random(6), 120) > 300
