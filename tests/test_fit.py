"""The learner's promises: what never lowers a probability, what a calibration may not turn around, what it refuses to take."""

import pickle
from fnmatch import filter as matching
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import ArrayLike

from features import Ledger, RedressError, signals
from features.asking import askings
from features.dictionary import dictionary
from features.signal import Float
from features.tables import EVIDENCE
from models import Model, fit, load
from models.calibration import calibration
from models.questions import QUESTIONS, Answer, answers
from models.trees import Rows, booster, grown, narrowed, said, split_by
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables

learner = import_module("models.fit")  # models names the function so
WIN = QUESTIONS["chargeback_win"]
SEEN = [
    "chargeback_amount",
    "chargeback_for_fraud",
    "order_scans_delivered_count",
    "order_delivered_elsewhere_count",
    "priors_qualifying_count",
    *(f"case_items_{kind}" for kind in EVIDENCE),
    *(f"case_evidence_by_{party}_count" for party in ("buyer", "seller", "carrier", "issuer", "platform")),
    *(f"case_{name}_set_missing" for name in ("weight", "delivery", "description", "terms", "identity", "remedy")),
    "case_evidence_count",
]
Tables = dict[str, pa.Table]


@pytest.mark.parametrize("way", [1, -1])
def test_what_is_monotone_stays_so_against_the_data(way: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (2_000, 2)).astype(np.float32)
    answer = (rng.random(2_000) < 0.5 - way * 0.12 * (x[:, 0] - 1.5)).astype(np.int8)  # the other way round
    frame = pd.DataFrame(x, columns=["items_tracking", "amount"])
    free, held = fit(frame, answer), fit(frame, answer, monotone={"items_*": way})
    steps = [pd.DataFrame({"items_tracking": [float(i)], "amount": [1.0]}).astype(np.float32) for i in range(4)]
    odds = {name: np.ravel([model.logit(step) for step in steps]) for name, model in (("free", free), ("held", held))}
    assert (way * np.diff(odds["held"]) >= 0).all()
    assert (way * np.diff(odds["free"]) < 0).any()


def test_a_calibration_never_turns_the_order_of_scores_around() -> None:
    raw = np.linspace(-2, 2, 4_000)
    answer = (raw < 0).astype(np.int8)
    slope, _ = calibration(raw, answer)
    assert slope == 0


def drifting(n: int, seed: int) -> tuple[pd.DataFrame, Answer]:
    """Rows whose answers become more often yes as time passes, which `lately` tells, and which `x` raises besides."""
    rng = np.random.default_rng(seed)
    lately = np.linspace(-3, 0, n)
    x = rng.normal(size=n)
    answer = (rng.random(n) < 1 / (1 + np.exp(-lately - x))).astype(np.int8)
    return pd.DataFrame({"x": x, "lately": lately}, dtype=np.float32), answer


def test_an_intercept_follows_what_was_lately_answered() -> None:
    frame, answer = drifting(4_000, 0)
    early, late = slice(0, 2_600), slice(2_600, None)
    followed, still = (fit(frame[early], answer[early], follows=name) for name in ("lately", "not there"))
    assert (followed.columns, followed.signals) == (("x", "lately"), ("x",))
    assert still.follows is None
    rate = answer[late].mean()
    assert followed.predict_proba(frame[late])[:, 1].mean() == pytest.approx(rate, abs=0.05)
    assert still.predict_proba(frame[late])[:, 1].mean() < rate - 0.08


def test_where_nothing_was_answered_lately_the_intercept_is_the_usual_one() -> None:
    frame, answer = drifting(2_000, 1)
    model = fit(frame, answer, follows="lately")
    usual = frame.head(20).assign(lately=frame["lately"].mean()).astype(np.float32)
    unknown = usual.assign(lately=np.float32(np.nan))
    np.testing.assert_allclose(model.logit(unknown), model.logit(usual), atol=1e-6)
    never = fit(frame.assign(lately=np.float32(np.nan)), answer, follows="lately")
    assert never.follows is None


@pytest.mark.parametrize(("known", "followed"), [(0.04, False), (0.6, True)])
def test_what_is_known_of_few_rows_is_not_followed(known: float, followed: bool) -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.normal(size=3_000), "lately": np.nan}, dtype=np.float32)
    frame.loc[int(3_000 * (1 - known)) :, "lately"] = np.float32(-4.2)  # answered by few as yet, the quick ones
    answer = (rng.random(3_000) < 0.05).astype(np.int8)
    model = fit(frame, answer, follows="lately")
    assert (model.follows is not None) == followed
    if not followed:
        assert model.predict_proba(frame.assign(lately=np.float32(-2.8)))[:, 1].mean() == pytest.approx(0.05, abs=0.02)


