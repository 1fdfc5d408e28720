"""The command that plans evidence, from its words to what it prints: chargebacks, disputes, and orders before shipment."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import Ledger, signals
from features.asking import askings
from features.background import first_at, is_word
from features.evidence import RULES
from features.kernel import DAY, HOUR
from features.supposed import needed
from models import Model, fit, load
from models.advice import FAIR, LEADS
from models.answering import answer as answered
from models.deadlines import shown
from models.linear import Linear
from models.obtaining import Obtaining
from models.pending import case as charged
from models.policy import Policy
from models.policy import opened as policy_at
from models.programmes import marginal_cost, month
from models.questions import answers
from models.terms import Term
from pipelines.__main__ import main, time
from pipelines.evidence import evidence
from pipelines.marketplace import world
from pipelines.opening import moment
from pipelines.securing import promise
from pipelines.simulate import simulate, write_ledger
from serve import Scorer

Tables = dict[str, pa.Table]
PAIR = ("case_items_tracking", "case_items_delivery_certificate")
MAIL = "case_items_correspondence"
UNTIL = "2030-01-01T00:00:00+00:00"
HORIZON = 30 * DAY
CODES = next(rule.codes for rule in RULES if rule.name == "delivery")


@dataclass(frozen=True)
class Place:
    """A simulated ledger, its tables, and a directory with a model for each question."""

    tables: Tables
    ledger: Path
    models: Path

    @property
    def facts(self) -> Ledger:
        """The ledger, checked."""
        return Ledger.of(self.tables)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    tables = simulate(world("chargeback_rich", orders=1500, days=200), seed=3)
    ledger, models = tmp_path_factory.mktemp("ledger"), tmp_path_factory.mktemp("models")
    write_ledger(tables, ledger)
    facts = Ledger.of(tables)
    terms = (Term(PAIR, usual=2.0), Term((MAIL,)))
    win = Model("", (*PAIR, MAIL), linear=Linear(terms, (2.0, 0.5), (0.0, 0.0), -1.0), card=card("chargeback_win"))
    win.save(models / "chargeback_win")
    shares = {"win_share": 0.2, "withdrawn_share": 0.1, "contested_share": 0.5}
    learnt(facts, "chargeback_risk", shares).save(models / "chargeback_risk")
    learnt(facts, "dispute_outcome", {}).save(models / "dispute_outcome")
    return Place(tables, ledger, models)


def card(question: str) -> dict[str, object]:
    return {"question": question, "horizon_days": 30.0, "trained_until": UNTIL}


def learnt(facts: Ledger, question: str, more: Mapping[str, object]) -> Model:
    """Trees of a few signals, those of evidence among them where the question has any."""
    asks = askings(facts, question)
    names = ["order_amount", "buyer_orders_count_ever", *(needed(question) if question != "chargeback_risk" else ())]
    names += ["lane_promised_to_usual_ever"] if question == "chargeback_risk" else []
    frame, answer = signals(facts, question, horizon=HORIZON, only=names), answers(facts, asks, HORIZON).answer
    rows = np.flatnonzero(answer >= 0)
    model = fit(frame.iloc[rows].reset_index(drop=True), answer[rows], rounds=20)
    return replace(model, card=dict(model.card) | card(question) | dict(more))


def like(place: Place, **rows: list[dict[str, Any]]) -> Tables:
    """Rows as tables of the same columns as those of the place."""
    return {name: pa.Table.from_pylist(some, place.tables[name].schema) for name, some in rows.items()}


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], place: Place) -> Run:
    """Runs the command on the place, or on other folders: its code, and what it printed."""

    def ran(*words: object, ledger: Path | None = None, models: Path | None = None) -> tuple[int, str, str]:
        where = ["--ledger", str(ledger or place.ledger), "--models", str(models or place.models)]
        code = main(["evidence", *map(str, words), *where])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def closing(found: tuple[int, str, str]) -> dict[str, Any]:
    assert found[0] == 0, found[2]
    told = json.loads(found[1])
    assert isinstance(told, dict)
    return told


def delivered(facts: Ledger) -> tuple[str, int, float]:
    """A large chargeback that asks for proof of delivery, of a parcel delivered before: its id, a day later, its cents."""
    cases, scans = facts.facts["chargebacks"], facts.facts["scans"]
    kinds = is_word(scans.codes("kind"), "delivered")
    seen = first_at(scans.points["orders"], scans.at, len(facts.facts["orders"]), kinds)[cases.points["orders"]]
    brought = facts.facts["evidence"].points["chargebacks"]
    amount, t = cases.numbers("amount")[0], cases.at + DAY
    fits = (seen < t) & is_word(cases.codes("reason_code"), *CODES) & (amount > 4_000) & (t < facts.last_at - 40 * DAY)
    early = facts.facts["evidence"].at[brought >= 0] < t[brought[brought >= 0]]
    fits[brought[brought >= 0][early]] = False
    row = int(np.flatnonzero(fits)[0])
    return str(cases.strings("chargeback_id")[row]), int(t[row]), float(amount[row])


def odds(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_a_chargeback_is_told_what_to_obtain_and_what_that_is_worth(place: Place, run: Run) -> None:
    case, t, amount = delivered(place.facts)
    told = closing(run(case, "--as-of", moment(t), "--json"))
    lines = {line["item"]: line for line in told["items"]}
    assert told["recommended"] == ["delivery_certificate", "tracking", "correspondence"]
    assert told["probability without"] == pytest.approx(odds(-1.0))
    assert told["probability with"] == pytest.approx(odds(1.5))
    assert told["cost"] == 500 + 50 + 300
    assert told["worth beyond cost"] == pytest.approx((odds(1.5) - odds(-1.0)) * amount - 850)
    assert (told["completes"], told["hours in parallel"], told["gains are"]) == (
        ["delivery"],
        48.0,
        "association, not effect",
    )
    assert lines["tracking"]["gain alone"] == pytest.approx(0.0, abs=1e-9)
    assert lines["tracking"]["adds nothing alone"]
    assert lines["tracking"]["gain in the set"] == pytest.approx((odds(1.5) - odds(-0.5)) * amount)
    assert {"set": "delivery", "with": ["delivery_certificate"]} in lines["tracking"]["completes"]
    assert lines["correspondence"]["gain alone"] == pytest.approx((odds(-0.5) - odds(-1.0)) * amount)
    assert told["cannot be obtained"]["pre_shipment_count"] == "cannot be obtained once shipped"
    assert [one["complete"] for one in told["sets"] if one["set"] == "delivery"] == [False]


def test_people_read_a_short_table_and_a_sentence(place: Place, run: Run) -> None:
    case, t, amount = delivered(place.facts)
    code, out, _ = run(case, "--as-of", moment(t))
    stake, *lines = out.splitlines()
    assert code == 0
    assert stake.split() == ["at", "stake", f"{amount / 100:,.2f}", "charged", "back"]
    assert lines[0].split() == ["item", "cost", "hours", "gain", "alone", "in", "the", "set", "completes"]
    tracking = next(line for line in lines if line.startswith("* tracking")).split()
    assert tracking[2:5] == ["0.50", "0.5", "nothing"]
    assert " ".join(tracking).partition("delivery with ")[2].startswith("delivery_certificate")
    assert any(line.startswith("set delivery") and "incomplete, 0 of 2" in line for line in lines)
    action = closing(run(case, "--as-of", moment(t), "--json"))["answer"]["action"]
    says = f"{LEADS[action]} Obtain delivery_certificate, tracking and correspondence by "
    assert action in ("contest", "wait")
    assert lines[-1].partition("  ")[2].strip().startswith(says)
    assert lines[-1].endswith("This completes delivery.")


def undefended(place: Place) -> Tables:
    """The tables of the place without any defence or ending of a chargeback."""
    return {n: table for n, table in place.tables.items() if n not in ("representments", "chargeback_rulings")}


def test_what_takes_longer_than_there_is_is_not_advised(place: Place, run: Run, tmp_path: Path) -> None:
    write_ledger(undefended(place), tmp_path)
    case, t, _ = delivered(place.facts)
    deadline = pd.Timestamp(closing(run(case, "--as-of", moment(t), "--json"))["deadline"])
    late = (deadline - pd.Timedelta("47h")).isoformat()
    told = closing(run(case, "--as-of", late, "--json", ledger=tmp_path))
    assert "longer than there are" in told["cannot be obtained"]["delivery_certificate"]
    assert told["recommended"] == ["correspondence"]


def test_earlier_orders_are_told_for_a_card_theft(place: Place, run: Run, tmp_path: Path) -> None:
    """Two earlier orders are made to match: one of the right age, and one that is 20 days too young."""
    case, t, _ = delivered(place.facts)
    cases, orders = (place.tables[name].to_pylist() for name in ("chargebacks", "orders"))
    asked = next(row for row in cases if row["chargeback_id"] == case)
    now = next(row for row in orders if row["order_id"] == asked["order_id"])
    asked["reason_code"], now["instrument_id"] = "10.4", "mine"
    ages = {"older": 150, "young": 100}
    orders += [now | {"order_id": name, "at": now["at"] - pd.Timedelta(days=ago)} for name, ago in ages.items()]
    write_ledger(place.tables | like(place, orders=orders, chargebacks=cases), tmp_path / "ledger")
    told = closing(run(case, "--as-of", moment(t), "--json", ledger=tmp_path / "ledger"))
    (one,) = told["prior transactions"]
    assert (one["programme"], one["wanted"], one["applies"]) == ("Compelling Evidence 3.0", 2, False)
    assert one["qualifying"] == ["older"]
    assert [(near["order_id"], near["lacks"]) for near in one["nearly"]] == [("young", ["20.0 days older"])]
    _, out, _ = run(case, "--as-of", moment(t), ledger=tmp_path / "ledger")
    assert "lacks: qualifying orders 1 (older), wanted 2; young lacks 20.0 days older" in out
    both = Policy("both", "", evidence=Obtaining(anchors=("order", "chargeback")))
    found = evidence(case, tmp_path / "ledger", place.models, as_of=t, policy=both, said=lambda line: None)
    assert [one.anchor for one in found.programmes] == ["order", "chargeback"]
    later = (asked["at"] - now["at"]) / pd.Timedelta(days=1)
    days = [{one.order_id: one.days for one in programme.found}["young"] for programme in found.programmes]
    assert days == [pytest.approx(100), pytest.approx(100 + later)]


def a_dispute(facts: Ledger, reason: str) -> tuple[str, int]:
    """A dispute of a reason, and a moment an hour after it."""
    cases = facts.facts["disputes"]
    row = int(np.flatnonzero(is_word(cases.codes("reason"), reason))[0])
    return str(cases.strings("dispute_id")[row]), int(cases.at[row]) + HOUR


def test_a_dispute_is_told_what_the_seller_should_supply(place: Place, run: Run) -> None:
    case, t = a_dispute(place.facts, "damaged")
    told = closing(run(case, "--as-of", moment(t), "--json"))
    assert (told["probability of"], told["gains are"]) == ("a refusal", "association, not effect")
    assert told["fair"] == FAIR
    assert pd.Timestamp(told["deadline"]) == pd.Timestamp(moment(t - HOUR + 5 * DAY))
    asked = {"question": "dispute_outcome", "ask_id": case, "at": moment(t)}
    score = Scorer.open(place.ledger, place.models).score(asked)
    assert told["probability without"] == 1 - score.probability  # to the bit


def ruling(place: Place, folder: Path, *terms: tuple[tuple[str, ...], float]) -> Path:
    """A directory with a model of rulings alone, whose log-odds of a refund are 1 and what terms of items add."""
    names = tuple(f"case_items_{kind}" for kinds, _ in terms for kind in kinds)
    of = tuple(Term(tuple(f"case_items_{kind}" for kind in kinds)) for kinds, _ in terms)
    linear = Linear(of, tuple(adds for _, adds in terms), (0.0,) * len(terms), 1.0)
    Model("", names, linear=linear, card=card("dispute_outcome")).save(folder / "dispute_outcome")
    return folder


def test_a_dispute_is_told_the_set_that_is_worth_most_and_not_the_reason_s(
    place: Place, run: Run, tmp_path: Path
) -> None:
    """Mail and photo go with refusals by themselves, the page does not, so that the reason's set is not completed."""
    case, t = a_dispute(place.facts, "damaged")
    models = ruling(place, tmp_path, (("product_photo",), -2.0), (("correspondence",), -3.0), (("listing_copy",), 0.01))
    disputes = place.tables["disputes"].to_pylist()
    next(row for row in disputes if row["dispute_id"] == case)["claimed"] = 10_000
    write_ledger(place.tables | like(place, disputes=disputes), tmp_path / "ledger")
    told = closing(run(case, "--as-of", moment(t), "--json", models=models, ledger=tmp_path / "ledger"))
    assert (told["recommended"], told["recommended by"]) == (["correspondence", "product_photo"], "model")
    assert told["probability without"] == pytest.approx(1 - odds(1.0))
    assert told["probability with"] == pytest.approx(1 - odds(-4.0))
    assert told["worth beyond cost"] == pytest.approx((odds(1.0) - odds(-4.0)) * 10_000 - 500)
    (one,) = told["sets"]
    assert (one["set"], one["missing"], one["asked for"]) == ("description", ["listing_copy", "product_photo"], True)
    assert one["gain if completed"] == pytest.approx((odds(1.0) - odds(-0.99)) * 10_000)
    _, out, _ = run(case, "--as-of", moment(t), models=models, ledger=tmp_path / "ledger")
    assert "set description" in out
    assert FAIR in out


