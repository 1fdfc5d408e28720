"""The model card: what a model answers, what it learnt from, how well it does, and what it must not be used for."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features.asking import ASKED, DEFENDED
from features.kernel import DAY, HOUR
from models import Model
from models.evaluate import Evaluation
from models.promotion import HONEST, Check, Verdict
from models.questions import YES, Question
from models.split import Labelled
from pipelines.learning import Cases
from pipelines.opening import moment
from pipelines.report import (
    NBSP,
    Cell,
    Page,
    Section,
    Table,
    evaluation_facts,
    evaluation_sections,
    plot_path,
    table,
    write_report,
)
from pipelines.teaching import blind, counted, facts_of, looked_into, softly, taught_by

USES: Final[Mapping[str, str]] = {
    "chargeback_risk": (
        "For ranking orders that a person looks at before they are shipped or paid out, and for pricing expected loss."
    ),
    "dispute_outcome": "For ranking disputes by how clear they are, and for weighing an early refund against a ruling.",
    "malicious_dispute": "For ranking disputes that a person looks at, beside signals that confirm or clear the suspicion.",
    "chargeback_win": (
        "For choosing which chargebacks to contest, and which evidence is worth obtaining first. By itself it is asked about "
        "those contested; for one that is not, ask with --asks at a time of your choosing."
    ),
}
SELECTED: Final[Mapping[str, str]] = {
    "chargeback_risk": (
        "Its “no” means that no chargeback came. A refund, a cancellation or a block may have kept one away, so "
        "orders that were put right in time look safer than they were."
    ),
    "dispute_outcome": (
        "It learnt from disputes that were ruled on. Those settled, withdrawn or refunded without a ruling taught"
        " it nothing, and may differ."
    ),
    "malicious_dispute": (
        "Findings were too few to weigh what others say by, so it learnt from disputes that were looked into alone. These"
        " are suspected first, and the probability is that of a finding if a dispute is looked into as they were."
    ),
    "chargeback_win": (
        "It learnt from chargebacks that were contested, weighted by what the bank's notice says to stand for all. Those "
        "never contested show neither win nor loss, and may be weaker by what no notice says."
    ),
}
LIMITS: Final = (
    "Not for refusing, blocking or freezing anybody by itself. A probability is no finding: an adverse decision "
    "wants a confirmed signal besides, such as an earlier finding or complete weight evidence, or a person who "
    "looks; it wants a reason that is told, and a way to appeal (GDPR, article 22, and its kin).",
    "Not for another question, another horizon or another marketplace: there it is a guess until a back-test says "
    "otherwise.",
    "Not for groups that the tables below leave out, being too small to judge: nothing is known of how it treats them.",
    "Not for ever: it was measured on the span below. Markets drift, and so does calibration; train and measure it "
    "again.",
    "If the ledger was simulated (redress simulate, redress demo), all numbers show that the machinery works and "
    "nothing about a real marketplace.",
)
NAMES: Final[Mapping[str, str]] = {
    "even": "Did neither have a start?",
    "better": "Is it surely better?",
    "calibrated": "Is it calibrated in every large group?",
    "unharmed": "Is it as fair to the honest of every group?",
}
READ: Final[Mapping[str, str]] = {
    "better": (
        "The challenger is here the same recipe, trained on what was known when the latest mature slice began, or up to "
        "the moment that the champion knew if that is later. "
        "Its numbers less those of the champion, or of the base rate where there is none, on the same askings, with the "
        "95 % interval of the difference. Less log loss and more average precision are better; the first decides."
    ),
    "calibrated": (
        "Predicted less observed share of yes, with the interval that holds for all groups together, measured on "
        "the latest mature slice. A group fails where the whole interval lies beyond the tolerance; where "
        "only its middle does, more answers will tell."
    ),
    "unharmed": (
        "Of a group's honest, the share among the most suspected 5 % of all askings: challenger less champion, "
        "with the interval that holds for all groups together. A group is harmed where the share surely grows, "
        "and by more than one point."
    ),
}
SHOWN: Final = ("rows", "champion", "challenger", "predicted", "observed", "difference", "tolerance")
FORMS: Final[Mapping[str, str]] = {"rows": ",.0f", "log_loss": ".5f", "average_precision": ".4f"}


def card(
    work: Cases,
    data: Labelled,
    model: Model,
    evaluation: Evaluation | None,
    slices: Check | None,
    verdict: Verdict,
    command: str,
) -> Page:
    """The card of a model as a page; its first sentence alone describes the model in the registry."""
    alias = "champion" if verdict.promoted else "challenger"
    measured = () if evaluation is None else evaluation_facts(evaluation)[3:]
    facts = (("Alias", alias), *facts_of(work.question, model, data))
    selected = blind(work.question, model) if softly(model) else SELECTED[work.question.name]
    sections = (
        _purpose(work),
        Section("What it must not be used for", (LIMITS[0], selected, *LIMITS[1:])),
        *_numbers(evaluation, work.question),
        *([] if slices is None else [_check(slices, (READ["calibrated"], f"{_capital(slices.says)}."))]),
        *_promotion(verdict, alias, work),
        _learnt_from(work),
        _maturity(work, data),
        _made(model, command),
    )
    lede = (_lede(work, data, model), f"It is the {alias}. {_capital(verdict.says)}.")
    return Page(f"Model card: {work.question.name}", lede, (*facts, *measured), sections)


def _lede(work: Cases, data: Labelled, model: Model) -> str:
    at = work.asks.at if softly(model) else work.asks.at[data.which]
    first, last = (moment(int(at[i]))[:10] for i in (0, -1))
    learnt = taught_by(work.question, model, data, f" of {first} to {last}")
    says = f"The probability that the answer is yes: {work.question.says}"
    return f"{says} {learnt}, known by {moment(data.as_of)[:16]} UTC."


def _purpose(work: Cases) -> Section:
    about = work.question
    when = "when a defence is first filed" if about.name in DEFENDED else "at the moment they are known"
    rows = [
        ("asked", about.says),
        ("asked about", f"rows of {ASKED[about.name]}, {when}, or with --asks at any moment since they are known"),
        *([("horizon", f"{work.horizon / DAY:g} days after the order")] if about.horizon else []),
        ("yes", about.yes),
        ("no", about.no),
        ("answer", "a calibrated probability, its log-odds by part (order, product, buyer, seller, …), and reasons"),
        ("answers come from", ", ".join(about.needs)),
        *([("soft labels come from", ", ".join(_tables(about)))] if about.sources else []),
    ]
    cells = tuple((name, Cell("", lines=(says,))) for name, says in rows)
    return Section("What it answers", (USES[about.name],), Table(("", ""), cells))


def _tables(about: Question) -> list[str]:
    """The tables that the sources of soft labels speak in."""
    return list(dict.fromkeys(table for source in about.sources for table in source.needs))


def _learnt_from(work: Cases) -> Section:
    rows = []
    for name, facts in work.ledger.facts.items():
        span = [moment(int(facts.at[i]))[:10] for i in (0, -1)] if len(facts) else ["–", "–"]
        rows.append((name, f"{len(facts):,}", *span, f"{len(work.ledger.bad.get(name, ())):,}"))
    says = "Every signal knows what was learnt before the asking, and nothing later."
    return Section(
        "The data", (says,), table(pd.DataFrame(rows, columns=["table", "rows", "from", "to", "bad rows left out"]))
    )


def _maturity(work: Cases, data: Labelled) -> Section:
    asked = max(data.counts["asked"], 1)
    age = f"{data.maturity / DAY:.3g} days"
    why = (
        f"the horizon of a chargeback, {age}"
        if work.question.horizon
        else f"{age}, by when 95 % of the answers had come"
    )
    young, share = data.counts["immature"], _printed(data.counts["immature"] / asked, ".0%")
    says = (
        f"An asking is mature after {why}. {young:,} younger ones, {share} of all, are "
        "left out whatever became of them, so that fast answers don't crowd out slow ones."
    )
    rows = [(name, f"{n:,}", _printed(n / asked, ".1%")) for name, n in counted(work.question, data.counts).items()]
    return Section("Span and maturity", (says,), table(pd.DataFrame(rows, columns=["", "askings", "of all"])))


def _numbers(evaluation: Evaluation | None, about: Question) -> list[Section]:
    """The numbers beside the baselines, and the picture of calibration."""
    if evaluation is None:
        return [Section("How well it does", ("Not measured: the latest mature slice has too few of one answer.",))]
    numbers, *drawn = evaluation_sections(evaluation, ASKED[about.name])
    says = "These are the numbers of the same recipe, trained on what was known when the latest mature slice began."
    return [
        replace(numbers, heading="How well it does", prose=(says, *looked_into(about), *numbers.prose)),
        *(section for section in drawn if section.heading == "Calibration"),
    ]


def _promotion(verdict: Verdict, alias: str, work: Cases) -> Iterator[Section]:
    """The checks at a glance, then the numbers of those that compare it with the champion."""
    met = (f"The champion that it met is version {verdict.champion}.",) if verdict.champion else ()
    says = () if verdict.checks and verdict.outcome != "overridden" else (f"{_capital(verdict.says)}.",)
    rows = tuple(
        (NAMES[check.name], _passed(check), Cell("", lines=(_capital(check.says),))) for check in verdict.checks
    )
    glance = Table(("", "verdict", "because"), rows) if rows else None
    yield Section(f"Why it is the {alias}", (f"{_capital(verdict.outcome)}.", *says, *met), glance)
    low, about = HONEST[work.question.name] == YES, work.question
    harmed = f"Honest are those whose answer is “{about.yes if low else about.no}”"
    read = dict(
        READ, unharmed=f"{READ['unharmed']} {harmed}, suspected the {'lowest' if low else 'highest'} probabilities."
    )
    yield from (_check(check, (read[check.name],)) for check in verdict.checks if check.name in ("better", "unharmed"))


def _passed(check: Check) -> Cell:
    return Cell("", verdict="▲ yes" if check.passed else "▼ no", tone="better" if check.passed else "worse")


def _check(check: Check, prose: tuple[str, ...]) -> Section:
    """A check with its numbers: the interval below the difference, and below the name of a group whether it may fail."""
    shown = [name for name in SHOWN if name in next(iter(check.numbers.values()))]
    rows = tuple(
        (_held(whose, row), *(_cell(whose, name, row) for name in shown)) for whose, row in check.numbers.items()
    )
    return Section(NAMES[check.name], prose, Table(("", *shown), rows))


def _held(whose: str, row: Mapping[str, float]) -> Cell:
    """A group's name, with a word where its number is beyond bounds: surely, or maybe."""
    name = _capital(whose.replace("_", " ") if whose in FORMS else whose)
    if not row.get("held", 1.0):
        return Cell(name, verdict="▼ beyond bounds", tone="worse")
    doubtful = abs(row["difference"]) > row.get("tolerance", np.inf)
    return Cell(name, verdict="• perhaps beyond bounds" if doubtful else "", tone="undecided" if doubtful else "")


