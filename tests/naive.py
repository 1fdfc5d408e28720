"""The naive twins: what the clever code must equal, by plain loops over plain rows and exact arithmetic.

They read which signals are declared, never how the code computes them, so a new declaration is tested as it stands. Each
asking is answered on its own from the rows it may see. Unknown is None.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product
from statistics import NormalDist
from typing import Any, Final

import pyarrow as pa

from features.tables import TABLES
from features.weight import Scale

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
Number = int | float | Fraction
Unknown = Number | None

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
ARROW: Final = {
    "id": pa.string(),
    "text": pa.string(),
    "time": pa.timestamp("us", "UTC"),
    "flag": pa.bool_(),
    "share": pa.float64(),
}


def tables(rows: Rows) -> dict[str, pa.Table]:
    """Rows, with times in microseconds, as tables with every declared column in its declared type."""
    return {
        name: pa.table(
            {
                c.name: pa.array([r.get(c.name) for r in some], ARROW.get(c.kind, pa.int64()))
                for c in TABLES[name].columns
            }
        )
        for name, some in rows.items()
    }


def plain(found: Mapping[str, pa.Table]) -> dict[str, list[Row]]:
    """Tables as rows, with times in microseconds."""
    rows: dict[str, list[Row]] = {}
    for name, table in found.items():
        times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        for column in times:
            where = table.column_names.index(column)
            table = table.set_column(where, column, table.column(column).cast(pa.int64()))
        rows[name] = table.to_pylist()
    return rows


def group(codes: Sequence[int], groups: int) -> tuple[list[int], list[int]]:
    """Positions by group, and where each group starts."""
    members = [[i for i, code in enumerate(codes) if code == g] for g in range(groups)]
    return [i for some in members for i in some], [sum(map(len, members[:g])) for g in range(groups + 1)]


def first_meetings(codes: Sequence[int], partners: Sequence[int]) -> list[int]:
    """1 where a fact is the first of its pair."""
    met: set[tuple[int, int]] = set()
    new = []
    for pair in zip(codes, partners, strict=True):
        new.append(int(min(pair) >= 0 and pair not in met))
        met.add(pair)
    return new


def last(moments: Sequence[int], k: int) -> int:
    """The moment from which the last `k` facts count: those of one moment count together, since none came first."""
    return min(sorted(moments)[-k:], default=0)


def windowed(
    at: Sequence[int], codes: Sequence[int], measures: Sequence[Sequence[int]], code: int, t: int, edge: int
) -> tuple[list[int], int | None, int | None]:
    """Totals of [t - edge, t) or of the last -edge for one asking, and the first and last `at` ever before t."""
    before = [i for i in range(len(at)) if codes[i] == code and code >= 0 and at[i] < t]
    moments = [at[i] for i in before]
    since = last(moments, -edge) if edge < 0 else t - edge
    inside = [i for i in before if edge == 0 or at[i] >= since]
    return [sum(m[i] for i in inside) for m in measures], min(moments, default=None), max(moments, default=None)


def earliest(rows: Sequence[Row], key: str) -> dict[str, Row]:
    """The first row of each key."""
    found: dict[str, Row] = {}
    for row in rows:
        if row[key] is not None and (row[key] not in found or row["at"] < found[row[key]]["at"]):
            found[row[key]] = row
    return found


def verdict(outcome: str | None) -> str:
    """What a ruling says: yes is for the buyer."""
    if outcome in ("refund_full", "refund_partial", "return_and_refund"):
        return "yes"
    return "no" if outcome == "refused" else "neither"


def answer(rows: Rows, question: str, ask_id: str, horizon: int) -> tuple[str | None, int | None]:
    """Yes, no, neither or None for no answer, and when it was known."""
    if question == "dispute_outcome":
        ruling = earliest(rows["rulings"], "dispute_id").get(ask_id)
        return (None, None) if ruling is None else (verdict(ruling["outcome"]), ruling["at"])
    if question == "malicious_dispute":
        told = [row for row in rows["findings"] if row["dispute_id"] == ask_id and row["malicious"] is not None]
        if not told:
            return None, None
        latest = max(row["at"] for row in told)
        grave = any(row["malicious"] for row in told if row["at"] == latest)
        return "yes" if grave else "no", min(row["at"] for row in told)
    if question == "chargeback_win":
        filed = min(row["at"] for row in rows["representments"] if row["chargeback_id"] == ask_id)
        ends = [row for row in rows["chargeback_rulings"] if row["outcome"] not in (None, "pre_arbitration")]
        end = earliest([row for row in ends if row["at"] > filed], "chargeback_id").get(ask_id)
        if end is None:
            return None, None
        return {"won": "yes", "withdrawn": "neither"}.get(end["outcome"], "no"), end["at"]
    end = next(row["at"] for row in rows["orders"] if row["order_id"] == ask_id) + horizon
    charged = [row["at"] for row in rows["chargebacks"] if row["order_id"] == ask_id and row["at"] <= end]
    return ("yes", min(charged)) if charged else ("no", end)


@dataclass(frozen=True)
class Asked:
    """An asking with what became of it: `row_at` is when the row asked about was learnt."""

    at: int
    row_at: int
    answer: str | None
    known_at: int | None


def maturity_age(asked: Sequence[Asked], as_of: int) -> int:
    """The smallest delay that 95 of 100 known answers did not exceed."""
    known = [a for a in asked if a.answer is not None and a.known_at is not None and a.at <= a.known_at < as_of]
    delays = [a.known_at - a.at for a in known if a.known_at is not None]
    return min((d for d in delays if 100 * sum(other <= d for other in delays) >= 95 * len(delays)), default=0)


def labelled(asked: Sequence[Asked], as_of: int, horizon: int | None) -> tuple[dict[int, str], dict[str, int]]:
    """Answers that may be learnt from as of a moment, by position, and how many askings went where."""
    age = maturity_age(asked, as_of) if horizon is None else horizon
    learnt: dict[int, str] = {}
    names = ("asked", "immature", "answered before asking", "no answer", "neither yes nor no", "learnt from", "yes")
    counts = dict.fromkeys(names, 0)
    for i, one in enumerate(asked):
        if one.at < as_of:
            where = _where(one, as_of, age, one.at if horizon is None else one.row_at)
            counts["asked"] += 1
            counts[where] += 1
            if where == "learnt from":
                learnt[i] = str(one.answer)
                counts["yes"] += one.answer == "yes"
    return learnt, counts


def _where(one: Asked, as_of: int, age: int, since: int) -> str:
    if since + age >= as_of:
        return "immature"
    if one.known_at is not None and one.known_at < one.at:
        return "answered before asking"
    if one.answer is None or one.known_at is None or one.known_at >= as_of:
        return "no answer"
    return "neither yes nor no" if one.answer == "neither" else "learnt from"


def _shown(units: int, unit: float, quantity: int, scale: Scale) -> NormalDist:
    """What a scale shows for a parcel of some units, every uncertainty listed, each unit's on its own."""
    mean = sum([unit] * units) + scale.box + scale.wrap * quantity * unit
    uncertainties = [
        *(scale.relative * mean, scale.absolute, scale.step / math.sqrt(12)),
        *(scale.box_spread, scale.wrap_spread * quantity * unit),
        *(scale.listing * units * unit, units * scale.unit_step / math.sqrt(12)),
        *([scale.tolerance * unit] * units),
    ]
    return NormalDist(mean, math.hypot(*uncertainties))