def test_where_the_model_of_rulings_sees_no_gain_the_reason_s_set_is_told_and_not_recommended(
    place: Place, run: Run, tmp_path: Path
) -> None:
    case, t = a_dispute(place.facts, "damaged")
    models = ruling(place, tmp_path, (("listing_copy", "product_photo"), 0.01))
    told = closing(run(case, "--as-of", moment(t), "--json", models=models))
    assert (told["recommended"], told["recommended by"]) == ([], "model")
    assert "is worth its cost; the probability of a refusal stays 26.9%." in told["advice"]
    assert told["advice"].endswith(
        "The reason asks for description, which listing_copy and product_photo would complete."
    )


def test_a_model_that_depends_on_no_item_leaves_it_to_the_rules(place: Place, run: Run, tmp_path: Path) -> None:
    """Learnt before anything was brought, it says nothing of evidence; that is not that evidence is worth nothing."""
    case, t = a_dispute(place.facts, "damaged")
    told = closing(
        run(case, "--as-of", moment(t), "--json", models=ruling(place, tmp_path, (("unboxing_video",), 1.0)))
    )
    assert (told["recommended"], told["recommended by"]) == (["listing_copy", "product_photo"], "rules")
    assert (told["probability without"], told["probability with"]) == (pytest.approx(1 - odds(1.0)), None)
    assert [line["gain alone"] for line in told["items"]] == [None, None]
    assert any(note.startswith("the model depends on none of the items") for note in told["notes"])
    assert told["advice"].startswith("The rules ask to obtain listing_copy and product_photo by ")
    assert told["advice"].endswith("Without it the probability of a refusal is 26.9%.")


