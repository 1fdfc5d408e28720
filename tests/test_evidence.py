"""The planner finds what exhaustive search finds, sets are complete or not, and supposed evidence is as good as real."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import Ledger, RedressError, sharing
from features.asking import named_askings
from features.background import order_rows
from features.build import gathered
from features.candidates import PROGRAMMES, Candidate, candidates
from features.kernel import DAY, HOUR, Flag
from features.priors import COMPELLING, FIRST_PARTY, Programme
from features.signal import Float
from features.supposed import Exhibit, needed, supposed
from features.tables import EVIDENCE
from models import Model, fit
from models.chances import outlook
from models.evidence import asked_sets, best, every_set, planned, set_states
from models.linear import Linear, linear
from models.obtaining import ORIGINS, Item, Obtaining, items, until
from models.questions import MORE_EVIDENCE
from models.sections import read
from models.stakes import Answering
from models.terms import WINNING, Term
from pipelines.marketplace import world
from pipelines.simulate import simulate

NEW = 1_700_000_000_000_000
WEIGHT = ("unit_weight_photo", "package_weight_photo", "shipping_receipt", "carrier_weight_certificate")


def by_brute_force(p: Callable[[tuple[bool, ...]], float], cents: Sequence[int], amount: float) -> tuple[bool, ...]:
    """Every set by itself: the most valuable, of those the smallest, of those the first in the order of binary numbers."""
    sets = [bits[::-1] for bits in product([False, True], repeat=len(cents))]
    none = p(tuple([False] * len(cents)))
    value = {
        some: round((p(some) - none) * amount - sum(c for c, s in zip(cents, some, strict=True) if s), 6)
        for some in sets
    }
    most = max(value.values())
    return min((some for some in sets if value[some] == most), key=lambda some: (sum(some), sets.index(some)))


@given(
    table=st.lists(st.integers(0, 8), min_size=32, max_size=32),
    cents=st.lists(st.sampled_from([0, 0, 100, 1_250, 5_000]), min_size=5, max_size=5),
    rises=st.booleans(),
)
def test_the_search_finds_what_trying_every_set_one_by_one_finds(
    table: list[int], cents: list[int], rises: bool
) -> None:
    """Probabilities are eighths and the amount whole, so that values tie exactly; they may fall with more evidence."""

    def told(n: int) -> float:
        return (max(table[m] for m in range(32) if m & n == m) if rises else table[n]) / 8

    def one_by_one(some: tuple[bool, ...]) -> float:
        return told(sum(1 << i for i, there in enumerate(some) if there))

    def together(sets: Flag) -> Float:
        return np.array([one_by_one(tuple(some)) for some in sets.tolist()])

    assert tuple(best(together, cents, 10_000.0).tolist()) == by_brute_force(one_by_one, cents, 10_000.0)


@given(
    weights=st.lists(st.floats(-1, 3), min_size=4, max_size=4),
    cents=st.lists(st.integers(0, 2_000), min_size=6, max_size=6),
    read=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_leaving_out_what_no_chance_depends_on_changes_nothing(
    weights: list[float], cents: list[int], read: list[bool]
) -> None:
    """Two items count alone, two pairs only together, and only where they are read."""
    reads = np.array(read)

    def chances(sets: Flag) -> Float:
        s = sets & reads
        parts = [s[:, 0], s[:, 1], s[:, 2] & s[:, 3], s[:, 4] & s[:, 5]]
        odds = sum((w * part for w, part in zip(weights, parts, strict=True)), np.full(len(s), -1.0))
        return np.asarray(1 / (1 + np.exp(-odds)))

    assert best(chances, cents, 8_000.0).tolist() == best(chances, cents, 8_000.0, read).tolist()


def test_sets_are_tried_once_each_and_the_empty_one_first() -> None:
    sets = every_set(7)
    assert len({tuple(some) for some in sets.tolist()}) == len(sets) == 128
    assert not sets[0].any()


def test_three_of_four_items_are_an_incomplete_set() -> None:
    (three,) = set_states(asked_sets(reason="short_quantity"), frozenset(WEIGHT[:3]), frozenset())
    (four,) = set_states(asked_sets(reason="short_quantity"), frozenset(WEIGHT), frozenset())
    assert (three.complete, three.missing, four.complete) == (False, WEIGHT[3:], True)


def test_a_set_says_what_of_it_cannot_be_obtained() -> None:
    (one,) = set_states(asked_sets(reason="short_quantity"), frozenset(), frozenset({"unit_weight_photo", "tracking"}))
    assert one.barred == ("unit_weight_photo",)


def test_a_set_is_worth_what_no_item_of_it_is_alone() -> None:
    some = [Item("tracking", 50, 1.0), Item("delivery_certificate", 500, 48.0), Item("correspondence", 300, 4.0)]

    def chances(sets: Flag) -> Float:
        return np.asarray(0.25 + 0.5 * (sets[:, 0] & sets[:, 1]) + 0.125 * sets[:, 2])

    states = set_states(asked_sets(code="13.1"), frozenset(), frozenset())
    plan = planned(some, chances, 1_000.0, states, best(chances, [50, 500, 300], 1_000.0))
    tracking, certificate, mail = plan.lines
    assert [line.recommended for line in plan.lines] == [False, False, False]  # 500 for the pair, which costs 550
    assert (tracking.alone, mail.alone, tracking.beside) == (0.0, 0.125, None)
    assert (tracking.alone_nothing, mail.alone_nothing) == (True, False)
    assert certificate.with_others == (("delivery", ("tracking",)),)
    assert plan.whole == {"delivery": 0.75}  # what the pair would bring is told, and not recommended
    plan = planned(some, chances, 2_000.0, states, best(chances, [50, 500, 300], 2_000.0))
    assert [item.kind for item in plan.recommended] == ["tracking", "delivery_certificate"]
    assert (plan.completes, plan.cents, plan.worth, plan.hours) == (("delivery",), 550, 450.0, 48.0)
    assert [line.beside for line in plan.lines] == [0.5, 0.5, None]


ITEMS = ("tracking", "delivery_certificate", "correspondence", "identity_match")


def test_terms_as_conjunctions_are_the_linear_model_itself() -> None:
    """What a case holds, what it lacks, and what its scans say all decide which conjunctions are left."""
    rng = np.random.default_rng(4)
    twice = Term(("case_items_tracking",), given=(("case_items_correspondence", 2),))
    terms = (*WINNING, twice, Term(("case_items_tracking",), given=(("case_items_other", 2),)))
    columns = sorted({name for term in terms for name in term.signals} | set(needed("chargeback_win")))
    rows = pd.DataFrame(rng.integers(0, 3, (300, len(columns))).astype(np.float32), columns=columns)
    rows[[f"case_items_{kind}" for kind in ITEMS]] = 0.0
    rows.loc[::3, "order_delivered_elsewhere_count"] = np.nan
    rows.loc[::7, "chargeback_amount"] = np.nan
    weights = tuple(rng.normal(0, 1, len(terms)).tolist())
    means = tuple(rng.random(len(terms)).tolist())
    whole = Model("", tuple(columns), card={"question": "chargeback_win"}, linear=Linear(terms, weights, means, -0.3))
    exhibits, sets = _exhibits(ITEMS), every_set(4)
    for i in range(0, 300, 11):
        frame = rows.iloc[[i]].reset_index(drop=True)
        expected = whole.predict_proba(supposed("chargeback_win", frame, exhibits, sets))[:, 1]
        np.testing.assert_allclose(outlook(whole, frame, exhibits).chances(sets), expected, atol=1e-9)


@pytest.mark.parametrize(
    "term",
    [Term(("case_evidence_count",), log=True), Term(("order_scans_count",), without=("case_items_tracking",))],
    ids=["counts", "without"],
)
def test_a_term_that_is_no_conjunction_of_items_is_asked_row_by_row(term: Term) -> None:
    columns = ["order_scans_count", *needed("chargeback_win")]
    frame = pd.DataFrame([[2.0] + [0.0] * (len(columns) - 1)], columns=columns)
    model = Model("", tuple(columns), card={"question": "chargeback_win"}, linear=Linear((term,), (0.7,), (0.2,), -1.0))
    exhibits, sets = _exhibits(ITEMS), every_set(4)
    expected = model.predict_proba(supposed("chargeback_win", frame, exhibits, sets))[:, 1]
    found = outlook(model, frame, exhibits)
    np.testing.assert_allclose(found.chances(sets), expected, atol=1e-12)
    assert len(np.unique(expected.round(9))) > 1


def test_trees_beside_terms_are_asked_about_every_set() -> None:
    rng = np.random.default_rng(2)
    names = ["chargeback_amount", *needed("chargeback_win")]
    rows = pd.DataFrame(rng.integers(0, 2, (4_000, len(names))).astype(np.float32), columns=names)
    odds = (
        2.0 * rows["case_items_tracking"] * rows["case_items_delivery_certificate"]
        + rows["case_weight_set_missing"]
        - 2
    )
    answers = (rng.random(4_000) < 1 / (1 + np.exp(-odds))).to_numpy().astype(np.int8)
    model = fit(rows, answers, rounds=40, monotone=MORE_EVIDENCE)
    terms = linear(rows, answers, [Term(("case_items_tracking", "case_items_delivery_certificate"))])
    model = replace(model, card={"question": "chargeback_win"}, linear=terms)
    frame = rows.iloc[[1]].reset_index(drop=True)
    frame[[f"case_items_{kind}" for kind in ITEMS]] = 0.0
    exhibits, sets = _exhibits(ITEMS), every_set(4)
    expected = model.predict_proba(supposed("chargeback_win", frame, exhibits, sets))[:, 1]
    found = outlook(model, frame, exhibits)
    assert model.trees
    np.testing.assert_allclose(found.chances(sets), expected, atol=1e-12)
    for i, reads in enumerate(found.reads.tolist()):
        apart = (
            expected[sets[:, i]] - expected[~sets[:, i]]
        )  # the same sets with and without an item, in the same order
        assert reads or np.abs(apart).max() < 1e-12
    assert found.reads.tolist() == [True] * 4


def _exhibits(kinds: Sequence[str]) -> list[Exhibit]:
    return [Item(kind, 0, 0.0).exhibit for kind in kinds]


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return simulate(world("chargeback_rich", orders=1500, days=200), seed=3)


@pytest.mark.parametrize(("question", "kind"), [("chargeback_win", "chargeback"), ("dispute_outcome", "dispute")])
def test_supposed_evidence_gives_the_signals_of_a_ledger_that_has_it(
    tables: dict[str, pa.Table], question: str, kind: str
) -> None:
    """Items of a chargeback are filed with a defence at the moment asked, those of a dispute brought just before."""
    facts = Ledger.of(tables)
    cases, rng = facts.facts[f"{kind}s"], np.random.default_rng(5)
    ids, brought = cases.strings(f"{kind}_id").to_pylist(), facts.facts["evidence"]
    of = brought.points[f"{kind}s"]
    some = np.unique(of[(of >= 0) & (brought.at < cases.at[of] + 3 * DAY)])
    for row in rng.choice(some, 3, replace=False).tolist():
        asked = int(cases.at[row]) + 3 * DAY
        before = gathered(facts, named_askings(facts, question, _asks(ids[row], asked)))
        assert before["case_evidence_count"].iloc[0] > 0
        exhibits = _exhibits(EVIDENCE)
        sets = rng.random((2, len(exhibits))) < 0.4
        sets[0, 3:] = False
        found = supposed(question, before, exhibits, sets)
        for i, which in enumerate(sets):
            more = [one for one, there in zip(exhibits, which, strict=True) if there]
            real = Ledger.of(_with(tables, kind, ids[row], more, asked))
            after = gathered(real, named_askings(real, question, _asks(ids[row], asked)))
            pd.testing.assert_frame_equal(found.iloc[[i]].reset_index(drop=True), after, check_exact=True)


def _asks(ask_id: str, at: int) -> pd.DataFrame:
    return pd.DataFrame({"ask_id": [ask_id], "at": pd.to_datetime([at], unit="us", utc=True)})


def _with(
    tables: Mapping[str, pa.Table], kind: str, case: str, brought: Sequence[Exhibit], at: int
) -> dict[str, pa.Table]:
    """The tables with evidence of a case, and with a defence where it is a chargeback's."""
    moment = at if kind == "chargeback" else at - 1
    rows = [
        {"evidence_id": f"new {i}", "at": moment, "case_id": case, "case_kind": kind}
        | {"kind": one.kind, "party": one.party, "issuer": one.issuer}
        for i, one in enumerate(brought)
    ]
    more: dict[str, list[dict[str, Any]]] = {"evidence": rows}
    if kind == "chargeback":
        more["representments"] = [{"chargeback_id": case, "at": at}]
    added = naive.tables(more)
    joined = {name: pa.concat_tables([tables[name], added[name].select(tables[name].column_names)]) for name in added}
    return dict(tables) | joined


