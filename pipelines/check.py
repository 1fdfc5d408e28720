"""The job of checking a ledger: what is in it, what is bad, and what can be asked of it."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from features import Ledger
from features.asking import ASKED, Askings, asked_at
from features.columns import Codes
from features.dictionary import dictionary, lacking
from features.families import FAMILIES
from features.kernel import DAY, first_meetings
from features.ledger import Facts
from features.sharing import PLACEHOLDER
from features.transaction import LINKS
from models.denominators import NEEDS, states, win_shares
from models.questions import QUESTIONS, answers
from models.split import labelled
from pipelines.opening import Said, moment, opened

SHARES: Final = ("contested and ended, without withdrawn", "all chargebacks")
"""Denominators of the share won that are told."""


def check(path: Path, *, horizon: int, said: Said) -> dict[str, object]:
    """Reads every table, writes bad rows to `quarantine/`, and tells rows, spans, placeholders, signals and questions."""
    ledger = opened(path, said)
    written = ledger.quarantine()
    closing: dict[str, object] = {}
    for name, facts in ledger.facts.items():
        bad, copies = ledger.bad[name], int(ledger.bad[name].copies.sum())
        span = f", {moment(int(facts.at[0]))[:10]} to {moment(int(facts.at[-1]))[:10]}" if len(facts) else ""
        left = f", {len(bad):,} bad" + (f", {copies:,} copies collapsed" if copies else "")
        closing[name] = f"{len(facts):,} rows{span}{left}"
        for reason, rows in _reasons(bad.reasons()).items():
            said(f"{rows:,} x {reason}")
    for name, file in written.items():
        said(f"wrote bad {name} to {file}")
    closing |= _placeholders(ledger)
    closing |= won(ledger)
    for question in ASKED:
        closing[question] = _support(ledger, question, horizon)
    return closing | _families(ledger)


def won(ledger: Ledger) -> dict[str, object]:
    """The share of chargebacks won, over the denominators of SHARES; nothing where the ledger does not tell."""
    if not set(NEEDS) <= ledger.facts.keys():
        return {}
    found = win_shares(states(ledger, ledger.last_at + 1))
    said = [
        f"{100 * row['share']:.1f} % [{100 * row['low']:.1f} %, {100 * row['high']:.1f} %] of {row['n']:,} {row['among']}, "
        f"{100 * row['immature']:.1f} % not yet ended"
        for row in found[found["among"].isin(SHARES)].to_dict("records")
    ]
    return {"chargebacks won": "; ".join(said)} if said else {}


def _families(ledger: Ledger) -> dict[str, object]:
    """Of each family of signals, over all questions, how many the ledger can give, and what the others lack."""
    told: dict[str, object] = {}
    for family in FAMILIES:
        lost: dict[str, list[str]] = {}
        for one in (one for question in ASKED for one in dictionary(question) if one.family == family.name):
            wants = lacking(ledger, one)  # a name may need other tables in another question
            lost[one.name] = min(lost.get(one.name, wants), wants, key=len)
        gone = [need for need in lost.values() if need]
        told[f"signals of {family.name}"] = f"{len(lost) - len(gone):,} of {len(lost):,}" + _wanting(gone)
    return told


def _wanting(lost: list[list[str]]) -> str:
    """What is absent, first what most signals want."""
    wants = Counter(need for some in lost for need in _largest(some))
    return f"; absent for want of {', '.join(need for need, _ in wants.most_common())}" if wants else ""


def _reasons(reasons: "pd.Series[str]") -> dict[str, int]:
    """How many rows are bad for each reason, whatever value came."""
    counts = reasons.astype(str).str.replace(r"^(\w+\.\w+ is [^:]*): .*$", r"\1", regex=True).value_counts()
    return {str(reason): int(rows) for reason, rows in counts.items()}


def _placeholders(ledger: Ledger) -> dict[str, object]:
    """Ids of links that more buyers share than one person's would be, by column."""
    orders = ledger.facts["orders"]
    columns = [column for link in LINKS if orders.has(column := link.columns[0].partition(".")[2])]
    buyers = orders.codes("buyer_id")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda column: _crowds(orders, column, buyers), columns))
    return {f"placeholders in {column}": told for column, told in zip(columns, found, strict=True) if told}


def _crowds(orders: Facts, column: str, buyers: Codes) -> str:
    """The ids of a column with more than PLACEHOLDER buyers, the most crowded first."""
    ids = orders.codes(column)
    busy = np.bincount(ids.codes[ids.codes >= 0], minlength=len(ids.values)) > PLACEHOLDER
    rows = np.flatnonzero(np.append(busy, False)[ids.codes])
    new = first_meetings(ids.codes[rows], len(ids.values), buyers.codes[rows], len(buyers.values))
    crowd = np.bincount(ids.codes[rows], new, len(ids.values))
    many = sorted(np.flatnonzero(crowd > PLACEHOLDER).tolist(), key=lambda i: -crowd[i])
    told = [f"{ids.values[i]} ({int(crowd[i]):,} buyers)" for i in many[:5]]
    return ", ".join(told) + (f" and {len(many) - 5:,} more" if len(many) > 5 else "")


def _support(ledger: Ledger, question: str, horizon: int) -> str:
    """Which signals of a question the ledger can give, what is lacking, and how many answers there are to learn from."""
    lost = [lacking(ledger, signal) for signal in dictionary(question)]
    able = sum(not need for need in lost)
    needs = sorted({need for some in lost for need in _largest(some)})
    absent = f"; absent: {', '.join(needs)}" if needs else ""
    return f"{able:,} of {len(lost):,} signals; {_learnable(ledger, question, horizon)}{absent}"


def _largest(needs: list[str]) -> list[str]:
    """What is lacking, without the columns of tables that are lacking themselves."""
    return [need for need in needs if "." not in need or need.partition(".")[0] not in needs]


def _learnable(ledger: Ledger, question: str, horizon: int) -> str:
    asked = QUESTIONS[question]
    tables = [table for table in asked.needs if table not in ledger.facts]
    if tables or not len(ledger.facts["orders"]):
        return f"cannot be trained without {', '.join(tables) or 'good orders'}"
    row, at = asked_at(ledger, question)
    asks = Askings(question, row, at, pa.nulls(at.size, pa.large_string()))  # counted, not named
    learnt_at = ledger.facts[ASKED[question]].at[row]
    data = labelled(asks, answers(ledger, asks, horizon), ledger.last_at + 1, horizon, learnt_at)
    within = f" within {horizon / DAY:g} days" if asked.horizon else ""
    return f"{data.counts['learnt from']:,} mature answers, {data.counts['yes']:,} {asked.yes}{within}"