def test_who_bears_a_refund_is_said_by_the_policy(place: Place, run: Run, tmp_path: Path) -> None:
    case, t = a_dispute(place.facts, "damaged")
    says = "a refund for damaged is the platform's to bear, unless the seller or the carrier is found at fault"
    policy = tmp_path / "own.toml"
    policy.write_text('name = "own"\nextends = "default"\n[refunds]\nreasons = ["quality"]\nreturns = []\n')
    assert says in closing(run(case, "--as-of", moment(t), "--json"))["notes"]
    assert says not in closing(run(case, "--as-of", moment(t), "--policy", policy, "--json"))["notes"]


def test_a_set_that_cannot_be_completed_is_not_begun(place: Place, run: Run, tmp_path: Path) -> None:
    case, t = a_dispute(place.facts, "short_quantity")
    for models in (None, tmp_path):
        told = closing(run(case, "--as-of", moment(t), "--json", models=models))
        weight = next(one for one in told["sets"] if one["set"] == "weight")
        assert not {"shipping_receipt", "carrier_weight_certificate"} & set(told["recommended"])
    assert told["recommended"] == []
    assert told["advice"].startswith("The rules ask for weight, which cannot be completed by ")
    assert "unit_weight_photo" in weight["cannot be obtained"]
    assert "weight" not in told["completes"]