def _cell(whose: str, name: str, row: Mapping[str, float]) -> Cell:
    form = FORMS.get(name, FORMS.get(whose, ".2%"))
    text, low, high = (_printed(row[k], form) if k in row else "" for k in (name, "low", "high"))
    return Cell(text, f"[{low}, {high}]" if name == "difference" else "")


def _printed(value: float, form: str) -> str:
    return "–" if np.isnan(value) else format(value, f"z{form}").replace("-", "\N{MINUS SIGN}").replace("%", f"{NBSP}%")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _made(model: Model, command: str) -> Section:
    told = model.card
    rows = [
        ("redress", version("redress")),
        ("LightGBM", version("lightgbm")),
        ("signals", f"{len(model.signals):,}"),
        ("trees", str(told["rounds"])),
        ("seed", str(told["seed"])),
        ("knows until", str(told["trained_until"])),
        ("ledger", str(told["ledger"])),
    ]
    says = "The same ledger, version and seed give the same model, to the byte."
    return Section(
        "How to make it again", (says,), table(pd.DataFrame(rows, columns=["", "version"])), commands=command
    )


def command(work: Cases, ledger: Path, start: int | None, until: int, seed: int, tune: int) -> str:
    """The command that trains the same model again."""
    words = ["redress", "train", work.question.name, "--ledger", str(ledger), "--as-of", moment(until)]
    words += [] if start is None else ["--from", moment(start)]
    days, hours = work.horizon // DAY, work.horizon // HOUR
    words += ["--horizon", f"{hours}h" if work.horizon % DAY else f"{days}d"] if work.question.horizon else []
    words += ["--tune", str(tune)] if tune else []
    return shlex.join([*words, "--seed", str(seed)])


