"""Scores of more askings than one block holds are those of one whole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.build import BLOCK
from models import fit
from models.loss import expected_loss
from pipelines.simulate import write_ledger

NAME = "chargeback_risk"
TOLD = {"win_share": 0.2, "withdrawn_share": 0.1, "contested_share": 0.5}
CARD = {"question": NAME, "horizon_days": 30.0, "trained_until": "2020-01-01T00:00:00+00:00"} | TOLD


def orders(n: int) -> pa.Table:
    """Orders a second apart since 2024, each of another amount."""
    at = np.datetime64("2024-01-01", "us") + np.arange(n) * np.timedelta64(1, "s")
    names = np.arange(n).astype(str)
    columns = {"order_id": names, "at": pa.array(at, pa.timestamp("us", "UTC")), "buyer_id": names, "seller_id": names}
    return pa.table(columns | {"amount": 1_000 + np.arange(n)})


@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops:DeprecationWarning")  # pyarrow
def test_every_order_of_a_later_block_is_priced_by_its_own_amount(
    tmp_path: Path, job: Callable[[str, Path, Path], pd.DataFrame]
) -> None:
    ledger, n = tmp_path / "ledger", BLOCK + 10
    write_ledger({"orders": orders(n)}, ledger)
    few = pd.DataFrame({"order_amount": np.arange(200, dtype=np.float32)})
    model = fit(few, (np.arange(200) % 3 == 0).astype(np.int8))
    replace(model, card=dict(model.card) | CARD).save(tmp_path / "model")
    found = job(NAME, ledger, tmp_path / "model")
    assert found["ask_id"].tolist() == [str(i) for i in range(n)]
    at = found["at"].dt.as_unit("us").astype("int64").to_numpy()
    whole = expected_loss(
        found["probability"].to_numpy(np.float64), np.arange(1_000, 1_000 + n, dtype=np.float64), at, TOLD
    )
    assert found["expected_loss"].tolist() == whole.tolist()
