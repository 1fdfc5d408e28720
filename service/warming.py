"""Warming up: a small store of its own is filled, added to and asked, so that the first request finds everything compiled."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from features.asking import ASKED
from features.requests import moment
from features.store import Store
from models import Model
from models.advising import QUESTIONS
from models.deciding import QUESTION
from models.policy import Policy
from service.overstore import OverStore

AT: Final = "2020-01-02T00:00:00Z"
ORDER: Final = {"order_id": "1", "at": AT, "buyer_id": "1", "seller_id": "1", "amount": 1}
ASKED_ABOUT: Final[Mapping[str, Mapping[str, object]]] = {
    "orders": {"order_id": "2", "at": AT, "buyer_id": "1", "seller_id": "1", "amount": 1},
    "disputes": {"dispute_id": "2", "at": AT, "order_id": "1", "reason": "quality", "claimed": 1},
    "chargebacks": {"chargeback_id": "2", "at": AT, "order_id": "1", "amount": 1},
}
"""A row of each table that questions are asked about."""
LATER: Final = "2020-01-02T00:00:01Z"
"""The moment asked about: nothing is answered by then."""


def warmed(models: Mapping[str, Model], policy: Policy) -> int:
    """Asks each model about a case of its own that is forgotten at once; how many were asked."""
    arrived = moment(LATER)
    assert arrived is not None
    for question, model in models.items():
        with (
            TemporaryDirectory(prefix="redress-") as folder,
            closing(Store.create(Path(folder) / "store", name="0" * 32, horizon=model.horizon)) as store,
        ):
            store.append({"orders": [ORDER]}, arrived=arrived)
            store.append({ASKED[question]: [ASKED_ABOUT[ASKED[question]]]}, arrived=arrived)
            scorer = OverStore(store, {question: model}, policy)
            ask = scorer.decide if question == QUESTION else scorer.score
            ask({"question": question, "ask_id": "2", "at": LATER})
            for kind in (kind for kind, weighs in QUESTIONS.items() if weighs == question):
                scorer.evidence({"kind": kind, "ask_id": "2", "at": LATER})
    return len(models)
