"""Evidence planned over a store is planned as the batch does it over the whole ledger, to the bit, or refused in its words."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import naive
import pandas as pd
import pyarrow as pa
import pytest
from trained import HORIZON, every_question, happened, marketplace

from features import Ledger, RedressError
from features.asking import named_askings
from features.build import gathered
from features.kernel import DAY, HOUR
from features.sharing import PLACEHOLDER
from features.store import Store
from features.supposed import needed
from models import Model
from models.advice import Advice
from models.advised import plain
from models.advising import QUESTIONS, advised
from models.answers import UNCOUNTED
from models.linear import Linear
from models.located import Located, located
from models.policy import Policy
from models.policy import opened as policy_at
from models.programmes import month
from models.terms import Term
from pipelines.evidence import evidence
from pipelines.simulate import write_ledger
from service.overledger import OverLedger
from service.overstore import OverStore

UNTIL = "2024-09-01T00:00:00+00:00"
LATER = (0, 1, HOUR, DAY, 4 * DAY, 25 * DAY)
"""How long after a case came it is asked about."""
POLICY = replace(policy_at("default"), evidence=replace(policy_at("default").evidence, anchors=("order", "chargeback")))


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    """The models by which evidence is planned."""
    found = {question: every_question()[question].model for question in QUESTIONS.values()}
    return {question: replace(one, card=dict(one.card) | {"trained_until": UNTIL}) for question, one in found.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of the small world."""
    folder = tmp_path_factory.mktemp("evidence")
    with closing(Store.create(folder / "store", name="a" * 32, horizon=HORIZON)) as found:
        found.fill(marketplace())
        yield found


def iso(t: int) -> str:
    return pd.Timestamp(t, unit="us", tz="UTC").isoformat()


def told(scorer: OverLedger | OverStore, kind: str, case_id: str, t: int) -> Advice | str:
    """What is advised, or in which words that is refused."""
    try:
        return scorer.evidence({"kind": kind, "ask_id": case_id, "at": iso(t)})
    except RedressError as error:
        return str(error)


def counted(found: Advice | str) -> Advice | str:
    """The same advice without the word that a network's programme was left out, which an answer to its chargebacks has."""
    if isinstance(found, str) or found.answer is None or UNCOUNTED not in found.answer.warnings:
        return found
    *others, last = found.answer.warnings
    assert last == UNCOUNTED
    return replace(found, answer=replace(found.answer, warnings=tuple(others)))


@dataclass(frozen=True)
class Batched(Located):
    """A case whose signals were drawn among those of many."""

    frames: Mapping[tuple[str, int], pd.DataFrame]

    def frame(self, question: str, model: Model | None) -> pd.DataFrame:
        return self.frames[self.case_id, self.t]


def frames(ledger: Ledger, model: Model, asks: Sequence[tuple[str, int]]) -> dict[tuple[str, int], pd.DataFrame]:
    """The signals of many askings in one go, a frame of one row for each."""
    at = pd.to_datetime([t for _, t in asks], unit="us", utc=True)
    named = named_askings(ledger, model.question, pd.DataFrame({"ask_id": [name for name, _ in asks], "at": at}))
    only = {*model.columns, *needed(model.question)}
    found = gathered(ledger, named, horizon=model.horizon, prior=model.prior, only=only)
    keys = zip(named.ids.to_pylist(), named.at.tolist(), strict=True)
    return {key: found.iloc[[i]].reset_index(drop=True) for i, key in enumerate(keys)}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_every_case_is_advised_as_over_the_whole_ledger_to_the_bit(
    kind: str, store: Store, models: dict[str, Model]
) -> None:
    """The month's fines are nothing in so small a world, so that leaving them out changes no answer."""
    ledger, model, seen = marketplace(), models[QUESTIONS[kind]], Counter[str]()
    facts, scorer = ledger.facts[f"{kind}s"], OverStore(store, models, POLICY)
    rows = enumerate(zip(facts.strings(f"{kind}_id").to_pylist(), facts.at.tolist(), strict=True))
    asks = [(name, at + LATER[i % len(LATER)]) for i, (name, at) in rows]
    drawn = frames(ledger, model, asks)
    for name, t in asks:
        found = told(scorer, kind, name, t)
        try:
            case = Batched(**vars(located(ledger, name, kind, t)), frames=drawn)
            wanted: Advice | str = advised(case, model, POLICY, lost="")
        except RedressError as error:
            wanted = str(error)
        assert repr(counted(found)) == repr(wanted)
        seen.update(_kinds(found))
    assert seen["advised"] > 100
    assert min(seen["recommended"], seen["barred"], seen["refused"]) > 20
    if kind == "chargeback":
        assert min(seen["candidates"], seen["uncounted"], seen["contest"], seen["wait"]) > 20
        assert min(seen["noted"], seen["accept"]) > 5


