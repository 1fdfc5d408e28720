"""The gate's checks on tables worked out by hand, and what training leaves in the registry, both ways and when a step fails."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from features import Ledger, RedressError
from features.kernel import DAY
from models import Model, fit, load
from models.model import FORMAT
from models.promotion import EVERYONE, Verdict, calibrated, gate, suspected, unharmed
from models.questions import QUESTIONS, YES
from models.registry import register
from models.resampling import Draws
from models.slices import slice_name
from pipelines.__main__ import parser
from pipelines.audit import Judged, audited
from pipelines.learning import Cases, Learnt, cases, grown
from pipelines.opening import moment
from pipelines.promotion import groups, judged, level, overridden, unlearnt
from pipelines.train import retried, train
from pipelines.tuning import Chosen

Floats = NDArray[np.float64]
RISK = "chargeback_risk"
ALONE = Draws(np.full(400, -1), resamples=200)
HALVES = np.arange(400) % 2
"""400 answers, every other yes."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),  # MLflow, of its own types
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated:DeprecationWarning"),  # MLflow, of its frames
]


def said(*sure: float) -> Floats:
    """Of the 400: each probability of `sure` in turn."""
    return np.resize(np.array(sure), 400)


def gated(answers: object, champion: Floats, challenger: Floats, honest: int = 0, **masks: Floats) -> Verdict:
    n = len(champion)
    given = {name: mask.astype(np.bool_) for name, mask in masks.items()}
    yes, at, buyer = np.asarray(answers), np.arange(n) * DAY, np.full(n, -1)
    return gate(
        yes, champion, challenger, at=at, buyer=buyer, groups=given, knew=(0, DAY), honest=honest, resamples=200
    )


# The checks


def test_a_challenger_that_is_surely_better_is_promoted_and_the_numbers_are_told() -> None:
    verdict = gated(HALVES, said(0.5), said(0.1, 0.9))
    assert (verdict.outcome, verdict.promoted) == ("promoted", True)
    (row,) = [check.numbers["log_loss"] for check in verdict.checks if check.name == "better"]
    assert row == pytest.approx(dict.fromkeys(("difference", "low", "high"), np.log(0.5) - np.log(0.9)))
    assert verdict.metrics()["gate_better_average_precision_difference"] == 0.5
    assert verdict.says.startswith("surely better: log loss differs from the champion's by −0.5878 [−0.5878, −0.5878]")


def _guessed(right: int, wrong: int) -> Floats:
    """A half for all but the first, of which so many are right with 0.7 and the next so many wrong."""
    sure = np.where((np.arange(400) < right) == HALVES, 0.7, 0.3)
    return np.where(np.arange(400) < right + wrong, sure, 0.5)


@pytest.mark.parametrize(
    ("champion", "challenger"),
    [(said(0.5), said(0.5)), (said(0.1, 0.9), said(0.5)), (said(0.5), _guessed(13, 7))],
    ids=["the same", "worse", "better by chance"],
)
def test_a_challenger_that_is_not_surely_better_stays_one(champion: Floats, challenger: Floats) -> None:
    verdict = gated(HALVES, champion, challenger)
    assert (verdict.outcome, verdict.promoted) == ("not promoted", False)
    assert verdict.says.startswith("not surely better: ")
    assert verdict.metrics()["gate_better"] == verdict.metrics()["gate_promoted"] == 0


def test_more_of_the_same_guesses_are_surely_better() -> None:
    right, wrong = np.log(0.5 / 0.7), np.log(0.5 / 0.3)
    for n, promoted in ((1, False), (10, True)):
        verdict = gated(HALVES, said(0.5), _guessed(15 * n, 5 * n))
        assert verdict.checks[1].numbers["log_loss"]["difference"] == pytest.approx(n * (15 * right + 5 * wrong) / 400)
        assert verdict.checks[1].passed == promoted


def test_few_answers_of_one_kind_compare_nothing() -> None:
    verdict = gated(np.arange(400) < 9, said(0.5), said(0.1, 0.9))
    assert (verdict.outcome, verdict.promoted) == ("undecided", False)
    assert verdict.says == (
        "too few answers since the champion learnt: 400 askings, 9 of one answer, where 10 are wanted; "
        "the champion knew until 1970-01-01 00:00 UTC, the challenger's trial until 1970-01-02 00:00 UTC; "
        "train again when more have come"
    )
    told = {"askings_rows": 400, "askings_rarer": 9, "champion_days_ahead": -1}
    assert verdict.metrics() == {"gate_promoted": 0, "gate_even": 0} | {f"gate_even_{k}": v for k, v in told.items()}
    assert len(gated(np.arange(400) < 10, said(0.5), said(0.1, 0.9)).checks) == 4


