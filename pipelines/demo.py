"""The demo: the whole job on a small simulated marketplace, told in one report."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from features import RedressError
from features.asking import ASKED
from features.build import HORIZON
from features.kernel import DAY
from models.explain import COLUMNS
from models.questions import QUESTIONS
from models.slices import complaints
from pipelines.backtest import backtest
from pipelines.check import check
from pipelines.marketplace import world
from pipelines.marketplace.draws import end
from pipelines.opening import Said, moment
from pipelines.refunds import refunds
from pipelines.report import (
    Cell,
    Page,
    Section,
    Table,
    evaluation_facts,
    evaluation_sections,
    plot_path,
    read_evaluation,
    write_report,
)
from pipelines.score import score
from pipelines.signals import write_signals
from pipelines.simulate import simulate_ledger
from pipelines.train import train

WORLD: Final = world("enriched", orders=40_000, days=540)
SEED: Final = 1
END: Final = end(WORLD)
TODAY: Final = END - 30 * DAY
"""The models learn what was known by then, and the orders since are scored."""
LEARNT: Final = ("chargeback_risk", "dispute_outcome")
RISK, OUTCOME = LEARNT
MALICE: Final = "malicious_dispute"
DECIDED: Final = TODAY - 150 * DAY
"""The model of malice learns what was known by then, and the disputes since are answered."""
POLICIES: Final = ("default", "strict", "generous")
FOLDS: Final = 3
TEST: Final = 45 * DAY
MARK: Final = ".redress-demo"
MADE: Final = (
    "ledger",
    "signals.parquet",
    "train",
    "backtest",
    "scores.parquet",
    "refunds",
    "redress.db",
    "mlruns",
    "report.html",
)
"""What the demo writes, and the next one in the same directory replaces."""
REAL: Final = 1.6
"""Chargebacks for 10,000 real sales (Kansas City Fed 2016)."""
RISKIEST: Final = 10
DRAWN: Final = {
    "The signals that weigh most": "The mean size of what each signal adds to the log-odds, as a share of all.",
    "How they move the odds": "Each of the first six, over the range of its values.",
    "Fold by fold": "Each walk forward by itself, with its 95 % interval.",
}
"""Figures taken over from the reports of training and back-testing, and how to read them."""
COMMANDS: Final = """redress import mapping.sql --source downloads --out ledger
redress check ledger
redress train chargeback_risk --ledger ledger --as-of 2025-05-25
redress backtest chargeback_risk --ledger ledger --to 2025-02-23 --folds 3 --test 45d
redress score chargeback_risk --ledger ledger --from 2025-05-25 --to 2025-06-24 --reasons \\
    --model models:/chargeback_risk@champion --out scores.parquet
