"""The compiled formulas against those of the batch, on numbers of every kind."""

import numpy as np
import pytest

from features.compiled import CODES, MOST, computed
from features.formulas import FORMULAS
from features.kernel import NEVER

OPERANDS = {
    **dict.fromkeys(("value", "millionths", "any", "hour", "weekday"), (1,)),
    **dict.fromkeys(("ratio", "share", "days", "mean_days", "mean_hours", "less", "less_share", "without"), (2,)),
    **dict.fromkeys(("known_sum", "to_mean", "days_after", "known_difference"), (3,)),
    **dict.fromkeys(("known_share", "deviation", "to_usual", "disputed_value"), (4,)),
    "missing": (2, 3, 5),
    "weight_to_goods": (5,),
}
SPECIAL = [0, 1, 2, -1, np.nan, float(NEVER), 1e14, 1e6, 3.5, 86_400e6, 1.7e15, 0.1, -0.0, 100, np.inf]


@pytest.mark.parametrize("name", CODES)
def test_a_compiled_formula_gives_what_the_batch_gives_to_the_bit(name: str) -> None:
    rng = np.random.default_rng(CODES[name])
    for operands in OPERANDS[name]:
        n = 5_000
        plain = np.round(rng.normal(0, 1e6, (operands, n)))
        given = np.where(rng.random((operands, n)) < 0.6, rng.choice(SPECIAL, (operands, n)), plain)
        with np.errstate(all="ignore"):
            wanted = np.array(FORMULAS[name](*given), np.float32)
        places = np.zeros((n, MOST), np.int64)
        places[:, :operands] = np.arange(n * operands).reshape(n, operands)
        found = np.empty(n, np.float32)
        codes, counts = np.full(n, CODES[name]), np.full(n, operands)
        computed(codes, places, counts, np.arange(n), given.T.ravel().copy(), found)
        np.testing.assert_array_equal(found.view(np.int32)[~np.isnan(wanted)], wanted.view(np.int32)[~np.isnan(wanted)])
        np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))


def test_every_formula_with_few_operands_that_many_signals_have_is_compiled() -> None:
    assert CODES.keys() <= FORMULAS.keys()
    assert sorted(CODES.values()) == list(range(len(CODES)))
    assert OPERANDS.keys() == CODES.keys()
