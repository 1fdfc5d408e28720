"""What a card says of what taught a model: answers, or soft labels and those looked into."""

import numpy as np
import pytest

from models import Model
from models.questions import QUESTIONS
from models.split import Labelled
from pipelines.card import SELECTED, USES
from pipelines.teaching import blind, facts_of, looked_into, softly, taught_by

MALICE, RISK = QUESTIONS["malicious_dispute"], QUESTIONS["chargeback_risk"]
DATA = Labelled(0, np.arange(449), np.zeros(449, np.int8), 0, {"asked": 9_000, "learnt from": 449, "yes": 185})
PLAIN = Model("", (), card={"rows": 449, "yes": 185})
RESTED = {"looked_into": 460, "found": 190, "class_prior": 0.0812, "sources": ["finding by audit", "officer"]}
SOFT = Model("", (), card={"rows": 3_120, "yes": 250} | RESTED)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (PLAIN, "Learnt from 449 askings in May, 185 of them yes"),
        (
            SOFT,
            "Taught by soft labels of 3,120 disputes in May (class prior 8.1%), of which 460 were looked into and 190 found"
            " malicious",
        ),
    ],
)
def test_a_model_says_what_taught_it(model: Model, says: str) -> None:
    assert taught_by(MALICE, model, DATA, " in May") == says


def test_the_key_numbers_are_of_what_taught_it() -> None:
    assert facts_of(RISK, PLAIN, DATA) == (("Askings learnt from", "449"), ("Of them yes", "185"))
    soft = (("Disputes with a soft label", "3,120"), ("Looked into", "460"), ("Found malicious", "190"))
    assert facts_of(MALICE, SOFT, DATA) == soft


def test_soft_labels_name_their_sources_and_what_they_are_measured_on() -> None:
    assert (softly(SOFT), softly(PLAIN)) == (True, False)
    assert blind(MALICE, SOFT).endswith("Its sources: finding by audit, officer.")
    (says,) = looked_into(MALICE)
    assert "measured on disputes that were looked into" in says
    assert looked_into(RISK) == ()


def test_a_chargeback_not_yet_contested_is_asked_about_with_asks_and_the_contested_stand_for_all() -> None:
    assert "--asks" in USES["chargeback_win"]
    assert "weighted" in SELECTED["chargeback_win"]