def test_what_signals_add_sums_to_the_calibrated_log_odds_that_follow() -> None:
    frame, answer = drifting(2_000, 2)
    model = fit(frame, answer, follows="lately")
    added = model.contributions(frame)
    assert added.shape == (2_000, 2)
    np.testing.assert_allclose(added.sum(axis=1), model.logit(frame), rtol=0, atol=1e-9)


def test_a_model_that_follows_is_saved_whole(tmp_path: Path) -> None:
    frame, answer = drifting(1_000, 3)
    model = fit(frame, answer, follows="lately")
    model.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path).logit(frame), model.logit(frame))
    with pytest.raises(RedressError, match=r"want its 2 signals, got a frame without lately"):
        model.logit(frame[["x"]])


def test_answers_may_be_how_likely_a_yes_is_thought_to_be() -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(0, 2, 4_000)
    frame = pd.DataFrame({"x": x}, dtype=np.float32)
    model = fit(frame, np.where(x == 1, 0.7, 0.2))
    p = model.predict_proba(pd.DataFrame({"x": [0, 1]}, dtype=np.float32))[:, 1]
    assert p == pytest.approx([0.2, 0.7], abs=0.03)


@pytest.mark.parametrize(("blanked", "near"), [(0.01, True), (0.0, False)])
def test_a_signal_that_ceases_to_come_leaves_the_usual_odds(
    blanked: float, near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.trees.BLANKED", blanked)
    rng = np.random.default_rng(5)
    known = rng.lognormal(size=4_000).astype(np.float32)
    frame = pd.DataFrame({"amount": 10 * known, "other": rng.normal(size=4_000)}).astype(np.float32)
    answer = (rng.random(4_000) < np.where(known > 0.6, 0.35, 0.02)).astype(np.int8)
    gone = fit(frame, answer).predict_proba(frame.assign(amount=np.float32(np.nan)))[:, 1].mean()
    assert bool(abs(gone - answer.mean()) < 0.12) is near


def test_many_rows_are_tried_on_a_sample_and_calibrated_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "TRIED", 1_500)
    frame, answer = drifting(12_000, 6)
    p = fit(frame, answer, follows="lately").predict_proba(frame)[:, 1]
    assert p.mean() == pytest.approx(answer.mean(), abs=0.03)