@pytest.mark.parametrize(("champion", "decided"), [(DAY - 1, True), (DAY, True), (DAY + 1, False)])
def test_a_champion_that_knew_later_than_the_challenger_has_a_start(champion: int, decided: bool) -> None:
    flat, buyer = np.full(400, 0.5), np.full(400, -1)
    verdict = gate(HALVES, flat, flat, at=np.zeros(400), buyer=buyer, groups={}, knew=(champion, DAY), resamples=20)
    assert (verdict.outcome != "undecided") == decided
    assert verdict.says.startswith("the champion is ahead: ") != decided


# 200 rows "abroad", a quarter of them yes, and 200 at home, three quarters yes: all are predicted at a half.
QUARTER = np.concatenate([np.arange(200) % 4 == 0, np.arange(200) % 4 != 0]).astype(np.float64)
ABROAD = np.arange(400) < 200


def test_a_large_group_whose_prediction_is_surely_off_fails_though_everyone_s_is_right() -> None:
    check = calibrated(QUARTER, said(0.5), {"abroad": ABROAD}, ALONE)
    assert not check.passed
    assert check.says.startswith("predicted too far from observed in abroad (50.0% for 25.0%)")
    assert check.numbers[EVERYONE]["difference"] == 0
    row = check.numbers["abroad"]
    assert [row[name] for name in ("rows", "difference", "observed", "predicted", "tolerance", "held")] == [
        200,
        0.25,
        0.25,
        0.5,
        0.05,
        0,
    ]


@pytest.mark.parametrize(
    ("group", "judged"),
    [(ABROAD & (np.arange(400) < 99), False), (ABROAD & (np.arange(400) < 100), True)],
    ids=["too small", "large"],
)
def test_a_group_counts_from_a_hundred_askings(group: NDArray[np.bool_], judged: bool) -> None:
    check = calibrated(QUARTER, said(0.5), {"abroad": group}, ALONE)
    assert (check.passed, "abroad" in check.numbers) == (not judged, judged)
    assert ("too small to judge: abroad" in check.says) == (not judged)


def test_a_group_where_hardly_a_yes_is_expected_is_not_failed_for_having_none() -> None:
    p = np.where(ABROAD, 0.04, 0.5)  # 8 expected abroad
    assert "abroad" not in calibrated(np.where(ABROAD, 0, HALVES), p, {"abroad": ABROAD}, ALONE).numbers
    p = np.where(ABROAD, 0.05, 0.5)  # 10 expected
    assert not calibrated(np.where(ABROAD, 0, HALVES), p, {"abroad": ABROAD}, ALONE).passed


@pytest.mark.parametrize(("every", "held"), [(2, True), (3, True), (4, False)], ids=["right", "may be right", "off"])
def test_a_group_fails_only_where_its_whole_interval_lies_beyond_the_tolerance(every: int, held: bool) -> None:
    yes = (np.arange(400) % every == 0) & ABROAD | (HALVES == 1) & ~ABROAD
    p = np.where(ABROAD, 0.42, 0.5)  # 8 points below a half, 8.7 above a third, with about 8 points to either side
    assert calibrated(yes, p, {"abroad": ABROAD}, ALONE).passed == held


