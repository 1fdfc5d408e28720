"""One case at a time gives what the batch gives, and errors name the field."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import Ledger, RedressError, signals
from features.asking import askings
from features.kernel import DAY
from models import fit
from models.explain import COLUMNS
from models.model import RIVALS
from models.questions import answers
from pipelines.marketplace import world
from pipelines.simulate import simulate, write_ledger
from serve import Scorer
from service.overledger import OverLedger


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    ledger, models = tmp_path_factory.mktemp("ledger"), tmp_path_factory.mktemp("models")
    write_ledger(simulate(world("chargeback_rich", orders=1500, days=200), seed=3), ledger)
    facts = Ledger.open(ledger)
    asks = askings(facts, "chargeback_risk")
    frame = signals(facts, "chargeback_risk", horizon=30 * DAY)
    model = fit(frame, answers(facts, asks, 30 * DAY).answer, bags=2)
    dear = (frame["order_amount"] > frame["order_amount"].median()).to_numpy().astype(np.int8)
    until = "2030-01-01T00:00:00+00:00"
    card = dict(model.card) | {"question": "chargeback_risk", "horizon_days": 30.0, "trained_until": until}
    card |= {"win_share": 0.2, "withdrawn_share": 0.1, "contested_share": 0.5}
    replace(model, card=card, rival=fit(frame, dear)).save(models / "chargeback_risk")
    return ledger, models


def over(places: tuple[Path, Path]) -> OverLedger:
    """A scorer over a ledger's directory."""
    scorer = Scorer.open(*places)
    assert isinstance(scorer, OverLedger)
    return scorer


def test_one_case_scores_as_the_batch_does_to_the_bit(places: tuple[Path, Path]) -> None:
    scorer = over(places)
    frame = signals(scorer.ledger, "chargeback_risk", horizon=30 * DAY)
    batch = scorer.models["chargeback_risk"].scored(frame)
    for i in np.random.default_rng(0).integers(0, len(frame), 10):
        case = {"question": "chargeback_risk", "ask_id": frame["ask_id"].iloc[i], "at": frame["at"].iloc[i].isoformat()}
        found = scorer.score(case)
        assert found.probability == batch["probability"].iloc[i]
        assert found.parts == batch[list(COLUMNS)].iloc[i].to_dict()
        assert found.rivals == batch[list(RIVALS)].iloc[i].to_dict()
        assert [found.low, found.high, found.abstain] == batch[["low", "high", "abstain"]].iloc[i].to_list()


@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops:DeprecationWarning")  # pyarrow
def test_the_batch_job_writes_what_stands_beside_a_probability(
    places: tuple[Path, Path], job: Callable[[str, Path, Path], pd.DataFrame]
) -> None:
    ledger, models = places
    scorer = over(places)
    found = job("chargeback_risk", ledger, models)
    frame = signals(scorer.ledger, "chargeback_risk", horizon=30 * DAY)
    columns = ["probability", "low", "high", "abstain", *RIVALS, *COLUMNS]
    assert [name for name in found if name in columns] == columns
    batch = scorer.models["chargeback_risk"].scored(frame)
    pd.testing.assert_frame_equal(found[columns], batch, check_exact=True)
    assert found[["probability", *RIVALS]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-15)


@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops:DeprecationWarning")  # pyarrow
def test_one_order_is_priced_as_the_batch_prices_it(
    places: tuple[Path, Path], job: Callable[[str, Path, Path], pd.DataFrame]
) -> None:
    scorer, batch = Scorer.open(*places), job("chargeback_risk", *places)
    for i in (0, len(batch) // 2):
        case = {"question": "chargeback_risk", "ask_id": batch["ask_id"].iloc[i], "at": batch["at"].iloc[i].isoformat()}
        assert scorer.score(case).expected_loss == batch["expected_loss"].iloc[i] > 0


def test_one_case_is_told_what_the_batch_tells(places: tuple[Path, Path]) -> None:
    scorer = over(places)
    model = scorer.models["chargeback_risk"]
    frame = signals(scorer.ledger, "chargeback_risk", horizon=30 * DAY)
    batch = model.reasons(frame)
    for i in np.random.default_rng(1).integers(0, len(frame), 2):
        case = {"question": "chargeback_risk", "ask_id": frame["ask_id"].iloc[i], "at": frame["at"].iloc[i].isoformat()}
        found = scorer.reasons(case)
        told = [list(words) for words in (found.codes, found.reviewer, found.seller, found.buyer)]
        assert told == batch.iloc[i].to_list()
        assert any(told)


def test_a_later_asking_knows_more(places: tuple[Path, Path]) -> None:
    scorer = over(places)
    orders = scorer.ledger.facts["orders"]
    case = {"question": "chargeback_risk", "ask_id": orders.strings("order_id")[0].as_py()}
    first = int(orders.at[0])
    soon, later = (pd.to_datetime(t, unit="us", utc=True) for t in (first, first + 20 * DAY))
    assert scorer.score(case | {"at": soon}).parts != scorer.score(case | {"at": later}).parts


def test_a_case_whose_answer_is_known_is_not_scored(places: tuple[Path, Path]) -> None:
    scorer = over(places)
    orders = scorer.ledger.facts["orders"]
    case = {"question": "chargeback_risk", "ask_id": orders.strings("order_id")[0].as_py()}
    after = pd.to_datetime(int(orders.at[0]) + 31 * DAY, unit="us", utc=True)
    with pytest.raises(RedressError, match="before the answer was known"):
        scorer.score(case | {"at": after})


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"question": "chargeback_risk", "at": "2024-06-01T00:00:00Z"}, "got no ask_id"),
        (
            {"question": "weather", "ask_id": "1", "at": "2024-06-01T00:00:00Z"},
            "case.question: want one of chargeback_risk",
        ),
        ({"question": "chargeback_risk", "ask_id": "1", "at": "soon"}, "case.at: want an ISO 8601 time"),
        ({"question": "chargeback_risk", "ask_id": "1", "at": "2024-06-01"}, "add the zone"),
        ({"question": "chargeback_risk", "ask_id": "nobody", "at": "2024-06-01T00:00:00Z"}, "such as nobody"),
        ({"question": "chargeback_risk", "ask_id": "x" * 1_000_000, "at": "2024-06-01T00:00:00Z"}, "unknown"),
    ],
)
def test_a_wrong_case_names_its_field(places: tuple[Path, Path], case: dict[str, object], says: str) -> None:
    with pytest.raises(RedressError, match=says):
        Scorer.open(*places).score(case)


def test_no_models_is_an_error(places: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(RedressError, match=r"want a folder with model\.json"):
        Scorer.open(places[0], tmp_path)
