"""Decisions over a store: the record of the batch, kept once in a chain, and what comes later does not change it."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from threading import Thread

import pandas as pd
import pytest
from dense import dense
from trained import HORIZON, marketplace, train

from benchmarks.parity import LATER, histories
from features import Ledger, RedressError
from features.asking import Askings, named_askings
from features.background import SETTLING
from features.decisions import Decisions, entry
from features.embedded import _OPEN
from features.homes import Fact
from features.kernel import DAY
from features.pseudonyms import Key
from features.store import Appended, Store
from models import load
from models.deciding import QUESTION, one_record, seen
from models.policy import opened as policy_at
from models.questions import answered
from models.records import Grounds, chained
from serve import Scorer
from service.overstore import OverStore

Case = tuple[str, int]
"""A dispute, and the moment at which it is decided."""
APART = {"ledger", "decision_id", "previous", "hash"}
"""What differs between a record of a store and one of a ledger: what both are called, and their places in chains."""


@dataclass(frozen=True)
class Shop:
    """A trained model of disputes in a directory, and the ledger that it was trained on."""

    models: Path
    ledger: Ledger

    def opened(self, where: Path | str) -> OverStore:
        """A scorer over a new store with all facts of the ledger."""
        store = Store.create(where, name="ab" * 16, horizon=HORIZON)
        store.fill(self.ledger)
        store.close()
        found = Scorer.open(where, self.models)
        assert isinstance(found, OverStore)
        return found

    def cases(self, random: Random, most: int, later: Sequence[int] = LATER) -> list[Case]:
        """Disputes of the ledger at random moments, none twice."""
        facts = self.ledger.facts["disputes"]
        names, at = facts.strings("dispute_id").to_pylist(), facts.at.tolist()
        which = [random.randrange(len(names)) for _ in range(most)]
        return sorted({(names[i], at[i] + random.choice(later)) for i in which}, key=lambda case: case[::-1])

    def batch(self, ledger: Ledger, cases: Sequence[Case], waited: bool = False) -> dict[Case, Mapping[str, object]]:
        """The records that the batch makes of cases over a ledger, without those whose answer was known."""
        model, asks = load(self.models / QUESTION), asked(ledger, cases)
        open_ = asks.take((~answered(ledger, asks, HORIZON)).nonzero()[0])
        policy = policy_at("default").informed(model.card)
        grounds = Grounds("cd" * 16, {QUESTION: model.version}, policy.name, policy.version)
        sight = seen(ledger, model, open_, with_reasons=True)
        whose = zip(open_.ids.to_pylist(), open_.at.tolist(), strict=True)
        found = dict[Case, Mapping[str, object]]()
        for i, case in enumerate(whose):
            with suppress(RedressError):  # too little is known of it
                found[case] = one_record(sight, i, policy, grounds, askable=not waited)
        return found


def asked(ledger: Ledger, cases: Sequence[Case]) -> Askings:
    """Cases as the batch is asked."""
    at = pd.to_datetime([t for _, t in cases], unit="us", utc=True)
    return named_askings(ledger, QUESTION, pd.DataFrame({"ask_id": [name for name, _ in cases], "at": at}))


def told(case: Case, **more: object) -> dict[str, object]:
    """A case as a platform asks."""
    return {"ask_id": case[0], "at": pd.Timestamp(case[1], unit="us", tz="UTC").isoformat(), **more}


def decided(scorer: OverStore, cases: Sequence[Case]) -> Iterator[tuple[Case, Mapping[str, object]]]:
    """The records of cases, without those whose answer was known."""
    for case in cases:
        with suppress(RedressError):
            yield case, scorer.decide(told(case))


def unlike(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """What two records say otherwise, but for what they are called."""
    names = (one.keys() | other.keys()) - APART
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    models = tmp_path_factory.mktemp("models")
    train(marketplace(), QUESTION).model.save(models / QUESTION)
    return Shop(models, marketplace())


@pytest.fixture
def scorer(shop: Shop, tmp_path: Path) -> Iterator[OverStore]:
    found = shop.opened(tmp_path / "store")
    yield found
    found.close()


def chains(store: Store) -> list[str]:
    """What is wrong with the chains of all writers."""
    return [sentence for writer in store.decisions.writers() for sentence in chained(store.decisions.chain(writer))]


def test_a_decision_is_that_of_the_batch_and_is_refused_where_the_batch_leaves_it_out(
    shop: Shop, scorer: OverStore
) -> None:
    cases = shop.cases(Random(1), 250)
    ours, theirs = dict(decided(scorer, cases)), shop.batch(shop.ledger, cases)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 100
    assert len(cases) > len(ours)
    assert {case: differs for case in ours if (differs := unlike(ours[case], theirs[case]))} == {}


def test_the_same_case_again_has_the_same_record_and_no_second_one(shop: Shop, scorer: OverStore) -> None:
    cases = shop.cases(Random(2), 20, [0, 1])
    once, again = (dict(decided(scorer, cases)) for _ in range(2))
    assert once == again
    kept = list(scorer.store.decisions.chain("redress"))
    assert len(kept) == len(once) > 5
    assert [scorer.store.decision(str(one["decision_id"])) for one in kept] == kept
    assert chains(scorer.store) == []


CHILD = """
import sys
from pathlib import Path
from dataclasses import replace
from random import Random
sys.path.insert(0, "tests")
from serve import Scorer
where, models, writer, *cases = sys.argv[1:]
scorer = replace(Scorer.open(where, models), writer=writer)
for case in cases:
    ask_id, _, at = case.partition("@")
    scorer.decide({"ask_id": ask_id, "at": at})