redress train malicious_dispute --ledger ledger --as-of 2024-12-26
redress refunds --ledger ledger --models redress-out/train --from 2024-12-26 --to 2025-06-24 --policy default --policy strict"""


def demo(out: Path, *, said: Said) -> Mapping[str, object]:
    """Simulates a ledger in `out`, checks it, trains, back-tests and scores on it, and writes `out`/report.html."""
    clear(out)
    ledger, tracking = out / "ledger", f"sqlite:///{out / 'redress.db'}"
    said(
        f"simulating {WORLD.orders:,} orders over {WORLD.days:g} days, with far more fraud than a real marketplace has"
    )
    simulate_ledger(WORLD, ledger, seed=SEED, said=_warnings(said))
    said("checking the ledger")
    held = check(ledger, horizon=HORIZON, said=_warnings(said))
    said("writing the signals of the last 30 days of orders")
    _signals(ledger, out, said)
    for question in LEARNT:
        said(f"training {question} on what was known by {moment(TODAY)[:10]}")
        _train(question, ledger, tracking, out, said, TODAY)
    said(f"back-testing {RISK}, {FOLDS} walks forward")
    _backtest(ledger, out, said)
    said("scoring the last 30 days of orders")
    _score(ledger, tracking, out, said)
    said(f"training {MALICE} on what was known by {moment(DECIDED)[:10]}, and answering the disputes since")
    _train(MALICE, ledger, tracking, out, said, DECIDED)
    models = out / "train" / MALICE
    refunds(ledger, models, POLICIES, out / "refunds", start=DECIDED, stop=END, said=_warnings(said))
    said(f"writing {out / 'report.html'}")
    page = _page(out, held)
    write_report(out / "report.html", page)
    return {name.replace("\n", ", "): number for name, number in page.facts} | {"report": str(out / "report.html")}


def clear(out: Path) -> None:
    """Takes away what an earlier demo wrote in `out`, known by its mark, and marks `out`; touches nothing else."""
    there = [path for name in MADE if (path := out / name).exists() or path.is_symlink()]
    if there and not (out / MARK).is_file():
        held = there[0].name
        raise RedressError(f"{out}: want a directory of no one else's, got one that holds {held}; name another --out")
    for path in there:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).write_text(f"Made by redress demo, and replaced by the next: {', '.join(MADE)}.\n", encoding="utf-8")


def _warnings(said: Said) -> Said:
    """Says only the warnings of a step, which is one line here."""
    return lambda line: said(line) if line.startswith("warning") else None


def _signals(ledger: Path, out: Path, said: Said) -> None:
    write_signals(
        RISK,
        ledger,
        out / "signals.parquet",
        start=TODAY,
        stop=END,
        asks=None,
        horizon=HORIZON,
        only=None,
        said=_warnings(said),
    )


def _train(question: str, ledger: Path, tracking: str, out: Path, said: Said, as_of: int) -> None:
    train(
        question,
        ledger,
        as_of=as_of,
        start=None,
        horizon=HORIZON,
        tracking=tracking,
        out=out / "train" / question,
        seed=SEED,
        champion=True,
        said=_warnings(said),
    )


def _backtest(ledger: Path, out: Path, said: Said) -> None:
    backtest(
        RISK,
        ledger,
        start=None,
        stop=None,  # where answers are due
        horizon=HORIZON,
        n=FOLDS,
        train=None,
        gap=None,
        test=TEST,
        exclude=None,
        out=out / "backtest",
        seed=SEED,
        said=_warnings(said),
    )


def _score(ledger: Path, tracking: str, out: Path, said: Said) -> None:
    score(
        RISK,
        ledger,
        f"models:/{RISK}@champion",
        out / "scores.parquet",
        start=TODAY,
        stop=END,
        asks=None,
        with_reasons=True,
        tracking=tracking,
        said=_warnings(said),
    )


def _page(out: Path, held: dict[str, object]) -> Page:
    """The report of all that the steps wrote in `out`, and of what the ledger held."""
    orders, chargebacks = (
        len(pd.read_parquet(out / "ledger" / f"{name}.parquet")) for name in ("orders", "chargebacks")
    )
    scores = _ranked(out)
    lede = (
        f"This marketplace is simulated and enriched: {10_000 * chargebacks / orders:.0f} chargebacks for 10,000 orders, "
        f"where real ones see about {REAL:g}. It shows that the machinery works and proves nothing about reality.",
        f"Two models learnt what was known by {moment(TODAY)[:10]}; one of them scored the orders of the 30 days that "
        f"followed. A third, of malice, learnt what was known by {moment(DECIDED)[:10]}, and three policies answered the "
        "disputes since. Each number below is from askings that the model measured had not seen.",
    )
    facts = (
        ("Orders simulated", f"{orders:,}"),
        ("Chargebacks", f"{chargebacks:,}"),
        *_key(RISK, out, ("AUC", "Average precision")),
        *_key(OUTCOME, out, ("AUC",)),
        ("Orders scored", f"{len(scores):,}"),
        ("Chargebacks expected of these", f"{scores['probability'].sum():.0f}"),
    )
    title = "A simulated marketplace, from its ledger to the risk of each order"
    told = [
        *_question(RISK, out),
        *_walks(out),
        *_question(OUTCOME, out),
        cards(out),
        _riskiest(scores),
        *_refunds(out),
    ]
    sections = [*told, _ledger(held), _own()]
    return Page(title, lede, facts, tuple(sections))


def _ranked(out: Path) -> pd.DataFrame:
    """The scored orders with their amounts, the riskiest first."""
    amounts = pd.read_parquet(out / "ledger" / "orders.parquet", columns=["order_id", "amount"])
    scores = pd.read_parquet(out / "scores.parquet").merge(amounts, left_on="ask_id", right_on="order_id")
    return scores.sort_values(["probability", "ask_id"], ascending=[False, True], ignore_index=True)


def _key(question: str, out: Path, labels: tuple[str, ...]) -> list[tuple[str, str]]:
    """The key numbers of a question's evaluation that begin with one of `labels`."""
    found = evaluation_facts(read_evaluation(out / "train" / question / "evaluation.json"))
    of = f" of {question.replace('_', ' ')}\n"
    return [(label.replace("\n", of), number) for label, number in found if label.startswith(labels)]


def _question(question: str, out: Path) -> list[Section]:
    """The chapter of a question: its numbers, then every plot."""
    folder, asked = out / "train" / question, QUESTIONS[question]
    numbers, *plots = evaluation_sections(read_evaluation(folder / "evaluation.json"), ASKED[question])
    says = (
        f"Yes: {asked.yes}; no: {asked.no}. Measured on the latest askings whose answers are known, by the same recipe "
        "trained on what was known when they began; the model in use has learnt from them as well."
    )
    chapter = replace(numbers, heading=f"{question}: {asked.says}", prose=(says, *numbers.prose), chapter=True)
    return [
        chapter,
        *plots,
        *(_drawn(folder, name) for name in ("The signals that weigh most", "How they move the odds")),
    ]


def _walks(out: Path) -> list[Section]:
    """The chapter of the back-test: all folds together, then one by one."""
    numbers = evaluation_sections(read_evaluation(out / "backtest" / "evaluation.json", "pooled"), ASKED[RISK])[0]
    says = (
        f"{FOLDS} walks forward over {FOLDS * TEST // DAY} days. Each trained on the answers known when its test span began, "
        f"which are those of orders {HORIZON // DAY} days older. The table takes all tests together."
    )
    prose = (says, numbers.prose[0])
    chapter = replace(numbers, heading=f"{RISK}, as it would have gone", prose=prose, chapter=True)
    return [chapter, _drawn(out / "backtest", "Fold by fold")]