def shop(**orders: dict[str, Any]) -> Ledger:
    """Orders of one card, the chargeback of the order `now`, and a dispute of each that has `bad`."""
    usual = {"buyer_id": "b", "seller_id": "s", "amount": 9_000, "instrument_id": "card", "at": NEW - 200 * DAY}
    rows = [usual | {"order_id": name} | some for name, some in orders.items()]
    bad = [row for row in rows if row.get("bad")]
    found = {
        "orders": rows,
        "disputes": [
            {"dispute_id": r["order_id"], "order_id": r["order_id"], "at": NEW - DAY, "reason": "other", "claimed": 1}
            for r in bad
        ],
        "chargebacks": [{"chargeback_id": "c", "order_id": "now", "at": NEW + 60 * DAY, "amount": 9_000}],
    }
    return Ledger.of(naive.tables(found))


ALL = {"ip_id": "i", "device_id": "d", "address_id": "a", "login_id": "l"}
OTHER = dict.fromkeys(ALL, "other")


def earlier(ledger: Ledger, **options: Any) -> dict[str, Candidate]:
    facts = ledger.facts["orders"]
    row = facts.strings("order_id").to_pylist().index("now")
    return {one.order_id: one for one in candidates(ledger, row, NEW + 61 * DAY, COMPELLING, **options)}


