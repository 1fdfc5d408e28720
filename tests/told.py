"""A model that has been told the truth of a simulated ledger, for tests of what is done with its scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from features import Ledger, signals
from models import fit
from models.deciding import QUESTION


def told_the_truth(ledger: Path, models: Path, *, rounds: int = 60) -> None:
    """Saves in `models` a model of malice that learnt from who is malicious in a ledger, with a card that shows skill."""
    frame = signals(Ledger.open(ledger), QUESTION)
    truth = pd.read_parquet(ledger / "truth" / "disputes.parquet").set_index("dispute_id").loc[frame["ask_id"]]
    model = fit(frame, truth["malicious"].to_numpy(np.int8), rounds=rounds)
    card = {"question": QUESTION, "horizon_days": 120.0, "trained_until": "2000-01-01T00:00:00+00:00"}
    card |= {"skill": {"askings": 100, "gain": 0.1}}
    replace(model, card=dict(model.card) | card).save(models / QUESTION)