def _kinds(found: Advice | str) -> Iterator[str]:
    """What there is to an advice, so that nothing is compared that never comes."""
    if isinstance(found, str):
        yield "refused"
        return
    yield "advised"
    yield from (name for name in ("notes", "barred") if getattr(found, name))
    yield from ["noted"] * any(note.startswith("asked about before") for note in found.notes)
    yield from ["recommended"] * bool(found.plan.recommended)
    yield from ("candidates" for one in found.programmes for _ in one.found)
    if found.answer is not None:
        yield found.answer.action
        yield from ["uncounted"] * (found != counted(found))


def test_the_command_a_scorer_over_the_ledger_and_one_over_a_store_advise_the_same(
    store: Store, models: dict[str, Model], tmp_path: Path
) -> None:
    write_ledger(happened(), tmp_path / "ledger")
    for question, model in models.items():
        model.save(tmp_path / "models" / question)
    over = OverLedger(marketplace(), models, policy_at("default"))
    for kind in QUESTIONS:
        facts = marketplace().facts[f"{kind}s"]
        name, t = str(facts.strings(f"{kind}_id")[60]), int(facts.at[60]) + HOUR
        printed = evidence(name, tmp_path / "ledger", tmp_path / "models", as_of=t, kind=kind, said=lambda line: None)
        assert repr(printed) == repr(told(over, kind, name, t))
        assert repr(printed) == repr(counted(told(OverStore(store, models, policy_at("default")), kind, name, t)))
        assert plain(printed)["case"] == name


def line(question: str, *kinds: str) -> Model:
    """A model by which some kinds of evidence win."""
    terms = tuple(Term((f"case_items_{kind}",)) for kind in kinds)
    names = tuple(f"case_items_{kind}" for kind in kinds)
    card = {"question": question, "horizon_days": HORIZON / DAY, "trained_until": UNTIL}
    return Model("", names, linear=Linear(terms, (2.0,) * len(kinds), (0.0,) * len(kinds), -1.0), card=card)


BEGIN = 1_700_000_000_000_000


def bought(name: str, days: float, buyer: str, **more: str) -> dict[str, object]:
    """An order of a day."""
    at = BEGIN + round(days * DAY)
    return {"order_id": name, "at": at, "buyer_id": buyer, "seller_id": "s", "amount": 9_000} | more


def stolen(others: int, shared: str) -> dict[str, list[dict[str, object]]]:
    """A card said to be stolen, with which was bought thrice before with device and IP; one id is shared with other buyers.

    The first order was cancelled, and there are two that count for every network.
    """
    mine = {"instrument_id": "card", "device_id": "d", "ip_id": "i", "address_id": "a"}
    orders = [bought(f"x{i}", 1 + i / 1_000, f"b{i}", **{shared: mine[shared]}) for i in range(others)]
    orders += [bought(f"o{i}", 10 + i, "me", **mine) for i in range(3)] + [bought("now", 200, "me", **mine)]
    asked = {"chargeback_id": "c", "at": BEGIN + 220 * DAY, "order_id": "now", "amount": 9_000, "reason_code": "10.4"}
    undone = {"order_id": "o0", "at": BEGIN + 30 * DAY, "party": "buyer"}
    shown = {"evidence_id": "e", "at": BEGIN + 20 * DAY, "case_id": "o1", "party": "seller", "kind": "product_photo"}
    return {
        "orders": orders,
        "cancellations": [undone],
        "chargebacks": [asked | {"network": "visa"}],
        "evidence": [shown],
    }


