"""The description of a simulated marketplace: its figures are right, and the marketplace is not too easy."""

import re
from html import unescape
from pathlib import Path

import looks
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.dictionary import dictionary
from pipelines.describe import describe
from pipelines.marketplace import happen, world
from pipelines.marketplace.claims import CAUSES
from pipelines.marketplace.ledger import tables
from pipelines.marketplace.names import Names
from pipelines.marketplace.people import SPIRITS
from pipelines.sight import FEWEST, LIMIT, Ranks, View, kinds, mute, sights, view

RING = CAUSES.index("ring_abuse")


def silent(line: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def lifelike() -> View:
    return view(happen(world(orders=300_000), seed=2))


def test_ranks_separate_as_scikit_learn_says() -> None:
    rng = np.random.default_rng(1)
    yes = rng.random(300) < 0.2
    frame = pd.DataFrame(
        {
            "clear": yes + rng.normal(0, 0.5, 300),
            "against": rng.normal(0, 0.5, 300) - yes,
            "tied": rng.integers(0, 3, 300),
            "unknown": np.where(yes & (rng.random(300) < 0.7), np.nan, rng.random(300)),
            "constant": np.ones(300),
        },
        dtype=np.float32,
    )
    found = Ranks.of(frame).auc(yes)
    for name, auc in zip(frame, found, strict=True):
        ways = [roc_auc_score(yes, frame[name].fillna(far)) for far in (-1e9, 1e9)]
        assert auc == pytest.approx(max(max(way, 1 - way) for way in ways))
    assert found[4] == 0.5
    assert found[3] > 0.7


@pytest.mark.slow
def test_no_single_signal_gives_a_hidden_cause_away(lifelike: View) -> None:
    found = {sight.cause: sight.strongest(1)[0] for sight in sights(lifelike)}
    assert LIMIT == 0.85
    assert {cause: best for cause, best in found.items() if best[1] > LIMIT} == {}
    causes = [CAUSES[i] for i in np.flatnonzero(np.bincount(lifelike.cause, minlength=len(CAUSES)) >= FEWEST)]
    assert set(found) >= {f"cause: {cause}" for cause in causes} | {"malicious", "stolen order", "at fault: product"}
    assert len(causes) >= 12


@pytest.mark.slow
def test_shared_evidence_tells_of_rings_and_not_too_well(lifelike: View) -> None:
    shared = lifelike.disputes[["content_buyers_count"]]
    auc = Ranks.of(shared).auc(lifelike.cause == RING)[0]
    assert 0.6 < auc <= 0.9
    others = (shared["content_buyers_count"] > 1).to_numpy() & (lifelike.cause != RING)
    assert others.sum() > 0  # honest buyers share pictures, too


@pytest.mark.slow
def test_no_signal_is_absent_and_no_kind_of_signal_is_useless(lifelike: View) -> None:
    names = {declared.name for question in ("chargeback_risk", "dispute_outcome") for declared in dictionary(question)}
    assert names <= {*lifelike.orders.columns, *lifelike.disputes.columns}
    assert {name for some in kinds().values() for name in some} == names
    assert mute(sights(lifelike)) == []


@pytest.mark.slow
def test_a_world_that_is_too_easy_is_found_out() -> None:
    """The same measure, with a planted signal that gives rings away."""
    it = happen(world("enriched", orders=20_000), seed=2)
    seen = view(it)
    told = seen.disputes.assign(leak=(seen.cause == RING).astype(np.float32))
    found = {sight.cause: sight.strongest(1)[0] for sight in sights(View(told, seen.cause, seen.orders, seen.stolen))}
    assert found["cause: ring_abuse"] == ("leak", 1.0)


@pytest.mark.slow
def test_a_kind_of_signal_that_is_useless_is_found_out(lifelike: View) -> None:
    blind = {str(name): np.float32(1) for name in lifelike.disputes if str(name).startswith("carrier_")}
    seen = View(lifelike.disputes.assign(**blind), lifelike.cause, lifelike.orders, lifelike.stolen)
    assert "histories of carrier" in mute(sights(seen))


@pytest.mark.slow
def test_a_description_tells_parameters_rates_labels_signals_and_the_best_achievable(tmp_path: Path) -> None:
    closing = describe(world("enriched", orders=20_000), seed=1, out=tmp_path, said=silent)
    heads = [name.partition(" ")[0] for name in closing]
    assert list(dict.fromkeys(heads)) == ["parameter", "rate", "delay", "labels", "signals", "ceiling", "report"]
    assert str(closing["parameter ring_share"]) == (
        "0.022 share | accounts in coordinated rings | the range the industry reports, itself uncertain: 0.005 to 0.01; "
        "sweep 0.005 to 0.03"
    )
    assert "known: 1 % to 5 %" in str(closing["rate disputes"])
    assert re.fullmatch(r"[\d.]+, [\d.]+, [\d.]+ days", str(closing["delay ruling after dispute"]))
    assert re.match(r"[\d.]+ % of [\d,]+$", str(closing["labels malicious disputes with a finding"]))
    findings, true, more = (
        [float(number) for number in re.findall(r"0\.\d+", str(closing[f"ceiling {name}"]))]
        for name in ("findings as true", "true labels", "true labels, five times the data")
    )
    assert more[0] > true[0] > findings[0] - 0.02
    assert more[0] > float(str(closing["ceiling base rate"]).split()[0]) + 0.2
    assert more[1] < 0.95
    assert "AUC" in str(closing["ceiling winning, true probabilities"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg ") == 4 == len(list((tmp_path / "plots").iterdir()))
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
    told = [
        part.strip()
        for name, line in closing.items()
        if name != "report"
        for part in str(line).replace("known: ", "").split(" | ")
    ]
    assert [part for part in told if part not in text] == []
    assert "No signal alone separates a hidden cause beyond 0.85" in page


def test_a_marketplace_of_few_disputes_is_described_as_far_as_it_goes(tmp_path: Path) -> None:
    closing = describe(world(orders=300, days=20), seed=1, out=tmp_path, said=silent)
    assert "too few" in str(closing["ceiling winning"])
    assert not any(name.startswith("ceiling true") for name in closing)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lifelike", "enriched"])
def test_no_simple_look_at_any_table_gives_a_hidden_cause_away(name: str) -> None:
    it = happen(world(name, orders=150_000 if name == "lifelike" else 80_000), seed=3)
    names = Names(it)
    made = {table: rows.to_pandas() for table, rows in tables(it, names).items()}
    seen, orders = looks.at_disputes(made), looks.at_orders(made)
    cause = it.quarrels.opened.cause[seen.index.str[1:].astype(int)]
    order = orders.index.str[1:].astype(int)
    spirit, fake = it.trade.bought.spirit[order], it.trade.bought.fake[order]
    hidden = {f"order of a {kind}": spirit == i for i, kind in enumerate(SPIRITS)} | {"faked order": fake}
    asked = [(seen, CAUSES[i], cause == i) for i in range(len(CAUSES))] + [
        (orders, who, yes) for who, yes in hidden.items()
    ]
    ranks = {id(frame): Ranks.of(frame.astype(np.float32)) for frame in (seen, orders)}
    given_away: dict[str, tuple[str, float]] = {}
    for frame, what, yes in asked:
        if FEWEST <= yes.sum() <= len(yes) - FEWEST:
            auc = ranks[id(frame)].auc(yes)
            best = int(auc.argmax())
            given_away |= (
                {what: (ranks[id(frame)].names[best], round(float(auc[best]), 3))} if auc[best] > LIMIT else {}
            )
    assert given_away == {}
    assert seen.shape[1] > 100