def test_without_a_model_of_rulings_a_dispute_is_told_no_effect(place: Place, run: Run, tmp_path: Path) -> None:
    case, t = a_dispute(place.facts, "damaged")
    told = closing(run(case, "--as-of", moment(t), "--json", models=tmp_path))
    assert told["probability without"] is None
    assert [line["gain alone"] for line in told["items"]] == [None] * len(told["items"])
    assert (told["recommended"], told["recommended by"]) == (["listing_copy", "product_photo"], "rules")
    assert "The rules ask to obtain listing_copy and product_photo" in told["advice"]
    assert told["notes"][0].startswith(
        f"dispute_outcome: want its model in {tmp_path}, got none; train it with redress train"
    )
    code, out, _ = run(case, "--as-of", moment(t), models=tmp_path)
    assert (code, "–" in out) == (0, True)


def unshipped(facts: Ledger) -> tuple[str, int, float]:
    """A late order that was shipped more than an hour after it was paid: its id, a moment after payment, its cents."""
    orders, shipments = facts.facts["orders"], facts.facts["shipments"]
    shipped = first_at(shipments.points["orders"], shipments.at, len(orders))
    row = int(np.flatnonzero(shipped > orders.at + HOUR)[-50])
    return str(orders.strings("order_id")[row]), int(orders.at[row]) + 1, float(orders.numbers("amount")[0][row])