@pytest.mark.parametrize(
    ("others", "shared", "qualify", "there"),
    [
        (0, "device_id", 2, 3),
        (PLACEHOLDER - 1, "device_id", 2, 3),  # with the card's holder as many as there may be
        (PLACEHOLDER, "device_id", 2, 3),  # IP and address are two still
        (PLACEHOLDER, "ip_id", 2, 3),
        (PLACEHOLDER - 1, "instrument_id", 2, PLACEHOLDER + 2),
        (PLACEHOLDER, "instrument_id", 0, 0),
    ],
)
def test_what_is_a_placeholder_is_told_by_histories_and_not_by_the_few_orders_at_hand(
    others: int, shared: str, qualify: int, there: int, tmp_path: Path
) -> None:
    """The orders that link an id to so many buyers are no orders with the card, but where it is the card itself."""
    facts, model = stolen(others, shared), {"chargeback_win": line("chargeback_win", "identity_match")}
    ledger = Ledger.of(naive.tables(facts))
    t = BEGIN + 221 * DAY
    with closing(Store.create(tmp_path / "store", name="a" * 32, horizon=HORIZON)) as store:
        store.fill(ledger)
        found = told(OverStore(store, model, POLICY), "chargeback", "c", t)
    assert isinstance(found, Advice)
    one = found.programmes[0]
    assert (len(one.qualifying), len(one.found)) == (qualify, there)
    crowded = others == PLACEHOLDER
    if there:
        assert (shared in [f"{name}_id" for name in one.found[0].matches]) == (
            shared != "instrument_id" and not crowded
        )
        assert {name for one in one.found for name in one.lacks} >= {"disputed, charged back or cancelled"}
    assert repr(counted(found)) == repr(told(OverLedger(ledger, model, POLICY), "chargeback", "c", t))


def test_facts_that_are_sent_count_at_once(tmp_path: Path) -> None:
    """Earlier orders of one moment keep their order, and what is learnt later than asked is not known."""
    facts, model = stolen(3, "device_id"), {"chargeback_win": line("chargeback_win", "identity_match", "tracking")}
    facts["orders"].insert(0, bought("twin", 12, "me", instrument_id="card", login_id="l"))
    more = {
        "shipments": [{"order_id": "now", "at": BEGIN + 222 * DAY, "tracking_id": "k", "carrier": "c"}],
        "scans": [{"order_id": "now", "at": BEGIN + 230 * DAY, "kind": "delivered"}],
        "disputes": [{"dispute_id": "d", "at": BEGIN + 222 * DAY, "order_id": "o1", "reason": "quality", "claimed": 1}],
    }
    later = [BEGIN + n * DAY for n in (221, 223, 231)]
    with closing(Store.create(tmp_path / "store", name="a" * 32, horizon=HORIZON)) as store:
        for some in (facts, more):
            store.append(
                {table: [one | {"at": iso(int(str(one["at"])))} for one in rows] for table, rows in some.items()},
                arrived=BEGIN + 240 * DAY,
            )
        ledger = store.ledger()
        over, beside = OverStore(store, model, POLICY), OverLedger(ledger, model, POLICY)
        found = [told(over, "chargeback", "c", t) for t in later]
        assert [repr(counted(one)) for one in found] == [repr(told(beside, "chargeback", "c", t)) for t in later]
    assert len({repr(one.programmes) for one in found if isinstance(one, Advice)}) == 2
    assert len({repr(one.barred) for one in found if isinstance(one, Advice)}) == 3


@pytest.mark.parametrize("lost", ["shipments", "evidence", "scans", "cancellations", "refunds"])
def test_a_table_that_a_store_never_had_is_unknown_to_it_as_to_the_ledger(lost: str, tmp_path: Path) -> None:
    facts = stolen(0, "device_id") | {
        "shipments": [{"order_id": "now", "at": BEGIN + 201 * DAY}],
        "scans": [{"order_id": "now", "at": BEGIN + 202 * DAY, "kind": "accepted"}],
        "refunds": [{"order_id": "o1", "at": BEGIN + 20 * DAY, "amount": 1, "funded_by": "seller"}],
        "evidence": [
            {"evidence_id": "e", "at": BEGIN + 220 * DAY, "case_id": "c", "party": "seller", "kind": "tracking"}
        ],
    }
    models = {"chargeback_win": line("chargeback_win", "correspondence", "refund_proof")}

    def advice(some: Mapping[str, list[dict[str, object]]], where: Path) -> tuple[Advice | str, Advice | str]:
        ledger = Ledger.of(naive.tables(some))
        with closing(Store.create(where, name="a" * 32, horizon=HORIZON)) as store:
            store.fill(ledger)
            t = BEGIN + 221 * DAY
            scorers = OverStore(store, models, POLICY), OverLedger(ledger, models, POLICY)
            found, wanted = (told(one, "chargeback", "c", t) for one in scorers)
            return counted(found), wanted

    there, less = (
        advice(facts, tmp_path / "whole"),
        advice({k: v for k, v in facts.items() if k != lost}, tmp_path / "s"),
    )
    for found, wanted in (there, less):
        assert repr(found) == repr(wanted)
    assert repr(there[0]) != repr(less[0])
    assert isinstance(there[0], Advice)
    assert isinstance(less[0], str) == (lost == "evidence")


