"""The truth beside a ledger: whole, consistent with what the ledger tells, and out of reach of everything that learns."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import Ledger, LedgerError, signals
from features.asking import ASKED, askings
from features.kernel import DAY
from models import fit
from models.questions import answers
from pipelines.marketplace import world
from pipelines.marketplace.truth import FEE, HANDLING, Truth
from pipelines.simulate import simulate_ledger
from serve import Scorer


def silent(line: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rich") / "ledger"
    simulate_ledger(world("chargeback_rich", orders=40_000), out, seed=9, said=silent)
    return out


@pytest.fixture(scope="module")
def truth(place: Path) -> Truth:
    return Truth.of(place)


def table(place: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(place / f"{name}.parquet")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("buyers", "buyer_id"),
        ("sellers", "seller_id"),
        ("products", "product_id"),
        ("orders", "order_id"),
        ("disputes", "dispute_id"),
        ("chargebacks", "chargeback_id"),
        ("evidence", "evidence_id"),
    ],
)
def test_the_truth_knows_everything_of_the_ledger(name: str, key: str, place: Path, truth: Truth) -> None:
    known = truth.tables[name]
    assert not known.duplicated(key).any()
    source = "listings" if name == "products" else name
    assert set(table(place, source)[key]) <= set(known[key])
    kinds = {"buyers": "kind", "sellers": "kind", "orders": "problem", "disputes": "cause", "chargebacks": "cause"}
    if name in kinds:
        assert known[kinds[name]].nunique() > 4


def test_hidden_groups_hold_accounts_of_one_kind(truth: Truth) -> None:
    buyers = truth.tables["buyers"]
    sizes = buyers.groupby("group")["kind"].agg(["size", "nunique"])
    assert (sizes["nunique"] == 1).all()
    assert set(buyers[buyers["group"].isin(sizes.index[sizes["size"] > 1])]["kind"]) == {"serial_abuser", "ring"}


def test_the_true_probability_is_that_of_the_evidence_in_the_ledger(place: Path, truth: Truth) -> None:
    shown = table(place, "evidence")
    shown = shown[shown["case_kind"] == "chargeback"]
    filed = table(place, "representments")["chargeback_id"].unique()
    known = truth.tables["chargebacks"].set_index("chargeback_id")["win_probability"]
    sets = shown.groupby("case_id")["kind"].agg(set).reindex(filed)
    evidence = [kinds if isinstance(kinds, set) else set() for kinds in sets]
    found = truth.win_probability(list(filed), evidence)
    assert len(filed) > 1_000
    np.testing.assert_allclose(found, known[filed].to_numpy(), rtol=0, atol=1e-12)
    more = truth.win_probability(list(filed), [kinds | {"tracking", "delivery_certificate"} for kinds in evidence])
    assert (more >= found).all()
    assert (more > found).any()


def test_chargebacks_are_won_as_often_as_the_truth_says(place: Path, truth: Truth) -> None:
    rulings = table(place, "chargeback_rulings")
    first = rulings[rulings["outcome"] != "pre_arbitration"].drop_duplicates("chargeback_id")
    both = first.merge(truth.tables["chargebacks"], on="chargeback_id").dropna(subset=["win_probability"])
    both = both[both["outcome"] != "withdrawn"]
    for _, some in both.groupby(pd.cut(both["win_probability"], [0, 0.3, 0.4, 0.5, 0.7, 1])):
        spread = 4 * np.sqrt(0.25 / len(some))
        assert len(some) > 40
        assert abs((some["outcome"] == "won").mean() - some["win_probability"].mean()) < spread


def test_a_refused_buyer_goes_to_the_bank_if_and_only_if_the_truth_says_so(place: Path, truth: Truth) -> None:
    until = table(place, "scans")["at"].max()
    rulings = table(place, "rulings").drop_duplicates("dispute_id", keep="last")
    disputes = table(place, "disputes").merge(rulings, on="dispute_id", suffixes=("", "_of_ruling"))
    orders = table(place, "orders")[["order_id", "at"]]
    disputes = disputes.merge(orders, on="order_id", suffixes=("", "_of_order"))
    refused = disputes[(disputes["outcome"] == "refused") & (disputes["at_of_ruling"] < until - pd.Timedelta(days=90))]
    early = refused["at_of_ruling"] - refused["at_of_order"] < pd.Timedelta(days=90)
    known = refused[early].merge(truth.tables["disputes"], on="dispute_id")  # within the window, whatever the lag
    charged = known["order_id"].isin(table(place, "chargebacks")["order_id"])
    assert len(known) > 150
    assert (charged == known["goes_to_bank"]).all()
    assert 0.3 < charged.mean() < 0.99


def test_what_the_bank_takes_in_the_ledger_is_what_the_truth_says(place: Path, truth: Truth) -> None:
    back = table(place, "refunds").query("initiator == 'issuer'").set_index("order_id")["amount"]
    charged = table(place, "chargebacks").merge(table(place, "disputes")[["order_id", "dispute_id"]], on="order_id")
    known = charged.merge(truth.tables["disputes"], on="dispute_id")
    taken = known[known["order_id"].isin(back.index)]
    assert len(taken) > 100
    assert (back[taken["order_id"]].to_numpy() == taken["taken_by_bank"].to_numpy()).all()
    assert taken["lost_at_bank"].all()
    assert taken["goes_to_bank"].all()
    endings = table(place, "chargeback_rulings")
    won = known[known["chargeback_id"].isin(endings.query("outcome == 'won'")["chargeback_id"])]
    assert 0.5 < (won["taken_by_bank"] == 0).mean() < 1  # some are lost again, in arbitration


def test_the_bank_would_have_decided_of_those_who_were_paid_as_well(place: Path, truth: Truth) -> None:
    rulings = table(place, "rulings").drop_duplicates("dispute_id", keep="last")
    paid = truth.tables["disputes"].merge(rulings.query("refunded > 0"), on="dispute_id")
    goes = paid[paid["goes_to_bank"]]
    assert len(goes) > 300
    assert 0.3 < goes["lost_at_bank"].mean() < 0.95
    assert (goes["lost_at_bank"] == (goes["taken_by_bank"] > 0)).all()
    assert 0.5 < goes["contested"].mean() < 0.99


def test_the_price_of_each_answer_is_the_sum_of_its_parts(place: Path, truth: Truth) -> None:
    known = table(place, "disputes").merge(truth.tables["disputes"], on="dispute_id")
    honest = ~known["malicious"]
    assert (known["cost_if_refunded"][honest] == known["claimed"][honest]).all()
    assert (known["cost_if_refunded"] >= known["claimed"]).all()
    assert (known["cost_if_refunded"] > known["claimed"])[~honest].mean() > 0.9
    stays = ~known["leaves_if_refused"]
    bank = FEE * known["goes_to_bank"] + HANDLING * known["contested"] + known["taken_by_bank"]
    bank += FEE * (known["contested"] & known["lost_at_bank"])
    assert (known["taken_by_bank"] <= known["claimed"]).all()
    assert (known["cost_if_refused"][stays] == bank[stays]).all()
    assert (known["cost_if_refused"][~stays] > bank[~stays]).all()
    assert (known["owed_share"][~stays] >= 0.5).all()
    assert not known["lost_at_bank"][~known["goes_to_bank"]].any()
    assert (known["malicious"] == (known["side"] == "buyer")).all()
    assert (known["owed_share"][known["malicious"]] == 0).all()


def test_the_parameters_and_the_seed_are_told(truth: Truth) -> None:
    assert truth.seed == 9
    assert truth.parameters == vars(world("chargeback_rich", orders=40_000))
    assert truth.mechanism.noise == 0.04


@pytest.mark.parametrize(
    ("ids", "evidence", "sentence"),
    [
        (["nobody"], [set()], "want chargebacks and kinds of evidence it knows, got nobody"),
        (["c00000001"], [{"a hunch"}], "want chargebacks and kinds of evidence it knows, got a hunch"),
        (["c00000001"], [], "want as many sets of evidence as chargebacks, got 0 for 1"),
    ],
)
def test_what_the_truth_does_not_know_is_one_sentence(
    ids: list[str], evidence: list[set[str]], sentence: str, truth: Truth
) -> None:
    with pytest.raises(LedgerError, match=sentence):
        truth.win_probability(ids, evidence)


def test_a_ledger_without_its_truth_and_one_of_other_rules_are_one_sentence(place: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="want the truth of a simulated ledger"):
        Truth.of(tmp_path)
    shutil.copytree(place / "truth", tmp_path / "truth")
    told = json.loads((tmp_path / "truth" / "mechanism.json").read_text())
    told["sets"][0]["adds"]["fraud"] = 9.0
    (tmp_path / "truth" / "mechanism.json").write_text(json.dumps(told))
    with pytest.raises(LedgerError, match="want the rules of winning of this version"):
        Truth.of(tmp_path)
    del told["seed"]
    (tmp_path / "truth" / "mechanism.json").write_text(json.dumps({**told, "mechanism": {}}))
    with pytest.raises(LedgerError, match=r"truth: want"):
        Truth.of(tmp_path)


# Out of reach


def learnt(ledger: Path, folder: Path) -> tuple[pd.DataFrame, ...]:
    """All that features, models and the scorer make of a ledger: signals of each question, predictions, and one score."""
    facts = Ledger.open(ledger)
    frames = [signals(facts, question, horizon=30 * DAY) for question in ASKED]
    asks = askings(facts, "chargeback_risk")
    model = fit(frames[0], answers(facts, asks, 30 * DAY).answer)
    card = {"question": "chargeback_risk", "horizon_days": 30.0}
    replace(model, card=card).save(folder / "chargeback_risk")
    scorer = Scorer.open(ledger, folder)
    last = frames[0].iloc[-1]
    score = scorer.score({"question": "chargeback_risk", "ask_id": last["ask_id"], "at": last["at"]})
    bad = {name: len(found) for name, found in facts.bad.items()}
    told = pd.DataFrame({"fingerprint": [facts.fingerprint()], "warnings": [len(facts.warnings)], "bad": [str(bad)]})
    return (*frames, pd.DataFrame(model.predict_proba(frames[0])), pd.DataFrame([score.parts]), told)


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def garbled(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(b"whoever reads this fails")


def looping(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)  # whoever opens it, or lists it, fails


def reversed_(folder: Path) -> None:
    for path in folder.glob("*.parquet"):
        frame = pd.read_parquet(path)
        frame.iloc[::-1].set_index(frame.index).to_parquet(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("small") / "ledger"
    simulate_ledger(world("chargeback_rich", orders=1_500, days=200), out, seed=3, said=silent)
    return out


@pytest.fixture(scope="module")
def untouched(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, ...]:
    return learnt(small, tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("change", [gone, garbled, looping, reversed_], ids=["gone", "garbled", "looping", "reversed"])
def test_nothing_that_learns_sees_the_truth(
    change: Callable[[Path], None], small: Path, untouched: tuple[pd.DataFrame, ...], tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    shutil.copytree(small, ledger)
    change(ledger / "truth")
    for before, after in zip(untouched, learnt(ledger, tmp_path / "models"), strict=True):
        pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_one_who_peeks_is_caught(
    small: Path, untouched: tuple[pd.DataFrame, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Ledger.open

    def peeking(path: Path) -> Ledger:
        ledger = opened(path)
        ledger.warnings += pd.read_parquet(Path(path) / "truth" / "disputes.parquet")["cause"].head(1).tolist()
        return ledger

    monkeypatch.setattr(Ledger, "open", peeking)
    for change in (gone, garbled, looping):
        ledger = tmp_path / change.__name__
        shutil.copytree(small, ledger)
        change(ledger / "truth")
        with pytest.raises((OSError, ValueError)):
            learnt(ledger, tmp_path / "models")
    assert not learnt(small, tmp_path / "models")[-1].equals(untouched[-1])