def separation(unit: float | None, quantity: int | None, received: int | None, scale: Scale) -> float | None:
    """Distance between the two means over the root of the mean variance."""
    if unit is None or quantity is None or received is None or unit <= 0 or not 0 <= received < quantity:
        return None
    full, short = _shown(quantity, unit, quantity, scale), _shown(received, unit, quantity, scale)
    return (full.mean - short.mean) / math.sqrt((full.variance + short.variance) / 2)


def units_missing(weighed: float | None, unit: float | None, quantity: int | None, scale: Scale) -> int | None:
    """Of all numbers of units that may lack the one whose mean mass is nearest, the smaller of two as near."""
    d = separation(unit, quantity, None if quantity is None else quantity - 1, scale)
    if d is None or weighed is None or weighed <= 0 or unit is None or quantity is None:
        return None
    if NormalDist(d**2 / 2, d).cdf(math.log(8)) > 0.5:
        return None
    away = [abs(weighed - _shown(quantity - k, unit, quantity, scale).mean) for k in range(quantity + 1)]
    return away.index(min(away))


def log_likelihood_ratio(
    weighed: float | None, unit: float | None, quantity: int | None, received: int | None, scale: Scale
) -> float | None:
    """Log ratio of two densities, each a mixture of what can have been shown; a ratio of 8 must be more likely than not."""
    d = separation(unit, quantity, received, scale)
    if d is None or unit is None or quantity is None or received is None or weighed is None or weighed <= 0:
        return None
    if NormalDist(d**2 / 2, d).cdf(math.log(8)) > 0.5:
        return None
    full, short = _shown(quantity, unit, quantity, scale), _shown(received, unit, quantity, scale)
    broad = 1 / (2 * full.mean) if weighed < full.mean else full.mean / (2 * weighed**2)
    all_there = (1 - scale.outlier) * full.pdf(weighed) + scale.outlier * broad
    as_claimed = (1 - scale.outlier) * short.pdf(weighed) + scale.outlier * broad
    return math.log(all_there / (scale.chosen * all_there + (1 - scale.chosen) * as_claimed))