def sloped(n: int, seed: int) -> tuple[pd.DataFrame, Answer, Float]:
    """Rows of two signals of which the first bears on the answer, and the true probability of a yes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x", "noise"]).astype(np.float32)
    p = 1 / (1 + np.exp(1 - frame["x"].to_numpy(np.float64)))
    return frame, (rng.random(n) < p).astype(np.int8), p


def test_an_interval_holds_most_true_probabilities_and_shrinks_as_rows_come() -> None:
    tested, _, p = sloped(1_000, 9)
    width = []
    for n in (1_000, 8_000):
        frame, answer, _ = sloped(n, 8)
        low, high = fit(frame, answer, bags=10).interval(tested).T
        assert ((low <= p) & (p <= high)).mean() > 0.75
        width.append((high - low).mean())
    assert width[1] < 0.7 * width[0]


def test_a_model_abstains_where_its_bags_are_further_apart_than_usual(tmp_path: Path) -> None:
    frame, answer, _ = sloped(3_000, 7)
    frame.loc[2_990:, "x"] = 9  # hardly ever seen, and of either answer
    model = fit(frame, answer, bags=10)
    usual, limit = frame[:2_400], float(str(model.card["thin_from"]))
    assert 0 < model.abstains(usual).mean() < 0.15
    np.testing.assert_array_equal(model.abstains(usual), model.errors(usual) > limit)
    model.save(tmp_path)
    again = load(tmp_path)
    np.testing.assert_array_equal(again.interval(usual), model.interval(usual))
    assert again == model


def test_without_bags_there_is_no_interval_and_nothing_is_abstained_from() -> None:
    frame, answer, _ = sloped(500, 6)
    model = fit(frame, answer)
    assert np.isnan(model.interval(frame)).all()
    assert not model.abstains(frame).any()


def test_bags_change_no_probability() -> None:
    frame, answer, _ = sloped(800, 5)
    np.testing.assert_array_equal(fit(frame, answer).logit(frame), fit(frame, answer, bags=3).logit(frame))


def drawn(n: int = 400) -> tuple[pd.DataFrame, Answer]:
    """Rows of two signals, the first of which says much about the answer."""
    x = np.random.default_rng(1).normal(size=(n, 2)).astype(np.float32)
    return pd.DataFrame(x, columns=["buyer_orders_90d", "amount"]), (x[:, 0] > 0.3).astype(np.int8)


def test_a_model_takes_its_signals_by_name_in_whatever_order() -> None:
    frame, answer = drawn()
    model = fit(frame, answer)
    assert (model.logit(frame[["amount", "buyer_orders_90d"]]) == model.logit(frame)).all()


def test_a_renamed_signal_is_named_with_the_column_that_looks_like_it() -> None:
    frame, answer = drawn()
    model = fit(frame, answer)
    with pytest.raises(RedressError, match="without buyer_orders_90d but with buyer_order_90d; score a ledger"):
        model.logit(frame.rename(columns={"buyer_orders_90d": "buyer_order_90d"}))
    with pytest.raises(RedressError, match="without amount; score a ledger"):
        model.logit(frame[["buyer_orders_90d"]])


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinity_is_named_when_it_is_learnt_from_and_when_it_is_asked_about(value: float) -> None:
    frame, answer = drawn()
    model, odd = fit(frame, answer), frame.copy()
    odd.loc[[3, 7], "amount"] = np.float32(value)
    for use in (lambda: fit(odd, answer), lambda: model.predict_proba(odd), lambda: model.contributions(odd)):
        with pytest.raises(RedressError, match=r"^amount: want numbers .*, got 2 of 400 that are infinite; give NaN"):
            use()


def test_what_is_no_number_or_there_twice_is_named_when_it_is_asked_about() -> None:
    frame, answer = drawn()
    model = fit(frame, answer)
    with pytest.raises(RedressError, match=r"^amount: want a column of numbers, got "):
        model.logit(frame.astype({"amount": object}))
    with pytest.raises(RedressError, match=r"^amount: want one column of that name, got several"):
        model.logit(pd.concat([frame, frame["amount"]], axis=1))
    with pytest.raises(RedressError, match=r"^amount: want one column of that name, got several"):
        fit(pd.concat([frame, frame["amount"]], axis=1), answer)


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ([0, 1, 1], r"want an answer for each of 400 rows, got \(3,\);"),
        ([0.0, 1.0, np.nan, 1.0] * 100, "want answers from 0, no, to 1, yes, got 100 such as nan;"),
        ([0, 1, 2, -1] * 100, "want answers from 0, no, to 1, yes, got 200 such as 2.0;"),
    ],
)
def test_answers_that_are_none_or_too_few_are_one_sentence(odd: list[float], says: str) -> None:
    frame, _ = drawn()
    with pytest.raises(RedressError, match=f"^training: {says}"):
        fit(frame, np.array(odd, np.float64))


def test_answers_and_weights_are_taken_from_whatever_holds_numbers() -> None:
    frame, answer = drawn()
    weights = np.linspace(1, 2, len(frame))
    plain = fit(frame, answer, weights=weights)
    for held, weighed in (
        (pd.Series(answer, index=frame.index[::-1]), pd.Series(weights)),
        (list(answer), list(weights)),
    ):
        assert fit(frame, held, weights=weighed).trees == plain.trees


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (["heavy"] * 400, "want a weight as a number for each row, got list of others"),
        ([1.0] * 3, r"want a weight for each of 400 rows, got \(3,\);"),
        ([[1.0]] * 400, r"want a weight for each of 400 rows, got \(400, 1\);"),
        ([1.0, -1.0] * 200, "want finite weights .*, got 200 such as -1.0;"),
        ([1.0, np.nan] * 200, "want finite weights .*, got 200 such as nan;"),
        ([1.0, np.inf] * 200, "want finite weights .*, got 200 such as inf;"),
        ([0.0] * 400, "want finite weights .*, got zeros alone;"),
    ],
)
def test_weights_that_are_none_are_one_sentence(odd: ArrayLike, says: str) -> None:
    frame, answer = drawn()
    with pytest.raises(RedressError, match=f"^training: {says}"):
        fit(frame, answer, weights=odd)


def test_a_frame_of_other_numbers_or_of_names_that_trees_do_not_take_is_one_sentence() -> None:
    frame, answer = drawn()
    with pytest.raises(RedressError, match=r"^training: want a signal that varies, got no float32 column among \d+;"):
        fit(frame.astype(np.float64), answer)
    with pytest.raises(
        RedressError, match=r"^training: want names of signals without any of .*, got seller:rate; rename"
    ):
        fit(frame.rename(columns={frame.columns[0]: "seller:rate"}), answer)


def test_there_are_as_many_trees_as_asked_for_at_most_and_fewer_where_patience_ends() -> None:
    frame, answer = drawn()
    trees = [
        int(str(fit(rows, answer[: len(rows)], rounds=rounds, patience=patience).card["rounds"]))
        for rows, rounds, patience in ((frame, 7, 50), (frame, 300, 1), (frame, 300, 50), (frame.head(20), 50, 50))
    ]
    assert trees[0] <= 7
    assert trees[1] < trees[2]
    assert trees[3] == 5  # too few rows to say when to stop


def test_a_pickle_of_a_model_is_the_same_after_it_has_been_asked() -> None:
    frame, answer = drawn()
    model = fit(frame, answer)
    before = pickle.dumps(model)
    odds = model.logit(frame)
    assert pickle.dumps(model) == before
    assert (pickle.loads(before).logit(frame) == odds).all()


@pytest.fixture(scope="module")
def defended() -> Tables:
    """What bears on winning in a small world of many chargebacks."""
    made = tables(happen(world("chargeback_rich", orders=6_000), seed=4))
    kept = ("orders", "chargebacks", "representments", "chargeback_rulings", "disputes", "evidence")
    return {name: made[name] for name in kept}


@pytest.fixture(scope="module")
def winning(defended: Tables) -> Model:
    ledger = Ledger.of(defended)
    asks = askings(ledger, WIN.name)
    found = answers(ledger, asks, 0).answer
    frame = signals(ledger, WIN.name, only=SEEN)[found >= 0].reset_index(drop=True)
    assert len(frame) > 200
    return fit(frame, found[found >= 0], monotone=WIN.monotone, terms=WIN.terms)


def brought(made: Tables, kinds: tuple[str, ...]) -> Tables:
    """The tables with more evidence in every defence, by the seller."""
    defences = made["representments"]
    more = [
        {
            "evidence_id": f"new {kind} {i}",
            "at": at,
            "case_id": case,
            "case_kind": "chargeback",
            "party": "seller",
            "kind": kind,
        }
        for kind in kinds
        for i, (case, at) in enumerate(
            zip(defences["chargeback_id"].to_pylist(), defences["at"].to_pylist(), strict=True)
        )
    ]
    rows = pa.Table.from_pylist(more).cast(pa.schema([made["evidence"].schema.field(name) for name in more[0]]))
    return made | {"evidence": pa.concat_tables([made["evidence"], rows], promote_options="default")}


@pytest.mark.parametrize("kinds", [*((kind,) for kind in EVIDENCE), ("tracking", "delivery_certificate"), EVIDENCE])
def test_more_evidence_never_lowers_the_chance_of_winning(
    kinds: tuple[str, ...], defended: Tables, winning: Model
) -> None:
    before = winning.logit(signals(Ledger.of(defended), WIN.name, only=SEEN))
    after = winning.logit(signals(Ledger.of(brought(defended, kinds)), WIN.name, only=SEEN))
    assert (after >= before).all()
    if len(kinds) > 1:
        assert (after > before).any()


def test_evidence_would_lower_it_were_it_not_held(defended: Tables) -> None:
    ledger = Ledger.of(defended)
    found = answers(ledger, askings(ledger, WIN.name), 0).answer
    frame = signals(ledger, WIN.name, only=SEEN)[found >= 0].reset_index(drop=True)
    free = fit(frame, found[found >= 0])
    before = free.logit(signals(ledger, WIN.name, only=SEEN))
    after = free.logit(signals(Ledger.of(brought(defended, ("other",))), WIN.name, only=SEEN))
    assert (after < before).any()


def test_every_pattern_of_a_question_names_signals_it_has() -> None:
    for question in QUESTIONS.values():
        names = [one.name for one in dictionary(question.name)]
        assert all(matching(names, pattern) for pattern in question.monotone)
        assert {question.amount, *question.history} <= set(names)


def test_a_model_reads_only_the_signals_that_it_makes_something_of() -> None:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(rng.normal(size=(3_000, 40)), columns=[f"x{i}" for i in range(40)], dtype=np.float32)
    answer = np.asarray(frame["x7"] + frame["x30"] > rng.normal(size=3_000), np.int8)
    model = fit(
        frame, answer, rounds=3, bags=2, monotone={"x30": 1}, parameters={"feature_fraction": 1.0, "num_leaves": 3}
    )
    assert 0 < len(model.signals) < 10
    assert {"x7", "x30"} <= set(model.signals)
    few = frame[list(model.signals)]
    np.testing.assert_array_equal(model.logit(few), model.logit(frame))
    assert np.isfinite(model.errors(few)).all()
    assert (model.booster.feature_importance() > 0).all()


def test_trees_over_fewer_columns_say_the_same() -> None:
    rng = np.random.default_rng(7)
    matrix = rng.normal(size=(500, 12)).astype(np.float32)
    rows = Rows([f"x{i}" for i in range(12)], matrix, (matrix[:, 3] > matrix[:, 9]).astype(np.int8), np.ones(500), None)
    ways = ",".join("1" if i == 3 else "0" for i in range(12))
    text = grown(rows, {"seed": 0, "monotone_constraints": ways}, 3).model_to_string()
    kept = sorted(split_by(text) | {5})
    assert 2 < len(kept) < 12
    few = booster(narrowed(text, kept))
    assert few.feature_name() == [f"x{i}" for i in kept]
    np.testing.assert_array_equal(said(few, matrix[:, kept]), said(booster(text), matrix))
    with pytest.raises(KeyError):
        narrowed(text, kept[1:])