def _flags(n: int, *, new: int, others: int) -> Floats:
    """Scores of n rows, the first half new buyers: the highest of so many of the new and so many of the others."""
    high = np.concatenate([np.arange(n // 2) < new, np.arange(n // 2) < others])
    return np.where(high, 0.9, 0.1)


@pytest.mark.parametrize(
    ("new", "others", "passed"),
    [(10, 10, True), (20, 0, False), (0, 20, True), (13, 7, True)],
    ids=["as before", "new buyers alone", "fewer of them", "three more, as chance has it"],
)
def test_no_honest_group_may_surely_be_suspected_more_than_before(new: int, others: int, passed: bool) -> None:
    fresh = {"new buyers": np.arange(400) < 200}
    check = unharmed(np.zeros(400), _flags(400, new=10, others=10), _flags(400, new=new, others=others), fresh, ALONE)
    assert check.passed == passed
    row = check.numbers["new buyers"]
    assert [row[k] for k in ("rows", "champion", "challenger")] == pytest.approx([200, 0.05, new / 200])
    assert row["difference"] == pytest.approx((new - 10) / 200)
    assert passed or check.says.startswith(
        "more of the honest are among the most suspected in new buyers (10.0% after 5.0%)"
    )


def test_a_sure_rise_within_a_point_is_no_harm() -> None:
    n, fresh = 10_000, {"new buyers": np.arange(10_000) < 5_000}
    draws = Draws(np.full(n, -1), resamples=200)
    for new, passed in ((275, True), (350, False)):  # 5.5 % and 7 % of 5,000, where it was 5 %
        check = unharmed(
            np.zeros(n), _flags(n, new=250, others=250), _flags(n, new=new, others=500 - new), fresh, draws
        )
        assert check.numbers["new buyers"]["low"] > 0
        assert check.passed == passed


def test_the_dishonest_may_be_suspected_more_and_where_yes_is_honest_a_low_probability_harms() -> None:
    fresh, old, new = {"new": np.arange(400) < 200}, _flags(400, new=10, others=10), _flags(400, new=20, others=0)
    caught = (np.arange(400) < 20).astype(np.float64)
    assert unharmed(caught, old, new, fresh, ALONE).passed
    assert not unharmed(np.ones(400), 1 - old, 1 - new, fresh, ALONE, honest=YES).passed
    assert unharmed(np.ones(400), old, 1 - new, {"new": np.arange(400) >= 300}, ALONE, honest=YES).passed


def test_every_failed_check_is_told() -> None:
    p = np.where(ABROAD, 0.5, 0.74) + np.arange(400) / 1e6
    verdict = gated(QUARTER, said(0.5), p, abroad=ABROAD.astype(np.float64))
    assert [check.passed for check in verdict.checks] == [True, True, False, True]
    assert verdict.outcome == "not promoted"
    assert verdict.says.startswith("predicted too far from observed in ")


@pytest.mark.parametrize("share", [0.05, 0.31, 1.0])
def test_the_suspected_are_a_share_of_all_whoever_ties(share: float) -> None:
    p = np.random.default_rng(0).integers(0, 7, 100) / 7
    part = suspected(p, share)
    assert part.sum() == pytest.approx(100 * share)
    assert all(part[i] in (0, 1) or p[i] == p[j] for i in range(100) for j in range(100) if part[j] not in (0, 1))
    assert all(part[i] >= part[j] for i in range(100) for j in range(100) if p[i] > p[j])


def test_a_verdict_told_otherwise_keeps_what_the_gate_said() -> None:
    refused = gated(HALVES, said(0.5), said(0.5))
    told = overridden(refused)
    assert (told.outcome, told.promoted, told.checks) == ("overridden", True, refused.checks)
    assert told.says == f"told to be; the gate: not promoted, {refused.says}"
    first = Verdict("first", "nothing to compare with")
    assert overridden(first) == first


# What training leaves


START = 1_700_006_400_000_000
ORDERS, DAYS, HORIZON = 2_400, 240, 5 * DAY
LEARNT, LATER = START + 70 * DAY, START + DAYS * DAY


def _ledger(folder: Path) -> Path:
    """Ten orders a day; for sixty days a chargeback comes for any of them, then for dear ones alone."""
    rng = np.random.default_rng(1)
    at = START + np.arange(ORDERS) * DAY // 10
    amount = rng.integers(100, 10_000, ORDERS)
    risk = np.where(at < START + 60 * DAY, 0.15, np.where(amount > 8_000, 0.7, 0.01))
    charged = np.flatnonzero(rng.random(ORDERS) < risk)
    ids = [f"o{i:05}" for i in range(ORDERS)]
    buyers = [f"b{i}" for i in rng.integers(0, 900, ORDERS)]
    orders = {"order_id": ids, "at": _times(at), "buyer_id": buyers, "seller_id": ["s0"] * ORDERS, "amount": amount}
    chargebacks = {
        "chargeback_id": [f"c{i}" for i in charged],
        "at": _times(at[charged] + 2 * DAY),
        "order_id": [ids[i] for i in charged],
        "amount": amount[charged],
    }
    folder.mkdir()
    for name, table in (("orders", orders), ("chargebacks", chargebacks)):
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
    return folder


def _times(at: NDArray[np.int64]) -> pa.Array:
    return pa.array(at, pa.timestamp("us", "UTC"))


@dataclass(frozen=True)
class Market:
    """A ledger, and where a model of its beginning and one of all of it were trained, with their closing tables."""

    ledger: Path
    place: Path
    closings: tuple[dict[str, object], dict[str, object]]

    @property
    def tracking(self) -> str:
        return f"sqlite:///{self.place / 'redress.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.tracking)

    def aliases(self) -> dict[str, str]:
        return {str(a): str(v) for a, v in self.client.get_registered_model(RISK).aliases.items()}

    def versions(self) -> list[str]:
        return sorted(str(found.version) for found in self.client.search_model_versions(f"name = '{RISK}'"))


def _trained(ledger: Path, place: Path, as_of: int, *, champion: bool = False) -> dict[str, object]:
    return train(
        RISK,
        ledger,
        as_of=as_of,
        start=None,
        horizon=HORIZON,
        tracking=f"sqlite:///{place / 'redress.db'}",
        out=place / str(as_of),
        seed=0,
        champion=champion,
        said=lambda line: None,
    )


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    place = tmp_path_factory.mktemp("market")
    ledger = _ledger(place / "ledger")
    return Market(ledger, place, (_trained(ledger, place, LEARNT), _trained(ledger, place, LATER)))


def test_a_challenger_that_learnt_what_the_champion_could_not_takes_its_place(market: Market) -> None:
    first, second = market.closings
    says = "no champion before it, so nothing to compare with; not surely better: log loss differs from the base rate's by "
    assert str(first["champion"]).startswith(says)
    assert str(second["champion"]).startswith("surely better: log loss differs from the champion's by −")
    assert market.aliases() == {"champion": "2", "challenger": "1"}


def test_the_verdict_is_logged_with_its_numbers(market: Market, tmp_path: Path) -> None:
    for version, outcome in (("1", "first"), ("2", "promoted")):
        found = market.client.get_model_version(RISK, version)
        assert found.tags["promotion"] == outcome
        run = market.client.get_run(str(found.run_id))
        assert run.data.metrics["gate_promoted"] == 1
        assert run.data.tags["promotion_because"] == found.tags["promotion_because"]
        assert {a.path for a in market.client.list_artifacts(str(found.run_id))} >= {
            "gate.json",
            "card.html",
            "card.md",
        }
        assert run.data.metrics["gate_better"] == float(outcome == "promoted")
    assert run.data.metrics["gate_better_log_loss_high"] < 0
    assert run.data.metrics["gate_calibrated"] == run.data.metrics["gate_unharmed"] == 1
    told = Path(market.client.download_artifacts(run.info.run_id, "gate.json", str(tmp_path))).read_text()
    assert '"champion": "1"' in told


def test_the_card_says_what_it_is_what_it_learnt_from_and_what_it_is_not_for(market: Market) -> None:
    out = market.place / str(LATER)
    text, page = ((out / f"card.{ending}").read_text("utf-8") for ending in ("md", "html"))
    for heading in (
        "What it answers",
        "What it must not be used for",
        "How well it does",
        "Is it calibrated in every large group?",
        "Why it is the champion",
        "Is it as fair to the honest of every group?",
        "The data",
        "Span and maturity",
        "How to make it again",
    ):
        assert f"\n## {heading}\n" in text
        assert f"<h2>{heading}</h2>" in page
    assert "| orders | 2,400 | 2023-11-15 | 2024-07-11 | 0 |" in text
    assert "\nAn asking is mature after the horizon of a chargeback, 5 days. 5" in text  # ten orders a day
    assert (out / "plots" / "calibration.svg").exists()
    description = market.client.get_model_version(RISK, "2").description
    assert description == text.split("\n\n")[1]


def test_the_card_s_command_makes_the_same_model_again(market: Market, tmp_path: Path) -> None:
    text = (market.place / str(LEARNT) / "card.md").read_text("utf-8")
    words = text.split("```sh\nredress ")[1].split("\n")[0].split()
    args = parser().parse_args(words)
    assert (args.as_of, args.horizon, args.seed, args.ledger) == (LEARNT, HORIZON, 0, market.ledger)


def _tried(market: Market, horizon: int = HORIZON) -> tuple[Cases, Judged]:
    """A challenger that knows the answers to the latest of the ledger's orders, tried as of the first of these."""
    work = cases(Ledger.open(market.ledger), RISK, start=None, stop=None, horizon=horizon)
    data = work.labelled(LATER)
    return work, _sure(work, int(work.asks.at[data.which[-400]]), data.which[-400:])


def _sure(work: Cases, as_of: int, rows: NDArray[np.int64]) -> Judged:
    answer = work.found.answer[rows]
    return Judged(rows, work.frame(rows), answer, np.where(answer == 1, 0.95, 0.05), 0.1, as_of)


def _judged(market: Market, horizon: int = HORIZON, tracking: str = "") -> Verdict:
    """The verdict on such a challenger."""
    work, tried = _tried(market, horizon)
    again = partial(_sure, work)
    return judged(work, tried, tracking or market.tracking, 0, calibration=None, again=again)


def test_a_champion_that_learnt_the_askings_is_not_compared_on_them(market: Market) -> None:
    verdict = _judged(market)
    assert (verdict.outcome, verdict.champion) == ("undecided", "2")
    assert verdict.says.startswith("too few answers since the champion learnt: 0 askings, 0 of one answer, ")
    assert verdict.metrics()["gate_even_champion_days_ahead"] == pytest.approx(45, abs=0.2)  # 40 days of askings, and 5


def test_a_champion_that_learnt_half_of_the_slice_meets_a_challenger_that_could_as_well_on_the_other_half(
    market: Market,
) -> None:
    work, tried = _tried(market)
    halfway = int(work.asks.at[tried.rows[200]]) + HORIZON
    model, again = _small(until=halfway)[0], partial(_sure, work)
    fresh = level(model, work, tried, again)
    assert fresh.rows.tolist() == tried.rows[200:].tolist()  # the first 200 were due by then, and learnt
    assert fresh.known_by == halfway
    assert len(fresh.frame) == len(fresh.answer) == len(fresh.probability) == 200


def test_an_older_champion_meets_the_trial_as_it_is_and_so_does_one_that_learnt_nearly_all(market: Market) -> None:
    work, tried = _tried(market)
    for until, rows in ((tried.known_by, 400), (LATER - DAY, 10)):
        model, _ = _small(until=until)
        fresh = level(model, work, tried, partial(_sure, work))
        assert (len(fresh.rows), fresh.known_by) == (rows, tried.known_by)


def test_the_same_recipe_as_of_a_later_moment_learns_what_was_known_by_then(market: Market) -> None:
    work, tried = _tried(market)
    which = work.labelled(LATER).which
    learnt, rows = Learnt(work.frame(which), work.found.answer[which], np.ones(len(which))), tried.rows[300:]
    found = retried(work, which, learnt, 0, Chosen({}), LEARNT, rows)
    assert (found.known_by, found.rows.tolist(), found.answer.tolist()) == (
        LEARNT,
        rows.tolist(),
        work.found.answer[rows].tolist(),
    )
    early = work.labelled(LEARNT)
    assert found.rate == early.answer.mean()
    plain = grown(work.question, Learnt(work.frame(early.which), early.answer, np.ones(len(early.which))), 0)
    assert found.probability.tolist() == plain.predict_proba(found.frame)[:, 1].tolist()


def test_of_soft_labels_all_that_was_asked_before_a_champion_s_moment_is_learnt(market: Market) -> None:
    work, tried = _tried(market)
    until = int(work.asks.at[tried.rows[100]])
    model = _small(until=until)[0]
    assert np.flatnonzero(unlearnt(model, work, tried.rows)).tolist() == list(range(50, 400))  # of 5 days, not yet due
    soft = replace(work, question=QUESTIONS["malicious_dispute"])
    assert np.flatnonzero(unlearnt(model, soft, tried.rows)).tolist() == list(range(100, 400))


def test_groups_are_the_slices_that_a_report_shows(market: Market) -> None:
    work, tried = _tried(market)
    shown = audited(work, [tried], LATER, lambda line: None).tables["slices"]
    assert list(groups(work, tried)) == list(map(slice_name, shown["slicing"], shown["slice"]))
    assert [int(mask.sum()) for mask in groups(work, tried).values()] == shown["n"].tolist()


def test_a_champion_of_another_horizon_is_not_compared(market: Market) -> None:
    assert _judged(market, horizon=4 * DAY) == Verdict(
        "not compared", "the champion cannot be asked: want a horizon of 4d, got one of 5d", champion="2"
    )


@contextmanager
def _spoilt(path: Path, old: str, new: str) -> Iterator[None]:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    try:
        yield
    finally:
        path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            f'"format": {FORMAT}',
            '"format": 1',
            f"want a model of format {FORMAT}, got 1; train again with this version",
        ),
        ('"rounds"', '"trees"', "want model.txt and model.json as they were saved, got them edited; train again"),
    ],
)
def test_a_champion_that_was_edited_or_is_of_another_format_is_not_compared(
    old: str, new: str, says: str, market: Market
) -> None:
    (path,) = [
        path
        for path in market.place.glob("mlruns/**/artifacts/model/model.json")
        if load(path.parent).card["trained_until"] == "2024-07-12T00:00:00+00:00"
    ]
    with _spoilt(path, old, new):
        assert _judged(market).says == f"the champion cannot be asked: models:/{RISK}/2: {says}"