def test_an_order_is_told_what_to_secure_and_what_loss_to_expect(place: Place, run: Run) -> None:
    case, t, amount = unshipped(place.facts)
    told = closing(run(case, "--as-of", moment(t), "--json"))
    asked = {"question": "chargeback_risk", "ask_id": case, "at": moment(t)}
    score = Scorer.open(place.ledger, place.models).score(asked)
    assert told["probability of a chargeback"] == pytest.approx(score.probability)
    assert told["expected loss"] == pytest.approx(score.expected_loss)
    assert told["at stake"] == pytest.approx(score.probability * amount)
    assert told["probability without"] == pytest.approx(odds(-1.0), abs=0.02)  # few had mail when they came
    gain = next(line for line in told["items"] if line["item"] == "tracking")
    assert gain["adds nothing alone"]
    assert {"set": "delivery", "with": ["delivery_certificate"]} in gain["completes"]
    assert sum(told["reason codes of earlier chargebacks"].values()) == pytest.approx(1.0)
    assert {kind for step in told["steps"] for kind in step["gives"]} == {line["item"] for line in told["items"]}


def test_proof_of_delivery_is_secured_where_much_is_at_stake(place: Place, run: Run, tmp_path: Path) -> None:
    case, t, _ = unshipped(place.facts)
    orders = place.tables["orders"].to_pylist()
    next(row for row in orders if row["order_id"] == case)["amount"] = 10_000_000
    write_ledger(place.tables | like(place, orders=orders), tmp_path / "ledger")
    told = closing(run(case, "--as-of", moment(t), "--json", ledger=tmp_path / "ledger"))
    assert told["recommended"] == ["tracking", "delivery_certificate"]
    assert [step["recommended"] for step in told["steps"]] == [False, False, False, False, True]
    assert told["probability with"] == pytest.approx(odds(1.0), abs=0.02)
    _, out, _ = run(case, "--as-of", moment(t), ledger=tmp_path / "ledger")
    assert "Obtain tracking and delivery_certificate at shipment" in out


@pytest.mark.parametrize(("ratio", "told"), [(0.5, 1), (1.0, 0), (1.2, 0), (float("nan"), 0)])
def test_a_promise_that_is_not_realistic_is_told(ratio: float, told: int) -> None:
    """At half of the usual time the odds are 1 / 1.5, at all of it 1 / 2."""
    name = "lane_promised_to_usual_ever"
    risk = Model("", (name,), linear=Linear((Term((name,), log=True),), (-1.0,), (0.0,), 0.0))
    notes = promise(risk, pd.DataFrame({name: [ratio]}))
    assert len(notes) == told
    assert all("promised in 0.50 of the time" in note and "33.33% in place of 40.00%" in note for note in notes)


def test_before_any_chargeback_nothing_is_guessed(place: Place, run: Run) -> None:
    orders = place.facts.facts["orders"]
    told = closing(run(str(orders.strings("order_id")[0]), "--as-of", moment(int(orders.at[0]) + 1), "--json"))
    assert (told["probability without"], told["recommended"]) == (None, [])
    assert "no chargeback is known yet, so what a proof is worth is not" in told["notes"]


def test_what_is_shown_of_a_chargeback_is_what_its_model_says_to_the_bit(
    place: Place, run: Run, tmp_path: Path
) -> None:
    """Terms are added in the order of the model, which another order misses by the last bit."""
    case, t, _ = delivered(place.facts)
    terms = (Term(PAIR), Term((MAIL,)))
    model = Model("", (*PAIR, MAIL), linear=Linear(terms, (2.1, 0.37), (0.3, 0.7), -1.0), card=card("chargeback_win"))
    model.save(tmp_path / "chargeback_win")
    told = closing(run(case, "--as-of", moment(t), "--json", models=tmp_path))
    assert told["recommended"] == ["delivery_certificate", "tracking", "correspondence"]
    there, none = (pd.DataFrame({name: [value] for name in (*PAIR, MAIL)}) for value in (1.0, 0.0))
    assert told["probability without"] == model.predict_proba(none)[0, 1]
    assert told["probability with"] == model.predict_proba(there)[0, 1]
    assert told["probability with"] != 1 / (1 + exp(-(-1.0 - 2.1 * 0.3 - 0.37 * 0.7 + (2.1 + 0.37))))


