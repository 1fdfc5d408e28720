"""One self-contained HTML page: key numbers, then sections with a table and a figure; no request to anywhere."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined

from models.curves import Curves
from models.evaluate import METRICS, Evaluation, Metric
from pipelines import plots

Tone = Literal["", "better", "worse", "undecided"]

HEADLINE: Final = ("auc", "average_precision", "ece", METRICS[-1].name)
"""Metrics shown first."""
READ: Final = {
    "Precision and recall": "Going down the list from the highest score: how much of what is wanted has been found, "
    "and how much of what was flagged is wanted. A model is worth having where its line lies above the baselines.",
    "Money caught": "The same list in money: the amounts of those whose answer is yes. What has no known amount is "
    "reviewed and brings none.",
    "Calibration": "Askings in groups of equal size by predicted probability. On the dashed line, what was predicted "
    "is what happened; diamonds mark groups whose 95 % interval misses the prediction, empty marks groups without any "
    "yes.",
    "Scores by answer": "Each answer adds up to 100 % by itself, so that a rare yes can be seen beside the many no. "
    "The less they overlap, the better.",
}
"""How to read each figure."""
MANY: Final = 1_000
"""Askings of which 1 % are enough to be called a review list; of fewer it is 10 %."""
NBSP: Final = "\N{NO-BREAK SPACE}"
WORDS: Final[dict[Tone, str]] = {"better": "▲ better", "worse": "▼ worse", "undecided": "• undecided"}


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, a smaller second line, and a verdict in words with its tone and its interval.

    `lines` are sentences instead, one below the other, which may break where a number may not; `link` is a file beside the
    page that the text leads to.
    """

    text: str
    note: str = ""
    verdict: str = ""
    tone: Tone = ""
    interval: str = ""
    lines: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A header and rows of as many cells; `judged` if the first column of numbers is the one under test."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    judged: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and optionally a table, commands, and a figure (SVG text from `plots`, trusted as it is).

    A `chapter` is listed at the top of the page, and the sections after it, up to the next, belong to it.
    """

    heading: str
    prose: tuple[str, ...] = ()
    table: Table | None = None
    figure: str | None = None
    commands: str = ""
    chapter: bool = False


@dataclass(frozen=True)
class Page:
    """A report: title, opening sentences, key numbers as (name, number) and sections; a name may have several lines."""

    title: str
    lede: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def write_report(path: Path, page: Page) -> None:
    """Writes the page as one file, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(page), encoding="utf-8")


def html(page: Page) -> str:
    """The page as HTML; every text is escaped, figures alone are taken as they are.

    >>> "<h1>a &lt; b</h1>" in html(Page("a < b", (), (), ()))
    True
    """
    template = Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(page=page, cell=_cell, tidy=_tidy)


def table(frame: pd.DataFrame) -> Table:
    """A frame as a table, each value as it prints, an interval in brackets below its number; NaN is a dash."""
    rows = tuple(tuple("–" if pd.isna(v) else _stacked(str(v)) for v in row) for row in frame.to_numpy(object))
    return Table(tuple(map(str, frame)), rows)


def _stacked(text: str) -> str | Cell:
    """A number with its interval as two lines.

    >>> _stacked("0.7 [0.6, 0.8]")
    Cell(text='0.7', note='[0.6, 0.8]', verdict='', tone='', interval='', lines=(), link='')
    """
    found = re.fullmatch(r"([^\[]+) (\[[^]]+\])", text)
    return Cell(found[1], found[2]) if found else text


def read_evaluation(path: Path, part: str | None = None) -> Evaluation:
    """The evaluation that a job wrote to `path`, or that part of it."""
    told = json.loads(path.read_text(encoding="utf-8"))
    told = told if part is None else told[part]
    rows = pd.DataFrame(told["table"])
    numbers = dict.fromkeys(rows.columns[2:], np.float64)
    first, last = (datetime.fromisoformat(t) for t in told["span"])
    frames = {name: {c: pd.DataFrame(f) for c, f in curves.items()} for name, curves in told["curves"].items()}
    return Evaluation(
        n=told["n"],
        positives=told["positives"],
        span=(first, last),
        resamples=told["resamples"],
        table=rows.astype(numbers),
        curves={
            name: Curves(found["precision_recall"], found["calibration"], found["histogram"], found.get("money"))
            for name, found in frames.items()
        },
    )