"""


def test_threads_and_processes_that_decide_at_once_keep_whole_chains(shop: Shop, scorer: OverStore) -> None:
    cases = list(shop.batch(shop.ledger, shop.cases(Random(3), 60, [0, 1, DAY])))
    words = [f"{case[0]}@{told(case)['at']}" for case in cases]
    command = [sys.executable, "-c", CHILD, scorer.store.where, str(shop.models)]
    children = [subprocess.Popen([*command, writer, *words[i::2]]) for i, writer in enumerate(("left", "redress"))]
    threads = [Thread(target=lambda i=i: list(decided(scorer, cases[i::3]))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait() for child in children] == [0, 0]
    assert chains(scorer.store) == []
    kept = [one for writer in scorer.store.decisions.writers() for one in scorer.store.decisions.chain(writer)]
    assert len({str(one["decision_id"]) for one in kept}) == len(kept) == len(cases)


def replay(shop: Shop, scorer: OverStore, folder: Path) -> dict[Case, dict[str, tuple[object, object]]]:
    """How the batch over all that a store knows by now would decide what was decided, where it is otherwise."""
    scorer.store.export(folder)
    kept = {case_of(one): one for one in scorer.store.decisions.chain("redress")}
    theirs = shop.batch(Ledger.open(folder), list(kept))
    return {case: differs for case, record in kept.items() if (differs := unlike(record, theirs[case]))}


def case_of(record: Mapping[str, object]) -> Case:
    """The case of a record."""
    case = record["case"]
    assert isinstance(case, dict)
    return str(case["dispute_id"]), int(case["at"])


def test_what_comes_later_changes_nothing_that_was_decided(shop: Shop, scorer: OverStore, tmp_path: Path) -> None:
    cases = unanswered(shop, scorer.store, Random(4), 40)
    for i, case in enumerate(cases):
        if i % 2:
            add(scorer.store, case)
        list(decided(scorer, [case]))
        if not i % 2:
            assert add(scorer.store, case).late == 1
    assert len(list(scorer.store.decisions.chain("redress"))) > 10
    assert replay(shop, scorer, tmp_path / "exported") == {}


class Meanwhile(Decisions):
    """Decisions of which one more is made while facts are being taken, after those about them were read."""

    turn: Callable[[], object] = staticmethod(lambda: None)

    def facts(self, homes: Iterable[bytes] | None = None) -> Iterator[tuple[bytes, Fact]]:
        found = list(super().facts(homes))
        turn, self.turn = self.turn, Meanwhile.turn
        turn()
        return iter(found)


def test_what_is_taken_while_a_decision_is_made_changes_nothing_either(
    shop: Shop, scorer: OverStore, tmp_path: Path
) -> None:
    cases = unanswered(shop, scorer.store, Random(4), 40)
    meanwhile = Meanwhile(scorer.store.decisions.keys, scorer.store.keys)
    store = Store(scorer.store.keys, meanwhile, scorer.store.where)
    for case in cases:
        meanwhile.turn = partial(list, decided(scorer, [case]))
        add(store, case)
    assert replay(shop, scorer, tmp_path / "exported") == {}


class Overtaken(Decisions):
    """Decisions of which the first is overtaken by facts, once it is made and before it is kept."""

    turn: Callable[[], object] = staticmethod(lambda: None)
    tips = 0

    def tip(self, writer: str) -> str:
        turn, self.turn, self.tips = self.turn, Overtaken.turn, self.tips + 1
        turn()
        return super().tip(writer)


@pytest.mark.parametrize("kind", ["directory", "server"])
def test_a_decision_that_facts_overtook_is_made_while_the_next_wait(
    kind: str, shop: Shop, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scorer = shop.opened(tmp_path / "store" if kind == "directory" else request.getfixturevalue("postgres").empty())
    case, later = unanswered(shop, scorer.store, Random(5), 20)[:2]
    with scorer.store.decisions.calm() as (_, snapshot):
        stood = scorer.store.stands(snapshot)
        writer = Thread(target=add, args=(scorer.store, later))
        writer.start()
        writer.join(0.3)
        assert writer.is_alive()
        assert scorer.store.stands(snapshot) == stood
    writer.join()
    with scorer.store.keys.reading() as snapshot:
        assert scorer.store.stands(snapshot).arrivals == stood.arrivals + 1
    overtaken = Overtaken(scorer.store.decisions.keys, scorer.store.keys)
    anew = replace(scorer, store=Store(scorer.store.keys, overtaken, scorer.store.where))
    overtaken.turn = partial(add, scorer.store, (case[0], later[1]))
    assert anew.decide(told((case[0], later[1])))["decision_id"]
    assert overtaken.tips == 2
    assert replay(shop, scorer, tmp_path / "exported") == {}
    scorer.close()


def test_a_ruling_that_is_taken_while_its_dispute_is_decided_is_of_that_decision(
    shop: Shop, scorer: OverStore, tmp_path: Path
) -> None:
    meanwhile = Meanwhile(scorer.store.decisions.keys, scorer.store.keys)
    store = Store(scorer.store.keys, meanwhile, scorer.store.where)
    for case in unruled(shop, scorer.store, Random(6), 20):
        meanwhile.turn = partial(list, decided(scorer, [case]))
        ruling = {"dispute_id": case[0], "at": case[1] + 1, "outcome": "refused"}
        store.append({"rulings": [ruling]}, arrived=case[1] + 1)
    assert any(one["action"] in SETTLING for one in scorer.store.decisions.chain("redress"))
    assert filled_alike(scorer.store, tmp_path)


def test_what_was_decided_can_be_answered_and_is_known_when_it_is_sent_again(
    shop: Shop, scorer: OverStore, tmp_path: Path
) -> None:
    case = unanswered(shop, scorer.store, Random(5), 9)[0]
    record, t = scorer.decide(told(case)), case[1]
    word = {"decision_id": record["decision_id"], "at": t + 1, "party": "buyer", "kind": "appeal"}
    assert scorer.store.append({"feedback": [word]}, arrived=t + 1).taken == 1
    with pytest.raises(RedressError, match=r"feedback\[0\].decision_id: want one of decisions known by then"):
        scorer.store.append({"feedback": [word | {"decision_id": "0" * 32}]}, arrived=t + 1)
    assert scorer.store.append({"decisions": [entry(record)]}, arrived=t + 1).repeated == 1
    with pytest.raises(RedressError, match=r"decisions\[0\].decision_id: want a new decision_id, got that of another"):
        scorer.store.append({"decisions": [entry(record) | {"propensity": 0.5}]}, arrived=t + 1)
    scorer.store.export(tmp_path / "exported")
    ledger = Ledger.open(tmp_path / "exported")
    assert not any(len(bad) for bad in ledger.bad.values())
    for name in ("decisions", "feedback"):
        assert len(ledger.facts[name]) == len(shop.ledger.facts[name]) + 1


def test_a_refusal_that_the_system_decided_is_none_of_an_officer_and_later_ones_are(
    shop: Shop, scorer: OverStore, tmp_path: Path
) -> None:
    cases = unruled(shop, scorer.store, Random(6), 30)
    list(decided(scorer, cases))
    settled = [case_of(one) for one in scorer.store.decisions.chain("redress") if one["action"] in SETTLING]
    t = max(at for _, at in cases)
    assert len(settled) > 3
    for i, (name, _) in enumerate(dict(settled).items()):
        told = {"dispute_id": name, "at": t + i, "outcome": "refused"}
        scorer.store.append({"rulings": [told]}, arrived=t + i)
    assert filled_alike(scorer.store, tmp_path)


def test_a_decision_about_the_past_is_learnt_when_it_is_made_and_changes_no_ruling_of_before(
    shop: Shop, scorer: OverStore, tmp_path: Path
) -> None:
    facts = shop.ledger.facts["rulings"]
    refused = zip(facts.strings("dispute_id").to_pylist(), facts.strings("outcome").to_pylist(), facts.at, strict=True)
    cases = [(name, int(at)) for name, outcome, at in refused if outcome == "refused"]
    list(decided(scorer, list(shop.batch(shop.ledger, cases))))
    assert any(one["action"] in SETTLING for one in scorer.store.decisions.chain("redress"))
    assert filled_alike(scorer.store, tmp_path)


def filled_alike(store: Store, folder: Path) -> bool:
    """Whether histories are those of a store that is filled with all facts and decisions of this one."""
    store.export(folder / "exported")
    filled = Store.create(folder / "filled", name="ab" * 16, horizon=store.horizon)
    filled.fill(Ledger.open(folder / "exported"))
    ours, theirs = histories(store), histories(filled)
    filled.close()
    return ours == theirs


def unanswered(shop: Shop, store: Store, random: Random, most: int) -> list[Case]:
    """Disputes of which no answer is known, each a minute after the one before, and all after what a store knows."""
    with store.keys.reading() as snapshot:
        since = store.stands(snapshot).watermark
    names = dict.fromkeys(name for name, _ in shop.cases(random, most))
    return list(shop.batch(shop.ledger, [(name, since + (i + 1) * 60_000_000) for i, name in enumerate(names)]))


def unruled(shop: Shop, store: Store, random: Random, most: int) -> list[Case]:
    """New disputes about orders of the ledger, at the moment at which all of them were opened, after all else."""
    with store.keys.reading() as snapshot:
        since = store.stands(snapshot).watermark + DAY
    orders = random.sample(shop.ledger.facts["orders"].strings("order_id").to_pylist(), most)
    rows = [
        {"dispute_id": f"new {i}", "at": since, "order_id": order, "reason": "quality", "claimed": 100}
        for i, order in enumerate(orders)
    ]
    store.append({"disputes": rows}, arrived=since)
    return [(f"new {i}", since) for i in range(most)]


def add(store: Store, case: Case) -> Appended:
    """Adds evidence about a dispute, brought a second before it is decided."""
    name, t = case
    row = {"evidence_id": f"{name}{t}", "case_id": name, "case_kind": "dispute", "party": "buyer", "kind": "tracking"}
    return store.append({"evidence": [row | {"at": t - 1_000_000}]}, arrived=t)


def test_models_and_policy_are_read_anew_while_decisions_go_on(shop: Shop, scorer: OverStore, tmp_path: Path) -> None:
    case, other = unanswered(shop, scorer.store, Random(7), 20)[:2]
    strict = scorer.renewed(shop.models, "strict")
    policies = [one.decide(told(what))["policy"] for one in (scorer, strict) for what in (case, other)]
    assert [dict(one)["name"] for one in policies if isinstance(one, dict)] == ["default"] * 2 + ["strict"] * 2
    assert chains(scorer.store) == []
    with pytest.raises(RedressError, match=r"want a folder with model.json"):
        scorer.renewed(tmp_path / "none")
    assert scorer.decide(told(case))["policy"] == policies[0]


def test_a_store_that_no_model_answers_about_is_closed_again(shop: Shop, tmp_path: Path) -> None:
    Store.create(tmp_path / "store", name="ab" * 16, horizon=HORIZON + 1).close()
    held = len(_OPEN)
    with pytest.raises(RedressError, match="want a model of the store's horizon"):
        Scorer.open(tmp_path / "store", shop.models)
    assert len(_OPEN) == held


def test_over_a_store_with_a_key_a_case_may_bring_facts_by_the_platform_s_own_names(
    shop: Shop, scorer: OverStore, tmp_path: Path
) -> None:
    where, secret = tmp_path / "keyed", tmp_path / "key"
    secret.write_bytes(bytes(range(32)))
    with closing(Store.create(where, name="ab" * 16, horizon=HORIZON, key=Key.read(secret))) as store:
        store.fill(shop.ledger)
    orders = shop.ledger.facts["orders"]
    buyer, seller = (orders.strings(name)[-1].as_py() for name in ("buyer_id", "seller_id"))
    at = int(shop.ledger.last_at) + DAY
    order = {"order_id": "o", "at": at, "buyer_id": buyer, "seller_id": seller, "amount": 900}
    dispute = {"dispute_id": "d", "at": at, "order_id": "o", "reason": "quality", "claimed": 900}
    case = told(("d", at + 1), facts={"orders": [order], "disputes": [dispute]})
    with Scorer.open(where, shop.models) as plain, pytest.raises(RedressError, match="key"):
        plain.decide(case)
    with Scorer.open(where, shop.models, key=secret) as keyed:
        assert unlike(keyed.decide(case), scorer.decide(case)) == {}
    secret.write_bytes(bytes(32))
    with pytest.raises(RedressError, match="got another"):
        Scorer.open(where, shop.models, key=secret)
    with pytest.raises(RedressError, match="want no key over a ledger"):
        Scorer.open(tmp_path, shop.models, key=secret)


@pytest.mark.parametrize("seed", range(3))
def test_a_decision_about_what_is_hardly_known_is_that_of_the_batch(shop: Shop, seed: int, tmp_path: Path) -> None:
    odd = Shop(shop.models, Ledger.of(dense(Random(seed), 40)))
    scorer, cases = odd.opened(tmp_path / "store"), odd.cases(Random(seed), 80, [0, 1, DAY])
    ours, theirs = dict(decided(scorer, cases)), odd.batch(odd.ledger, cases)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 20
    assert {case: differs for case in ours if (differs := unlike(ours[case], theirs[case]))} == {}
    assert len(ours) < len(cases)
    scorer.close()