def test_what_is_not_worth_defending_is_not_advised_to_be(place: Place, run: Run, tmp_path: Path) -> None:
    """A defence that costs 10,000.00 pays for nothing, so that what it would want is said as an aside."""
    case, t, _ = delivered(place.facts)
    policy = tmp_path / "dear.toml"
    policy.write_text('name = "dear"\nextends = "default"\n[chargebacks]\nhandling = 1000000\n')
    charged = place.tables["chargebacks"].to_pylist()
    next(row for row in charged if row["chargeback_id"] == case)["reason_code"] = "13.1"
    write_ledger(place.tables | like(place, chargebacks=charged), tmp_path / "ledger")
    told = closing(run(case, "--as-of", moment(t), "--policy", policy, "--json", ledger=tmp_path / "ledger"))
    assert told["answer"]["action"] in ("settle", "accept")
    says = f"{LEADS[told['answer']['action']]} Should it come to a defence after all, obtain delivery_certificate, tracking"
    assert told["advice"].startswith(says)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"cancellations": [{}]}, "want an order that is to be shipped, got one cancelled {known}"),
        (
            {"blocks": [{"block_id": "k", "kind": "risk_address", "closes_by": 1}]},
            "want a block whose deadline is to come, got k, whose was {past} UTC; correct blocks.closes_by",
        ),
        ({"blocks": [{"block_id": "k", "kind": "risk_address"}]}, None),
        ({"blocks": [{"block_id": "k", "kind": "seller_integrity"}]}, None),
    ],
    ids=["cancelled", "a block that is over", "a block that is not", "a block without a deadline"],
)
def test_an_order_that_is_not_to_be_shipped_is_refused(
    place: Place, run: Run, tmp_path: Path, rows: dict[str, list[dict[str, Any]]], says: str | None
) -> None:
    """A block's deadline is to be after the moment asked, and one that passes at it has passed."""
    order, paid, _ = unshipped(place.facts)
    at, t = paid + 1, paid + 3
    known = {name: [{"order_id": order, "at": at} | row for row in some] for name, some in rows.items()}
    for row in known.get("blocks", []):
        row |= {"closes_by": t} if "closes_by" in row else {}
    write_ledger(place.tables | naive.tables(known), tmp_path / "ledger")
    code, _, err = run(order, "--as-of", moment(t), ledger=tmp_path / "ledger")
    if says is None:
        assert code == 0
    else:
        assert code == 1
        assert says.format(known=moment(at), past=moment(t)[:19] + "+00:00") in err.splitlines()[-1]
    assert run(order, "--as-of", moment(at), ledger=tmp_path / "ledger")[0] == 0  # it is not known yet


def test_a_promised_date_that_has_passed_is_told(place: Place, run: Run, tmp_path: Path) -> None:
    order, paid, _ = unshipped(place.facts)
    orders = place.tables["orders"].to_pylist()
    next(row for row in orders if row["order_id"] == order)["promised_at"] = pd.Timestamp(paid, unit="us", tz="UTC")
    write_ledger(place.tables | like(place, orders=orders), tmp_path)
    told = [closing(run(order, "--as-of", moment(t), "--json", ledger=tmp_path))["notes"] for t in (paid, paid - 1)]
    says = f"delivery was promised by {moment(paid)} (orders.promised_at), which has passed; agree on a new date"
    assert [says in notes for notes in told] == [True, False]


def test_bad_input_is_one_sentence_with_the_field_and_the_remedy(place: Place, run: Run, tmp_path: Path) -> None:
    case, t, _ = delivered(place.facts)
    dispute, opened = a_dispute(place.facts, "damaged")
    order, paid, _ = unshipped(place.facts)
    disputes, charged = place.tables["disputes"].to_pylist(), place.tables["chargebacks"].to_pylist()
    next(row for row in disputes if row["dispute_id"] == dispute)["claimed"] = None
    next(row for row in charged if row["chargeback_id"] == case)["amount"] = None
    write_ledger(place.tables | like(place, disputes=disputes, chargebacks=charged), tmp_path / "poor")
    write_ledger({name: table for name, table in place.tables.items() if name != "evidence"}, tmp_path / "bare")
    short, wrong = tmp_path / "short.toml", tmp_path / "wrong.toml"
    short.write_text('name = "short"\nextends = "default"\n[evidence]\ndispute_days = 0.01\n')
    wrong.write_text('name = "wrong"\nextends = "default"\n[evidence]\ntracking_cents = -1\n')
    models = ruling(place, tmp_path / "models", (("product_photo",), -2.0))
    poor, bare = tmp_path / "poor", tmp_path / "bare"
    faults: list[tuple[tuple[object, ...], dict[str, Path], str]] = [
        ((case, "--as-of", moment(t), "--kind", "order"), {}, "got one of chargebacks; leave out --kind"),
        ((dispute, "--as-of", moment(opened), "--policy", wrong), {}, "evidence.tracking_cents: want whole cents from 0"),
        ((dispute, "--as-of", moment(opened), "--policy", short), {}, "by evidence.dispute_days of the policy, 0.01 days, got"),
        ((dispute, "--as-of", moment(opened)), {"ledger": poor, "models": models}, "want disputes.claimed in cents, got none"),
        ((case, "--as-of", moment(t)), {"ledger": poor}, "want chargebacks.amount in cents, got none; add it"),
        ((case, "--as-of", moment(t)), {"ledger": bare}, "got a frame without case_items_"),
        ((order, "--as-of", moment(paid)), {"ledger": bare}, "got a frame without case_items_"),
    ]  # fmt: skip
    for words, where, says in faults:
        code, out, err = run(*words, **where)
        assert (code, out) == (1, "")
        assert says in err.splitlines()[-1]
    told = closing(run(dispute, "--as-of", moment(opened), "--json", ledger=poor, models=tmp_path))
    assert (told["at stake"], told["recommended"]) == (
        None,
        ["listing_copy", "product_photo"],
    )  # the rules need no amount