# A step that fails leaves nothing half done


TRIGGERS = {
    "a version": "CREATE TRIGGER full BEFORE INSERT ON model_versions BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
    "the last alias": (
        "CREATE TRIGGER full BEFORE UPDATE ON registered_model_aliases WHEN NEW.alias = 'champion' "
        "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    ),
    "the first alias": (
        "CREATE TRIGGER full BEFORE INSERT ON registered_model_aliases BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    ),
}
"""Databases that refuse what a registration writes."""
REFUSED = r"^tracking sqlite:.*: want a model registry, got .*; check --tracking$"


@contextmanager
def _refusing(place: Path, trigger: str) -> Iterator[None]:
    with closing(sqlite3.connect(place / "redress.db")) as database:
        database.execute(trigger)
        try:
            yield
        finally:
            database.execute("DROP TRIGGER full")


def _small(until: int = START + 5 * DAY) -> tuple[Model, pd.DataFrame]:
    frame = pd.DataFrame({"order_quantity": np.arange(100, dtype=np.float32)})
    model = fit(frame, (np.arange(100) > 60).astype(np.int8))
    card = {"question": RISK, "horizon_days": HORIZON / DAY, "trained_until": moment(until)}
    return replace(model, card=dict(model.card) | card), frame.head(3)


def _enter(place: Path) -> None:
    model, example = _small()
    verdict = Verdict("promoted", "better")
    register(model, verdict, tracking=f"sqlite:///{place / 'redress.db'}", example=example, parameters={}, metrics={})


@pytest.mark.parametrize("step", ["a version", "the last alias"])
def test_a_step_that_fails_leaves_versions_and_aliases_as_they_were(step: str, market: Market) -> None:
    before = market.aliases(), market.versions()
    with _refusing(market.place, TRIGGERS[step]), pytest.raises(RedressError, match=REFUSED):
        _enter(market.place)
    assert (market.aliases(), market.versions()) == before


def test_a_first_registration_that_fails_leaves_no_model_and_the_next_is_the_first(
    market: Market, tmp_path: Path
) -> None:
    client = MlflowClient(f"sqlite:///{tmp_path / 'redress.db'}")
    assert client.search_registered_models() == []
    with _refusing(tmp_path, TRIGGERS["the first alias"]), pytest.raises(RedressError, match=REFUSED):
        _enter(tmp_path)
    with pytest.raises(MlflowException, match="not found"):
        client.get_registered_model(RISK)
    (tmp_path / "mlruns" / RISK).rename(tmp_path / "elsewhere")
    (tmp_path / "mlruns" / RISK).write_text("a file where the artifacts belong")
    with pytest.raises(RedressError, match=REFUSED):
        _enter(tmp_path)
    assert client.search_registered_models() == []
    (tmp_path / "mlruns" / RISK).unlink()
    _enter(tmp_path)
    assert client.get_registered_model(RISK).aliases == {"champion": 1}
    told = _judged(market, tracking=f"sqlite:///{tmp_path / 'redress.db'}")  # this ledger has no quantities
    assert told.outcome == "not compared"
    assert told.says.startswith("the champion cannot be asked: model: want its 1 signals, got a frame without order_q")