def _drawn(folder: Path, heading: str) -> Section:
    figure = plot_path(folder / "plots", heading).read_text(encoding="utf-8")
    return Section(heading, (DRAWN[heading],), figure=figure)


def cards(out: Path) -> Section:
    """The chapter of the models that are registered: where the card of each lies, and which of its slices are off."""
    says = (
        "A card says what a model answers, what it learnt from, how it does by groups, and what it must not be used for. A "
        "slice is off where predicted and observed lie further apart than chance and a small miss allow; of a slice that is, "
        "probabilities are to be taken with care.",
    )
    rows = tuple(_carded(question, out) for question in (*LEARNT, MALICE))
    return Section("The models' cards", says, Table(("model", "slices off", "which"), rows), chapter=True)


def _carded(question: str, out: Path) -> tuple[str | Cell, ...]:
    folder = Path("train") / question
    name = Cell(question, link=(folder / "card.html").as_posix())
    if not (out / folder / "evaluation.json").exists():
        return name, "–", Cell("", lines=("not measured: too few answers",))
    found = pd.DataFrame(json.loads((out / folder / "evaluation.json").read_text("utf-8"))["slices"])
    off = tuple(complaints(found)) or ("none",)
    return name, f"{int(found['off'].sum())} of {len(found)}", Cell("", lines=off)


def _riskiest(scores: pd.DataFrame) -> Section:
    """The riskiest orders, each with what adds to its log-odds and why."""
    parts = [part for part in COLUMNS if scores[part].any()]
    header = ("order", "probability", "amount", *(part.removesuffix("_part") for part in parts), "what raises it most")
    raises = f": speaks for {QUESTIONS[RISK].yes}, "
    rows: tuple[tuple[str | Cell, ...], ...] = tuple(
        (
            Cell(str(row["ask_id"]), f"{row['at']:%Y-%m-%d %H:%M}"),
            f"{100 * row['probability']:.1f} %",
            f"{row['amount'] / 100:,.2f}",
            *(f"{row[part]:+.2f}".replace("-", "\N{MINUS SIGN}") for part in parts),
            Cell("", lines=tuple(_reason(line) for line in row["reasons"] if raises in line)),
        )
        for row in scores.head(RISKIEST).to_dict("records")
    )
    says = (
        "Of the last 30 days of orders, whose answers are not due yet. The parts are log-odds: what the order, its product, "
        "buyer and seller add to the base, which is the same for all; together they give the probability.",
    )
    return Section(f"The {RISKIEST} riskiest orders", says, Table(header, rows), chapter=True)


def _refunds(out: Path) -> list[Section]:
    """The chapter of refunds: what each way of answering costs, and whom it refuses."""
    found = pd.DataFrame(json.loads((out / "refunds" / "refunds.json").read_text("utf-8"))["ways"])
    rows: tuple[tuple[str | Cell, ...], ...] = tuple(
        (row["way"], f"{row['cost'] / 100:,.2f}", f"{row['honest_refused']:.2%}") for row in found.to_dict("records")
    )
    says = (
        "What a dispute costs by each way of answering it, in whole currency, by the truth beside the ledger: money, further "
        "claims that paid malice encourages, banks, buyers who leave, work and waiting. Nobody is refused by a score alone.",
    )
    table = Table(
        ("way of answering", "cost of a dispute", "honest refused without a person"),
        (*rows, (Cell("all of it, with intervals", link="refunds/report.html"), "", "")),
    )
    figure = plot_path(out / "refunds" / "plots", "Money").read_text(encoding="utf-8")
    return [Section("Refunds, as policies would have answered", says, table, figure, chapter=True)]


def _reason(line: str) -> str:
    """A reviewer's line without weights, and without all but the first of its signals.

    >>> _reason("Buyer's credit: speaks for charged back, +0.41 | credit = 34 points (+0.31) | its range = 20 points (+0.10)")
    "Buyer's credit: credit = 34 points"
    """
    says, first = line.split(" | ")[:2]
    return f"{says.partition(': speaks')[0]}: {first.rpartition(' (')[0]}"


def _ledger(held: dict[str, object]) -> Section:
    rows = tuple((name, Cell("", lines=(str(told),))) for name, told in held.items())
    says = (
        "The tables as the platform learnt them, and what can be asked of them, in the words of redress check. What is hidden "
        "lies in ledger/truth, by which the costs of refunds are told and which nothing that learns or decides has read; "
        "redress simulate --describe tells how far signals can see."
    )
    return Section("What the ledger held", (says,), Table(("", ""), rows), chapter=True)


def _own() -> Section:
    says = (
        "With a mapping in SQL, which says what in your files is an order, a dispute or a chargeback, and when each became "
        "known. A back-test ends a horizon before the ledger does: later answers are not due yet."
    )
    return Section("The same on data of your own", (says,), commands=COMMANDS, chapter=True)