@pytest.mark.parametrize(
    ("order", "lacks", "near", "could"),
    [
        (ALL, (), False, ()),
        (ALL | {"at": NEW - 120 * DAY}, (), False, ()),
        (ALL | {"at": NEW - 120 * DAY + HOUR * 12}, ("0.5 days older",), True, ()),
        (ALL | {"at": NEW - 365 * DAY}, (), False, ()),
        (ALL | {"at": NEW - 366 * DAY}, ("1.0 days younger",), True, ()),
        (ALL | {"bad": True}, ("disputed, charged back or cancelled",), True, ()),
        (ALL | {"bad": True, "at": NEW - 366 * DAY}, ("1.0 days younger", "disputed, charged back or cancelled"), False, ()),
        (OTHER | {"ip_id": "i"}, ("1 more match of device, address, login",), True, ("device", "address", "login")),
        (OTHER | {"address_id": "a", "login_id": "l"}, ("1 more match of ip, device",), True, ("ip", "device")),
        (OTHER, ("2 more matches of ip, device, address, login",), False, ("ip", "device", "address", "login")),
        (dict.fromkeys(ALL), ("2 more matches of ip, device, address, login",), False, ("ip", "device", "address", "login")),
    ],
)  # fmt: skip
def test_an_earlier_order_qualifies_or_says_what_it_lacks(
    order: dict[str, Any], lacks: tuple[str, ...], near: bool, could: tuple[str, ...]
) -> None:
    one = earlier(shop(now=ALL | {"at": NEW}, then=order))["then"]
    assert (one.lacks, one.near, one.could, one.qualifies) == (lacks, near, could, not lacks)