def test_a_month_is_counted_over_a_ledger_and_left_out_over_a_store_which_says_so(
    store: Store, models: dict[str, Model]
) -> None:
    facts = marketplace().facts["chargebacks"]
    networks = facts.strings("network").to_pylist()
    over, policy = OverStore(store, models, POLICY), Policy("p", "")
    said = dict[str, bool]()
    for name, network, at in zip(facts.strings("chargeback_id").to_pylist(), networks, facts.at.tolist(), strict=True):
        if network not in said:
            found = told(over, "chargeback", name, at)
            assert isinstance(found, Advice)
            assert found.answer is not None
            said[network] = UNCOUNTED in found.answer.warnings
            case = located(marketplace(), name, "chargeback", at)
            if said[network]:
                assert case.month(network, policy.programmes) == month(marketplace(), network, at, policy.programmes)
    assert said == {"visa": True, "mastercard": True, "other": False}


def test_without_its_model_a_dispute_goes_by_the_rules_and_a_chargeback_is_refused(store: Store) -> None:
    t = {kind: int(marketplace().facts[f"{kind}s"].at[9]) + 1 for kind in QUESTIONS}
    name = {kind: str(marketplace().facts[f"{kind}s"].strings(f"{kind}_id")[9]) for kind in QUESTIONS}
    for scorer in (OverStore(store, {}, POLICY), OverLedger(marketplace(), {}, POLICY)):
        found = told(scorer, "dispute", name["dispute"], t["dispute"])
        assert isinstance(found, Advice)
        assert (found.ruled, found.notes[0].partition(";")[0]) == (True, "dispute_outcome: want its model, got none")
        assert told(scorer, "chargeback", name["chargeback"], t["chargeback"]) == (
            "chargeback_win: want its model, got none; train it with redress train chargeback_win"
        )


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"ask_id": "d", "at": iso(BEGIN)}, "case.kind: want dispute or chargeback, got None; redress evidence says"),
        ({"kind": "order", "ask_id": "d", "at": iso(BEGIN)}, "case.kind: want dispute or chargeback, got order"),
        ({"kind": "dispute", "ask_id": "d"}, "case: want question, ask_id and at, got no at"),
        ({"kind": "dispute", "ask_id": "d", "at": "2024-01-01"}, "add the zone"),
        ({"kind": "dispute", "ask_id": "d", "at": iso(BEGIN), "question": "chargeback_win"}, "or none, got chargeback"),
        ({"kind": "dispute", "ask_id": "nobody", "at": iso(BEGIN)}, "nobody"),
    ],
)
def test_a_wrong_case_is_refused_by_either(case: dict[str, object], says: str, store: Store) -> None:
    for scorer in (OverStore(store, {}, POLICY), OverLedger(marketplace(), {}, POLICY)):
        with pytest.raises(RedressError, match=says):
            scorer.evidence(case)


def test_a_chargeback_of_no_known_order_has_no_evidence(tmp_path: Path) -> None:
    rows = [{"chargeback_id": "c", "at": BEGIN + DAY, "amount": 1}]
    tables: dict[str, pa.Table] = naive.tables({"orders": [bought("o", 0, "me")], "chargebacks": rows})
    with closing(Store.create(tmp_path / "store", name="a" * 32, horizon=HORIZON)) as store:
        store.fill(Ledger.of(tables))
        found = told(OverStore(store, {}, POLICY), "chargeback", "c", BEGIN + 2 * DAY)
    assert found == "case c: want the order that it is about, got none; add its order_id to the ledger"
