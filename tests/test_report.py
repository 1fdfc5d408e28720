"""The page stands alone, hurts nobody, and says who is better in words."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.evaluate import Evaluation, evaluate
from pipelines import plots
from pipelines.report import (
    Cell,
    Page,
    Section,
    Table,
    evaluation_facts,
    evaluation_sections,
    html,
    table,
    write_report,
)

HOSTILE = "<script>'$\\frac$ & \"é\"'</script>-->]]>{{ 7 * 7 }}"
EMPTY = {"meta", "br", "img", "link", "hr", "input"}


class Reader(HTMLParser):
    """Tags opened, texts seen, outside references; fails on a tag closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        links = [str(v) for k, v in attrs if k in ("src", "srcset", "href", "xlink:href", "action", "data")]
        self.outside += [link for link in links if not link.startswith("#")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    rng = np.random.default_rng(2)
    odds = rng.normal(-4, 1.5, 2_000)
    p = 1 / (1 + np.exp(-odds))
    yes = rng.random(2_000) < p
    predictors = {"model": p, HOSTILE: np.full(2_000, yes.mean()), "over": np.minimum(3 * p, 1), "same": p}
    at, buyer = np.arange(2_000) * 10**9 * 300, rng.integers(0, 300, 2_000)
    return evaluate(yes, predictors, at=at, buyer=buyer, amount=np.exp(odds + 9), resamples=50)


def full(evaluation: Evaluation) -> Page:
    rng = np.random.default_rng(4)
    values = rng.lognormal(3, 2, 500)
    folds = pd.DataFrame(
        {
            "fold": ["a", "b"] * 2,
            "predictor": ["model", "model", HOSTILE, HOSTILE],
            "estimate": [0.9, 0.8, 0.5, 0.6],
            "low": [0.85, 0.75, 0.45, 0.55],
            "high": [0.95, 0.85, 0.55, 0.65],
        }
    )
    moves = {HOSTILE: (np.where(values > 90, np.nan, values), np.log(values)), "flat": (np.ones(500), np.zeros(500))}
    figures = {
        "signals": plots.signals({HOSTILE: 3.0, "b": 2.0, "c": 1.0}, {HOSTILE: 0.9, "b": -0.5, "c": 0.0}),
        "effects": plots.effects(moves),
        "folds": plots.folds(folds, "AUC"),
    }
    drawn = [Section(name, (HOSTILE,), table(folds), figure) for name, figure in figures.items()]
    facts = (*evaluation_facts(evaluation), (HOSTILE, HOSTILE))
    return Page(HOSTILE, (HOSTILE,), facts, (*evaluation_sections(evaluation), *drawn))


@pytest.fixture(scope="module")
def page(evaluation: Evaluation) -> str:
    return html(full(evaluation))


def test_the_page_is_one_file_that_asks_for_nothing(page: str) -> None:
    assert read(page).outside == []
    assert not re.search(r"@import|url\((?!#)|<(script|link|iframe|object|embed)\b", page)
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_hostile_names_are_text_everywhere(page: str) -> None:
    reader = read(page)
    assert "script" not in reader.tags
    assert reader.text.count(HOSTILE) >= 8


def test_every_figure_is_there_with_a_finding_as_its_title(page: str) -> None:
    assert read(page).tags.count("svg") == 7
    titles = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert len(titles) == 7
    assert any(re.match(r"Reviewing 1\xa0% of orders catches \d+", title) for title in titles)


def test_no_two_figures_share_an_id(page: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', page)) <= set(ids)


def test_the_same_input_gives_the_same_bytes(page: str, evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(tmp_path / "new" / "report.html", full(evaluation))
    assert (tmp_path / "new" / "report.html").read_bytes() == page.encode()


def verdicts(evaluation: Evaluation, metric: str) -> dict[str, str]:
    comparison = evaluation_sections(evaluation)[0].table
    assert comparison is not None
    row = next(r for r in comparison.rows if isinstance(r[0], Cell) and r[0].text == metric)
    return {name: c.verdict for name, c in zip(comparison.header, row, strict=True) if isinstance(c, Cell)}


def test_the_verdict_is_about_the_model_and_in_words(evaluation: Evaluation) -> None:
    assert verdicts(evaluation, "AUC")[HOSTILE].startswith("▲ better by 0.")
    assert verdicts(evaluation, "AUC")["same"] == "• undecided"
    assert verdicts(evaluation, "AUC")["model"] == ""
    assert verdicts(evaluation, "Log loss")["over"].startswith("▲ better by 0.")


def test_a_worse_model_is_called_worse() -> None:
    rng = np.random.default_rng(2)
    p = rng.uniform(0, 0.5, 2_000)
    yes = rng.random(2_000) < p
    found = evaluate(yes, {"model": np.full(2_000, 0.5), "truth": p}, at=np.zeros(2_000), resamples=50)
    assert verdicts(found, "AUC")["truth"].startswith("▼ worse by 0.")
    assert verdicts(found, "Brier score")["truth"].startswith("▼ worse by 0.")
    assert not any(isinstance(r[0], Cell) and r[0].text == "Buyer precision" for r in rows(found))


def rows(evaluation: Evaluation) -> tuple[tuple[str | Cell, ...], ...]:
    comparison = evaluation_sections(evaluation)[0].table
    assert comparison is not None
    return comparison.rows


def test_an_evaluation_without_amounts_has_no_money_figure() -> None:
    found = evaluate([1, 0, 0], {"model": [0.9, 0.1, 0.2], "constant": [0.3] * 3}, at=[0, 1, 2], resamples=20)
    assert "Money caught" not in [section.heading for section in evaluation_sections(found)]
    assert [name for name, _ in evaluation_facts(found)][:3] == ["Askings", "Yes", "Base rate"]


def test_a_table_keeps_its_order_and_shows_unknown_as_a_dash() -> None:
    assert table(pd.DataFrame({"b": [1.5, np.nan], "a": ["x", None]})) == Table(("b", "a"), (("1.5", "x"), ("–", "–")))


def test_a_bare_page_is_still_a_page() -> None:
    assert read(html(Page("t", (), (), ()))).tags.count("h1") == 1