def evaluation_facts(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    """The key numbers of an evaluation, the model's with their 95 % intervals."""
    numbers = {m: evaluation.numbers(m.name) for m in _told(evaluation) if m.name in HEADLINE}
    measured = tuple((_ranged(m, v), printed(m, v["estimate"])) for m, v in numbers.items())
    rate = f"{_rate(evaluation):.2%}".replace("%", f"{NBSP}%")
    return ("Askings", f"{evaluation.n:,}"), ("Yes", f"{evaluation.positives:,}"), ("Base rate", rate), *measured


def evaluation_sections(evaluation: Evaluation, asked: str = "orders") -> list[Section]:
    """An evaluation as sections: the numbers with their intervals and verdicts, then the plots, of what is asked about."""
    own = evaluation.curves[evaluation.model]
    figures = {
        "Precision and recall": plots.precision_recall(evaluation.curves, _rate(evaluation)),
        "Money caught": None
        if own.money is None
        else plots.money(evaluation.curves, 0.01 if evaluation.n >= MANY else 0.1, asked),
        "Calibration": plots.calibration(own),
        "Scores by answer": plots.scores(own),
    }
    drawn = [Section(name, (READ[name],), figure=figure) for name, figure in figures.items() if figure]
    return [Section("The numbers", _reading(evaluation), _comparison(evaluation)), *drawn]


def _reading(evaluation: Evaluation) -> tuple[str, ...]:
    first, last = (t.date().isoformat() for t in evaluation.span)
    return (
        f"{evaluation.n:,} askings from {first} to {last}, {evaluation.positives:,} of them yes.",
        f"In brackets the 95 % interval from {evaluation.resamples:,} resamples of the askings (of the days for buyer "
        "precision). Every predictor meets the same resamples, so the difference between model and baseline has an "
        "interval of its own, printed below the verdict. The verdict is about the model: better or worse than this "
        "baseline only where that interval leaves out zero, undecided otherwise.",
    )


def _comparison(evaluation: Evaluation) -> Table:
    names = list(evaluation.curves)
    rows = (
        (Cell(_capital(m.label), m.says), *(_number(m, evaluation.numbers(m.name, name)) for name in names))
        for m in _told(evaluation)
    )
    return Table(("", *names), tuple(rows), judged=True)


def _told(evaluation: Evaluation) -> list[Metric]:
    """The metrics that are known, without one of a review list so long that everybody is on it, whoever predicts."""
    found = {m: [evaluation.numbers(m.name, name) for name in evaluation.curves] for m in METRICS}
    listed = found[METRICS[-1]][1:]
    idle = bool(listed) and not any(
        row["difference"] or row["difference_low"] or row["difference_high"] for row in listed
    )
    return [m for m, rows in found.items() if _known(rows[0]) and not (idle and m == METRICS[-1])]


def _number(metric: Metric, row: dict[str, float]) -> Cell:
    estimate, low, high = (printed(metric, row[c]) for c in ("estimate", "low", "high"))
    interval = "" if np.isnan(row["low"]) else f"[{low}, {high}]"
    if np.isnan(row["difference_low"]):
        return Cell(estimate, interval)
    tone = _tone(metric, row["difference_low"], row["difference_high"])
    sign = 1 if metric.higher == (tone != "worse") else -1
    ends = sorted(sign * row[c] for c in ("difference_low", "difference_high"))
    by = f" by {printed(metric, abs(row['difference']))}" if tone != "undecided" else ""
    return Cell(estimate, interval, f"{WORDS[tone]}{by}", tone, " to ".join(printed(metric, end) for end in ends))


def _tone(metric: Metric, low: float, high: float) -> Tone:
    """What the interval of model − baseline says about the model."""
    if not (low > 0 or high < 0):
        return "undecided"
    return "better" if (low > 0) == metric.higher else "worse"


def printed(metric: Metric, value: float) -> str:
    """A number as its metric is printed.

    >>> printed(METRICS[0], 0.91234)
    '0.912'
    >>> printed(METRICS[0], -0.00004)
    '0.000'
    """
    return format(value, f"z{metric.format}").replace("-", "\N{MINUS SIGN}").replace("%", f"{NBSP}%")


def bracketed(style: str, *numbers: float) -> str:
    """A number as people read it, and further ones, the ends of its interval, in brackets.

    >>> bracketed("+,.2f", 1.5, -0.001, 2.0), bracketed(".0%", -0.5)
    ('+1.50 [+0.00, +2.00]', '−50%')
    """
    first, *ends = (format(one, f"z{style}" if style[0] != "+" else f"+z{style[1:]}") for one in numbers)
    told = f"{first} [{', '.join(ends)}]" if ends else first
    return told.replace("-", "\N{MINUS SIGN}")


def _ranged(metric: Metric, row: dict[str, float]) -> str:
    """The metric's label, and its interval, if it has one, on a line of its own."""
    between = "" if np.isnan(row["low"]) else f"\n{printed(metric, row['low'])} to {printed(metric, row['high'])}"
    return f"{_capital(metric.label)}{between}"


def ranged(metric: Metric, estimate: float, low: float, high: float) -> str:
    """A number with its interval in brackets, as they print."""
    return f"{printed(metric, estimate)} [{printed(metric, low)}, {printed(metric, high)}]"


def write_plots(folder: Path, sections: Sequence[Section]) -> None:
    """Writes the figure of each section as an SVG file of its own, in place of those that were there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for section in sections:
        if section.figure is not None:
            plot_path(folder, section.heading).write_text(section.figure, encoding="utf-8")


def plot_path(folder: Path, heading: str) -> Path:
    """Where `write_plots` writes the figure of a section.

    >>> plot_path(Path("plots"), "Fold by fold").name
    'fold_by_fold.svg'
    """
    name = re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_")
    return folder / f"{name}.svg"


def _tidy(text: str) -> str:
    """Keeps a percent sign on the line of its number."""
    return text.replace(" %", f"{NBSP}%")


def _known(row: dict[str, float]) -> bool:
    return not np.isnan(row["estimate"])


def _cell(cell: str | Cell) -> Cell:
    return cell if isinstance(cell, Cell) else Cell(cell)


def _rate(evaluation: Evaluation) -> float:
    return evaluation.positives / evaluation.n


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
