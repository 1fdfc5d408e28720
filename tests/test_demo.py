"""The demo replaces its own and nobody else's, and its report tells what the jobs wrote."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import RedressError
from features.kernel import DAY
from models.evaluate import evaluate
from pipelines import demo as demonstration
from pipelines.demo import LEARNT, MADE, MARK, cards, clear, demo
from pipelines.report import Cell, Page, Section, Table, evaluation_sections, html, read_evaluation


def silent(line: str) -> None:
    """Says nothing."""


def test_a_second_demo_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "demo"
    clear(out)
    (out / "ledger").mkdir()
    (out / "ledger" / "orders.parquet").write_text("old")
    (out / "report.html").write_text("old")
    (out / "notes.txt").write_text("mine")
    clear(out)
    assert sorted(path.name for path in out.iterdir()) == [MARK, "notes.txt"]


@pytest.mark.parametrize("name", MADE)
def test_a_directory_that_no_demo_made_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(RedressError, match=f"got one that holds {name}"):
        clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_what_a_link_points_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "orders.parquet").write_text("mine")
    out = tmp_path / "demo"
    clear(out)
    (out / "ledger").symlink_to(tmp_path / "mine")
    clear(out)
    assert not (out / "ledger").exists()
    assert (tmp_path / "mine" / "orders.parquet").read_text() == "mine"


@pytest.mark.parametrize("amount", [None, np.array([100.0, 200.0, np.nan, 50.0])])
def test_an_evaluation_reads_back_as_it_was_written(tmp_path: Path, amount: np.ndarray | None) -> None:
    found = evaluate([1, 0, 1, 0], {"model": [0.9, 0.1, 0.4, 0.5], "constant": [0.5] * 4}, at=[0] * 4, amount=amount)
    (tmp_path / "a.json").write_text(json.dumps(found.to_json()))
    (tmp_path / "b.json").write_text(json.dumps({"pooled": found.to_json()}))
    for read in (read_evaluation(tmp_path / "a.json"), read_evaluation(tmp_path / "b.json", "pooled")):
        assert (read.n, read.positives, read.span, read.resamples) == (4, 2, found.span, 500)
        pd.testing.assert_frame_equal(read.table, found.table)
        assert evaluation_sections(read) == evaluation_sections(found)


def test_chapters_are_listed_and_sentences_in_cells_stand_by_themselves() -> None:
    table = Table(("order", "why"), (("o1", Cell("", lines=("a < b", "c"))),))
    sections = (
        Section("One", (), table, chapter=True),
        Section("Inner"),
        Section("Two", commands="a & b", chapter=True),
    )
    page = html(Page("t", (), (), sections))
    assert '<a href="#chapter-1">One</a>' in page
    assert '<a href="#chapter-2">Two</a>' in page
    assert "Inner</a>" not in page
    assert page.count('id="chapter-') == 2
    assert "<span>a &lt; b</span><span>c</span>" in page
    assert "<code>a &amp; b</code>" in page


def test_a_review_list_that_everybody_is_on_is_left_out() -> None:
    predictors = {"model": [0.9, 0.1, 0.2, 0.3], "constant": [0.25] * 4}
    found = evaluate([1, 0, 1, 0], predictors, at=[0, DAY, 2 * DAY, 3 * DAY], buyer=[1, 2, 3, 4])
    assert found.numbers("buyer_precision_100")["estimate"] == 0.5  # one buyer a day where a hundred could be reviewed
    shown = evaluation_sections(found)[0].table
    assert shown is not None
    names = [row[0].text for row in shown.rows if isinstance(row[0], Cell)]
    assert (names[0], names[-1]) == ("AUC", "Calibration error, top 1 %")


def test_each_model_s_card_is_linked_and_its_slices_that_are_off_are_told(tmp_path: Path) -> None:
    place = {"slicing": "country", "slice": "BR", "n": 1_200, "yes": 60, "predicted": 0.02, "observed": 0.05}
    rows = [place | {"low": 0.039, "high": 0.064, "off": off} for off in (True, False)]
    for question, some in zip(LEARNT, (rows, rows[1:]), strict=True):
        (tmp_path / "train" / question).mkdir(parents=True)
        (tmp_path / "train" / question / "evaluation.json").write_text(json.dumps({"slices": some}))
    section = cards(tmp_path)
    assert section.table is not None
    said = "country BR: predicted 2.00 %, observed 5.00 % [3.90 %, 6.40 %] among 1,200 askings"
    assert [row[1:] for row in section.table.rows] == [
        ("1 of 2", Cell("", lines=(said,))),
        ("0 of 1", Cell("", lines=("none",))),
        ("–", Cell("", lines=("not measured: too few answers",))),
    ]
    page = html(Page("t", (), (), (section,)))
    assert all(f'<a href="train/{question}/card.html">{question}</a>' in page for question in LEARNT)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning:mlflow")  # of its own code
@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops:DeprecationWarning")  # pyarrow
def test_the_demo_tells_the_whole_job_on_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demonstration, "WORLD", dataclasses.replace(demonstration.WORLD, orders=8_000))
    said: list[str] = []
    closing = demo(Path("out"), said=said.append)
    page = Path("out/report.html").read_text(encoding="utf-8")
    scores = pd.read_parquet("out/scores.parquet").sort_values("probability", ascending=False)
    assert closing["report"] == "out/report.html"
    assert closing["Orders scored"] == f"{len(scores):,}"
    assert [line.split()[0] for line in said if not line.startswith("warning: the slice")] == [
        *("simulating", "checking", "writing", "training", "training", "back-testing", "scoring", "training", "writing")
    ]
    assert "simulated and enriched" in page
    assert "proves nothing about reality" in page
    assert all(order in page for order in scores["ask_id"].head(10))
    assert page.count("<svg ") == 14
    assert 'href="refunds/report.html"' in page
    assert "refuse what is confirmed" in page
    assert Path("out/refunds/records.default.jsonl").stat().st_size > 1_000
    assert Path("out/train/chargeback_risk/chargeback_risk/model.json").exists()
    assert all(Path(f"out/train/{question}/card.html").exists() for question in LEARNT)
    assert all(f'href="train/{question}/card.html"' in page for question in LEARNT)