def test_age_is_counted_from_the_anchor() -> None:
    ledger = shop(now=ALL | {"at": NEW}, then=ALL | {"at": NEW - 100 * DAY})
    assert earlier(ledger)["then"].lacks == ("20.0 days older",)
    assert earlier(ledger, anchor=NEW + 60 * DAY)["then"].lacks == ()


def test_orders_of_another_card_of_no_card_or_not_before_are_no_candidates() -> None:
    ledger = shop(
        now=ALL | {"at": NEW},
        other=ALL | {"instrument_id": "x"},
        none=ALL | {"instrument_id": None},
        late=ALL | {"at": NEW},
    )
    assert earlier(ledger) == {}
    assert earlier(shop(now=ALL | {"at": NEW, "instrument_id": None}, none=ALL | {"instrument_id": None})) == {}


@pytest.mark.parametrize(
    ("programme", "signal"), [(COMPELLING, "priors_qualifying_count"), (FIRST_PARTY, "priors_undisputed_count")]
)
@pytest.mark.parametrize("most", [200, 24], ids=["all", "placeholders"])
def test_as_many_orders_qualify_as_the_signal_says(
    programme: Programme, signal: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few cards and ids, so that all that may match does; with small placeholders some ids come to link nobody."""
    monkeypatch.setattr(sharing, "PLACEHOLDER", most)
    ledger = busy(np.random.default_rng(6))
    cases, orders = ledger.facts["chargebacks"], order_rows(ledger, "chargebacks")
    at = cases.at + 5 * DAY
    ids = cases.strings("chargeback_id").to_pylist()
    asks = pd.DataFrame({"ask_id": ids, "at": pd.to_datetime(at, unit="us", utc=True)})
    said = gathered(ledger, named_askings(ledger, "chargeback_win", asks), only=[signal]).set_index("ask_id")[signal]
    found = [candidates(ledger, int(o), int(t), programme) for o, t in zip(orders, at, strict=True)]
    counts = {name: sum(one.qualifies for one in some) for name, some in zip(ids, found, strict=True)}
    assert counts == said.fillna(0).astype(int).to_dict()
    assert len(set(counts.values())) > 1


def busy(rng: np.random.Generator) -> Ledger:
    """300 orders of 6 cards by 40 buyers within 500 days; some are cancelled or disputed, every third is charged back."""
    day, draws = np.sort(rng.integers(0, 500, 300)), rng.integers(0, (8, 8, 8, 8, 8, 40), (300, 6))
    links = ("instrument_id", "ip_id", "device_id", "address_id", "login_id")
    orders: list[dict[str, Any]] = [
        {"order_id": f"o{i}", "at": NEW + int(day[i]) * DAY, "buyer_id": f"b{draw[5]}", "seller_id": "s", "amount": 1}
        | {name: None if code > 5 else f"x{code}" for name, code in zip(links, draw.tolist(), strict=False)}
        for i, draw in enumerate(draws)
    ]
    later = {row["order_id"]: row["at"] + DAY for row in orders}
    rows = {
        "orders": orders,
        "cancellations": [{"order_id": f"o{i}", "at": later[f"o{i}"]} for i in range(0, 300, 11)],
        "disputes": [
            {"dispute_id": f"d{i}", "order_id": f"o{i}", "at": later[f"o{i}"], "reason": "other", "claimed": 1}
            for i in range(0, 300, 7)
        ],
        "chargebacks": [
            {
                "chargeback_id": f"c{i}",
                "order_id": f"o{i}",
                "at": later[f"o{i}"] + DAY,
                "amount": 1,
                "reason_code": "10.4",
            }
            for i in range(1, 300, 3)
        ],
    }
    return Ledger.of(naive.tables(rows))


def test_every_kind_of_evidence_has_a_cost_a_time_and_a_source() -> None:
    usual = Obtaining()
    assert all(usual.cents(kind) >= 0 and usual.hours(kind) >= 0 for kind in EVIDENCE)
    assert set(ORIGINS) == set(EVIDENCE)
    assert set(PROGRAMMES) == {"10.4", "4837"}


def test_an_unknown_item_of_a_policy_is_named() -> None:
    with pytest.raises(RedressError, match=r"evidence: want .*, got hologram_cents; rename it"):
        read(Obtaining, {"hologram_cents": 5}, "evidence", start=Obtaining())
    with pytest.raises(RedressError, match=r"evidence\.never: want a list of unit_weight_photo, .*got \('hologram',\)"):
        read(Obtaining, {"never": ("hologram",)}, "evidence", start=Obtaining())


def stock(**told: list[dict[str, Any]]) -> Ledger:
    usual = {"order_id": "o", "buyer_id": "b", "seller_id": "s", "amount": 9_000, "at": NEW}
    charged = {"chargeback_id": "c", "order_id": "o", "at": NEW + 10 * DAY, "amount": 9_000}
    empty: dict[str, list[dict[str, Any]]] = {"shipments": [], "scans": [], "refunds": [], "evidence": []}
    return Ledger.of(naive.tables({"orders": [usual], "chargebacks": [charged], **(empty | told)}))


SHIPPED = {"order_id": "o", "at": NEW + DAY}


def barred(ledger: Ledger, t: int = NEW + 11 * DAY, deadline: int = NEW + 40 * DAY) -> dict[str, str]:
    return {one.kind: one.barred for one in items(ledger, 0, frozenset(), t, deadline, Obtaining())}


def test_what_is_weighed_before_shipment_cannot_be_obtained_after() -> None:
    photos = ("unit_weight_photo", "package_weight_photo", "weighing_video", "pre_shipment_count")
    assert {barred(stock())[kind] for kind in photos} == {""}
    assert {barred(stock(shipments=[SHIPPED]))[kind] for kind in photos} == {"cannot be obtained once shipped"}
    assert barred(stock(shipments=[SHIPPED]), t=NEW + DAY)["unit_weight_photo"] == ""  # not known to be shipped yet


def test_what_was_brought_in_another_case_of_the_order_is_at_hand() -> None:
    photo = {"evidence_id": "e", "case_id": "o", "case_kind": "order", "kind": "unit_weight_photo", "at": NEW + DAY}
    found = items(
        stock(shipments=[SHIPPED], evidence=[photo | {"party": "seller"}]),
        0,
        frozenset(),
        NEW + 11 * DAY,
        NEW + 40 * DAY,
        Obtaining(),
    )
    one = next(item for item in found if item.kind == "unit_weight_photo")
    assert (one.barred, one.cents) == ("", 0)
    assert barred(stock(shipments=[SHIPPED], evidence=[photo | {"party": "buyer"}]))["unit_weight_photo"] != ""


SCAN: dict[str, Any] = {"order_id": "o", "at": NEW + DAY}
PAID: dict[str, Any] = {"order_id": "o", "at": NEW, "amount": 1, "funded_by": "seller"}


@pytest.mark.parametrize(
    ("kind", "told", "says"),
    [
        ("delivery_certificate", {}, "no delivery is known of the order"),
        ("delivery_certificate", {"scans": [SCAN | {"kind": "lost"}]}, "no delivery is known of the order"),
        ("delivery_certificate", {"scans": [SCAN | {"kind": "delivered"}]}, ""),
        ("refund_proof", {}, "no refund is known of the order"),
        ("refund_proof", {"refunds": [PAID]}, ""),
        ("tracking", {}, "no shipment is known of the order"),
        ("tracking", {"shipments": [SHIPPED]}, ""),
        ("unboxing_video", {}, "cannot be obtained on demand"),
    ],
)
def test_nothing_is_proved_that_did_not_happen(kind: str, told: dict[str, Any], says: str) -> None:
    assert barred(stock(**told))[kind] == says


def test_an_item_must_be_there_by_the_deadline_and_the_last_moment_counts() -> None:
    t, photo = NEW + 11 * DAY, "product_photo"  # 4 hours
    assert barred(stock(), t, t + 4 * HOUR)[photo] == ""
    assert barred(stock(), t, t + 4 * HOUR - 1)[photo] == "takes 4 hours, longer than there are"


@pytest.mark.parametrize(
    ("told", "days", "field"),
    [
        ({"network": "visa"}, 30, "chargebacks.visa of the policy, 30 days"),
        ({"network": "mastercard"}, 45, "chargebacks.mastercard of the policy, 45 days"),
        ({"network": "other"}, 20, "chargebacks.other of the policy, 20 days"),
        ({}, 20, "chargebacks.other of the policy, 20 days"),
        ({"network": "visa", "respond_by": NEW + 17 * DAY}, 7, "chargebacks.respond_by"),
    ],
)
def test_the_bank_s_own_date_goes_before_the_network_s_window(told: dict[str, Any], days: int, field: str) -> None:
    charged = {"chargeback_id": "c", "order_id": "o", "at": NEW + 10 * DAY, "amount": 9_000} | told
    found = until(stock(chargebacks=[charged]), 0, "chargebacks", Obtaining(), Answering())
    assert found == (NEW + (10 + days) * DAY, field)