@pytest.mark.parametrize(("again", "code"), [(None, 1), (-1, 1), (1, 0)], ids=["no", "before", "after"])
def test_a_defence_is_final_unless_the_bank_asks_again(
    place: Place, run: Run, tmp_path: Path, again: int | None, code: int
) -> None:
    case, t, _ = delivered(place.facts)
    filed = {"chargeback_id": case, "at": t - 2}
    told = {"representments": [filed]}
    if again is not None:
        told["chargeback_rulings"] = [filed | {"at": t - 2 + again, "outcome": "pre_arbitration"}]
    write_ledger({n: v for n, v in place.tables.items() if n not in told} | naive.tables(told), tmp_path)
    found, out, err = run(case, "--as-of", moment(t), ledger=tmp_path)
    assert found == code
    says = f"got a defence filed {moment(t - 2)}; wait for the ruling, a defence is final"
    assert (says in err, f"a defence was filed {moment(t - 2)}, and the bank asks again since" in out) == (
        code == 1,
        code == 0,
    )
    assert run(case, "--as-of", moment(t - 2), ledger=tmp_path)[0] == 0


def test_a_model_of_a_later_date_is_noted(place: Place, run: Run) -> None:
    case, t, _ = delivered(place.facts)
    told = closing(run(case, "--as-of", moment(t), "--json"))
    assert any(
        note.startswith(f"asked about before {UNTIL}, until when chargeback_win was trained") for note in told["notes"]
    )


@pytest.mark.parametrize(("rows", "noted"), [(999, True), (1_000, False)])
def test_chances_learnt_from_few_cases_are_noted(
    rows: int, noted: bool, place: Place, run: Run, tmp_path: Path
) -> None:
    case, t, _ = delivered(place.facts)
    model = load(place.models / "chargeback_win")
    replace(model, card=dict(model.card) | {"rows": rows}).save(tmp_path / "chargeback_win")
    told = closing(run(case, "--as-of", moment(t), "--json", models=tmp_path))
    says = f"the chances are learnt from {rows:,} contested chargebacks alone"
    assert any(note.startswith(says) for note in told["notes"]) is noted


def test_a_wrong_case_ends_with_1_and_one_sentence(place: Place, run: Run, tmp_path: Path) -> None:
    case, t, _ = delivered(place.facts)
    order, paid, _ = unshipped(place.facts)
    dispute, _ = a_dispute(place.facts, "damaged")
    twice = tmp_path / "twice"
    cases = place.tables["chargebacks"]
    first = {"order_id": case, "at": 1_600_000_000_000_000, "buyer_id": "b", "seller_id": "s", "amount": 1}
    orphan = {"chargeback_id": "orphan", "at": t, "amount": 1}
    orders = naive.tables({"orders": [first]})["orders"].select(place.tables["orders"].column_names)
    lost = naive.tables({"chargebacks": [orphan]})["chargebacks"].select(cases.column_names)
    both = {
        "orders": pa.concat_tables([place.tables["orders"], orders]),
        "chargebacks": pa.concat_tables([cases, lost]),
    }
    write_ledger(place.tables | both, twice)
    faults = [
        (("nobody",), {}, "case nobody: want an id of orders or disputes or chargebacks"),
        ((order, "--kind", "dispute"), {}, "want an id of disputes"),
        ((case, "--as-of", moment(t)), {"ledger": twice}, "want one case, got an id of order and chargeback; add --kind"),
        (("orphan", "--as-of", moment(t)), {"ledger": twice}, "case orphan: want the order that it is about, got none"),
        ((case, "--as-of", "2020-01-01"), {}, "want a time no earlier than"),
        ((case, "--as-of", moment(t)), {"models": tmp_path}, "chargeback_win: want its model in"),
        ((order, "--as-of", moment(paid)), {"models": tmp_path}, "chargeback_risk: want its model in"),
        ((order,), {}, "want an order not yet shipped, got one shipped"),
        ((dispute, "--as-of", moment(place.facts.last_at)), {}, "want a case that is open"),
    ]  # fmt: skip
    for words, where, says in faults:
        code, out, err = run(*words, **where)
        assert (code, out) == (1, "")
        assert says in err.splitlines()[-1]