def units_received(quantity: int | None, amount: int | None, claimed: int | None) -> int | None:
    """The number of units nearest to the share that is not claimed, the larger of two, but fewer than all."""
    if quantity is None or amount is None or claimed is None or min(quantity, amount, claimed) <= 0:
        return None
    if quantity == 1 and claimed < amount:
        return None
    share = 1 - Fraction(claimed, amount)
    return min(range(quantity), key=lambda n: (abs(n - quantity * share), -n))


def product_limit(days: Sequence[float], came: Sequence[bool]) -> dict[float, float]:
    """The share answered by each age at which an answer came: at each age those unanswered lose a share of themselves."""
    left, found = 1.0, {}
    for age in sorted({d for d, c in zip(days, came, strict=True) if c}):
        at_risk = sum(d >= age for d in days)
        left *= 1 - sum(c and d == age for d, c in zip(days, came, strict=True)) / at_risk
        found[age] = 1 - left
    return found


def shapley(passes: Sequence[float], value: float) -> list[list[float]]:
    """What each of m signals adds to a leaf's value by pattern, by definition: the mean over all orders of being told."""
    orders = list(permutations(range(len(passes))))
    found = []
    for leads in product((0, 1), repeat=len(passes)):
        added = [0.0] * len(passes)
        for order in orders:
            for told, i in enumerate(order):
                before = value * math.prod(leads[j] for j in order[:told])
                left = math.prod(passes[j] for j in order[told + 1 :])
                added[i] += before * left * (leads[i] - passes[i]) / len(orders)
        found.append(added)
    return [found[int(f"{pattern:0{len(passes)}b}"[::-1], 2)] for pattern in range(2 ** len(passes))]


Placed = tuple[int, int, tuple[int, ...]]
"""A row of a history: its moment, its stream, and its values."""


def rewritten(rows: Sequence[Placed], added: Sequence[Placed], removed: Sequence[Placed]) -> list[Placed]:
    """Rows with others put behind those of their moment, and one equal row taken out for each removed."""
    found = sorted([*rows, *added], key=lambda row: row[0])
    for row in removed:
        found.remove(row)
    return found