def write_card(out: Path, page: Page) -> None:
    """Writes the card as `card.html` and `card.md`."""
    write_report(out / "card.html", page)
    (out / "card.md").write_text(markdown(page), encoding="utf-8")


def markdown(page: Page) -> str:
    """A page as Markdown; its figures are those that lie beside it in `plots`.

    >>> print(markdown(Page("A model", ("It predicts.",), (), (Section("Data", (), Table(("", "rows"), (("a|b", "2"),))),))))
    # A model
    <BLANKLINE>
    It predicts.
    <BLANKLINE>
    ## Data
    <BLANKLINE>
    |  | rows |
    |---|---|
    | a\\|b | 2 |
    <BLANKLINE>
    """
    facts = Table(("", ""), page.facts)
    blocks = [f"# {page.title}", *page.lede, *([_rows(facts)] if page.facts else [])]
    return "\n\n".join([*blocks, *(block for section in page.sections for block in _blocks(section))]) + "\n"


def _blocks(section: Section) -> Iterator[str]:
    yield f"## {section.heading}"
    yield from section.prose
    if section.commands:
        yield f"```sh\n{section.commands}\n```"
    if section.figure:
        yield f"![{section.heading}]({plot_path(Path('plots'), section.heading).as_posix()})"
    if section.table:
        yield _rows(section.table)


def _rows(found: Table) -> str:
    lines = [found.header, ("---",) * len(found.header), *found.rows]
    return "\n".join(_line(line) if line[0] != "---" else f"|{'|'.join(map(str, line))}|" for line in lines)


def _line(cells: tuple[str | Cell, ...]) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(cell: str | Cell) -> str:
    """A cell on one line, its parts one after the other."""
    parts = (cell,) if isinstance(cell, str) else (cell.text, *cell.lines, cell.note, cell.verdict, cell.interval)
    return " ".join(part for part in parts if part).replace("|", "\\|").replace("\n", " ")