def test_a_deadline_that_passed_is_refused(place: Place, run: Run, tmp_path: Path) -> None:
    """At the deadline it is too late, a microsecond before it nothing can be obtained in time; no ending is known."""
    write_ledger(undefended(place), tmp_path)
    case, t, _ = delivered(place.facts)
    deadline = pd.Timestamp(closing(run(case, "--as-of", moment(t), "--json", ledger=tmp_path))["deadline"])
    for words in (("--as-of", deadline.isoformat()), ()):
        code, out, err = run(case, *words, ledger=tmp_path)
        assert (code, out) == (1, "")
        assert f"{case}: want a time before its deadline, {shown(time(deadline.isoformat()))} by chargebacks." in err
    last = (deadline - pd.Timedelta(microseconds=1)).isoformat()
    told = closing(run(case, "--as-of", last, "--json", ledger=tmp_path))
    assert (told["items"], told["recommended"], told["worth beyond cost"]) == ([], [], 0.0)


def test_an_id_of_two_tables_is_asked_about_by_kind(place: Place, run: Run, tmp_path: Path) -> None:
    case, t, _ = delivered(place.facts)
    first = {"order_id": case, "at": 1_600_000_000_000_000, "buyer_id": "b", "seller_id": "s", "amount": 1}
    orders = naive.tables({"orders": [first]})["orders"].select(place.tables["orders"].column_names)
    write_ledger(place.tables | {"orders": pa.concat_tables([place.tables["orders"], orders])}, tmp_path / "ledger")
    told = closing(run(case, "--kind", "chargeback", "--as-of", moment(t), "--json", ledger=tmp_path / "ledger"))
    assert (told["case"], told["kind"]) == (case, "chargeback")


def test_a_chargeback_is_answered_with_the_evidence_planned_its_cost_and_the_one_deadline(
    place: Place, run: Run
) -> None:
    case, t, _ = delivered(place.facts)
    told = closing(run(case, "--as-of", moment(t), "--zone", "Asia/Tokyo", "--json"))
    answer, known = told["answer"], charged(place.facts, case, t)
    policy = policy_at("default")
    compelling = any(one["applies"] for one in told["prior transactions"])
    more_shown = (*known.evidence, *told["recommended"])
    defended = replace(known, evidence=more_shown, respond_by=time(told["deadline"]), compelling=compelling)
    defended = replace(defended, obtaining=told["cost"])
    more = 0.0
    if known.network in ("visa", "mastercard"):
        more = marginal_cost(month(place.facts, known.network, t, policy.programmes), policy.programmes)
    p = {"chargeback_win": told["probability with"]}
    wanted = answered(defended, p, policy.chargebacks, marginal=more, zone="Asia/Tokyo")
    assert (answer["action"], answer["deadline"]) == (wanted.action, told["deadline"])
    assert answer["values"] == pytest.approx(dict(wanted.values))
    assert answer["local"].endswith("+09:00 Asia/Tokyo")
    text = run(case, "--as-of", moment(t))[1]
    assert "answer " in text
    assert f"{wanted.action} ({wanted.branch})" in text


def test_an_order_s_open_block_says_what_to_supply(place: Place, run: Run, tmp_path: Path) -> None:
    order, paid, _ = unshipped(place.facts)
    block = {"block_id": "k", "at": paid + 1, "kind": "risk_address", "order_id": order}
    ledger = tmp_path / "blocked"
    write_ledger(place.tables | naive.tables({"blocks": [block]}), ledger)
    (told,) = closing(run(order, "--as-of", moment(paid + 2), "--json", ledger=ledger))["blocks"]
    assert told.startswith("blocked (risk_address): supply ")
    assert moment(paid + 1 + DAY)[:19] in told
    assert closing(run(order, "--as-of", moment(paid + 1), "--json", ledger=ledger))["blocks"] == []


def test_a_zone_that_is_none_is_one_sentence_whatever_the_case(place: Place, run: Run) -> None:
    for case in (delivered(place.facts)[0], a_dispute(place.facts, "damaged")[0]):
        code, _, err = run(case, "--zone", "Mars")
        assert code == 1
        assert "zone: want a name of the IANA time zone database, got 'Mars'" in err
