"""The naive twins: what the clever code must equal, by plain loops over plain rows and exact arithmetic.

They read which signals are declared, never how the code computes them, so a new declaration is tested as it stands. Each
asking is answered on its own from the rows it may see. Unknown is None.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import pyarrow as pa

from features.signal import Entity, Pattern
from features.tables import TABLES
from features.transaction import DISPUTE_ENTITIES, ENTITIES, PATTERNS, RULINGS, meetings

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
Number = int | float | Fraction
Unknown = Number | None

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
ASKED: Final = {"chargeback_risk": ("orders", "order_id"), "dispute_outcome": ("disputes", "dispute_id")}
ARROW: Final = {"id": pa.string(), "text": pa.string(), "time": pa.timestamp("us", "UTC"), "flag": pa.bool_()}


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


@dataclass(frozen=True)
class Fact:
    """A fact of a stream: when it was learnt, the order it concerns, and what can be summed."""

    at: int
    order: Row
    measures: dict[str, int]


class Past:
    """What is known before `t`: rows, streams and carriers."""

    def __init__(self, rows: Rows, t: int, horizon: int) -> None:
        self.t, self.horizon = t, horizon
        self.rows = {name: [row for row in some if row["at"] < t] for name, some in rows.items()}
        self.orders = {row["order_id"]: row for row in self.table("orders")}
        self.disputes = {row["dispute_id"]: row for row in self.table("disputes")}
        self.shipped: dict[str, Row] = earliest(self.table("shipments"), "order_id")
        self.streams = {
            "orders": [Fact(f.at, f.order, f.measures | _major(f)) for f in self.paid("orders", "amount")],
            "matured_orders": list(self.matured()),
            "chargebacks": list(self.paid("chargebacks", "amount")),
            "disputes": list(self.paid("disputes", "claimed")),
            "refunds": list(self.paid("refunds", "amount")),
            "rulings": list(self.ruled()),
        }

    def table(self, name: str) -> list[Row]:
        """The visible rows of a table."""
        return self.rows.get(name, [])

    def paid(self, table: str, column: str) -> Iterator[Fact]:
        """Facts with an amount that may be unknown."""
        for row in self.table(table):
            if row["order_id"] is not None:
                amount = row[column]
                known = {"count": 1, "amount": amount or 0, "amount_known": int(amount is not None)}
                yield Fact(row["at"], self.orders[row["order_id"]], known)

    def matured(self) -> Iterator[Fact]:
        """Orders whose horizon ended before `t`, at the moment it did."""
        charged = earliest(self.table("chargebacks"), "order_id")
        for name, order in self.orders.items():
            end = order["at"] + self.horizon
            if end < self.t:
                yield Fact(end, order, {"count": 1, "charged": int(name in charged and charged[name]["at"] <= end)})

    def ruled(self) -> Iterator[Fact]:
        """The first ruling of each dispute."""
        for name, row in earliest(self.table("rulings"), "dispute_id").items():
            order = self.disputes[name]["order_id"]
            if order is not None:
                found = verdict(row["outcome"])
                granted, refused = int(found == "yes"), int(found == "no")
                measures = {"decided": granted + refused, "granted": granted, "refused": refused}
                yield Fact(row["at"], self.orders[order], measures)

    def who(self, entity: Entity, order: Row, moment: int) -> tuple[str, ...] | None:
        """Who of an entity's kind an order belongs to, as known before `moment`."""
        if entity.columns == ("carrier",):
            first = self.shipped.get(order.get("order_id", ""))
            order = first if first is not None and first["at"] < moment else {}
        values = [order.get(column) for column in entity.columns]
        return None if None in values else tuple(str(value) for value in values)

    def entered(self, entity: Entity, fact: Fact) -> Fact:
        """A fact at the moment when it was known whose it is: of a carrier, not before the order was shipped."""
        shipped = self.shipped[fact.order["order_id"]]["at"] if entity.columns == ("carrier",) else fact.at
        return replace(fact, at=max(fact.at, shipped))

    def history(self, entity: Entity, who: tuple[str, ...]) -> dict[str, list[Fact]]:
        """The facts of each stream that concern one of an entity's kind."""
        return {
            name: [self.entered(entity, fact) for fact in facts if self.who(entity, fact.order, self.t) == who]
            for name, facts in self.streams.items()
        }


def _major(fact: Fact) -> dict[str, int]:
    major = min(fact.measures["amount"] // 100, 1_000_000)
    return {"major": major, "major_squared": major**2}


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


def _ratio(over: Unknown, under: Unknown) -> Unknown:
    return None if over is None or under is None or under <= 0 else Fraction(over) / Fraction(under)


def _known_sum(total: int, known: int, count: int) -> int | None:
    return None if count and not known else total


def _deviation(here: int | None, major: int, squares: int, known: int) -> Unknown:
    if here is None or known < 2:
        return None
    mean = Fraction(major, known)
    variance = max(Fraction(squares, known) - mean**2, Fraction(1))
    return float(Fraction(here, 100) - mean) / math.sqrt(variance)


FORMULAS: Final[dict[str, Callable[..., Unknown]]] = {
    "total": lambda total: total,
    "known_sum": _known_sum,
    "ratio": _ratio,
    "known_share": lambda total, known, count, under: _ratio(_known_sum(total, known, count), under),
    "to_mean": lambda here, total, known: _ratio(here, _ratio(total, known)),
    "deviation": _deviation,
    "days": lambda here, moment: None if moment is None else Fraction(here - moment, DAY),
}
ROUNDED: Final = ("to_mean", "deviation")
"""Formulas that float64 computes in several roundings; the others are exact until they become float32."""


def declared(question: str) -> Iterator[tuple[str, Entity, Pattern, str | None]]:
    """Names of all signals over histories, with the entity, pattern and window they come from."""
    of_dispute = question == "dispute_outcome"
    for entity in DISPUTE_ENTITIES if of_dispute else ENTITIES:
        for pattern in (*PATTERNS, *(RULINGS if of_dispute else ()), *meetings(entity)):
            for word in pattern.windows or (None,):
                yield "_".join([entity.name, pattern.name, *([word] if word else [])]), entity, pattern, word


def _met(orders: Sequence[Fact], column: str, since: int | None) -> int:
    """How many partners were met for the first time since a moment."""
    moments: dict[str, int] = {}
    for fact in orders:
        partner = fact.order[column]
        if partner is not None:
            moments[partner] = min(fact.at, moments.get(partner, fact.at))
    return sum(since is None or moment >= since for moment in moments.values())


def _since(facts: Sequence[Fact], t: int, word: str | None) -> int | None:
    """The moment at which a window begins, None for always."""
    if word is None or word == "ever":
        return None
    if word.startswith("last_"):
        return last([fact.at for fact in facts], int(word.removeprefix("last_")))
    return t - int(word.removesuffix("d")) * DAY


def _operand(history: Mapping[str, Sequence[Fact]], name: str, t: int, word: str | None) -> int | None:
    stream, _, measure = name.partition(".")
    facts = history[stream]
    since = _since(facts, t, word)
    if measure in ("first", "last"):
        moments = [fact.at for fact in facts]
        return None if not moments else min(moments) if measure == "first" else max(moments)
    if measure.startswith("met_"):
        return _met(facts, f"{measure.removeprefix('met_')}_id", since)
    return sum(fact.measures[measure] for fact in facts if since is None or fact.at >= since)


def signals(rows: Rows, question: str, ask_id: str, t: int, *, horizon: int, placeholder: int) -> dict[str, Unknown]:
    """Every declared signal of one asking, by name."""
    table, key = ASKED[question]
    asked = next(row for row in rows[table] if row[key] == ask_id)
    order: Row = next((row for row in rows["orders"] if row["order_id"] == asked["order_id"]), {})
    found = {name: formula(order, asked, t) for name, formula in _cases(question).items()}
    past = Past(rows, t, horizon)
    histories: dict[str, dict[str, list[Fact]] | None] = {}
    operands: dict[tuple[str, str, str | None], int | None] = {}
    for name, entity, pattern, word in declared(question):
        if entity.name not in histories:
            who = past.who(entity, order, t)
            history = None if who is None else past.history(entity, who)
            crowded = entity.link and history and _met(history["orders"], "buyer_id", None) > placeholder
            histories[entity.name] = None if crowded else history
        if (of := histories[entity.name]) is None:
            found[name] = None
            continue
        given = {"case.at": t, "case.amount": order.get("amount")}
        for operand in pattern.operands:
            if operand not in given and (entity.name, operand, word) not in operands:
                operands[entity.name, operand, word] = _operand(of, operand, t, word)
        values = [given[o] if o in given else operands[entity.name, o, word] for o in pattern.operands]
        found[name] = FORMULAS[pattern.formula](*values)
    return found


def _cases(question: str) -> dict[str, Callable[[Row, Row, int], Unknown]]:
    return ORDER if question == "chargeback_risk" else ORDER | DISPUTE


def _days(later: int | None, earlier: int | None) -> Unknown:
    return None if later is None or earlier is None else Fraction(later - earlier, DAY)


def _abroad(order: Row, asked: Row, t: int) -> Unknown:
    ship, bill = order.get("ship_country"), order.get("bill_country")
    return None if ship is None or bill is None else int(ship != bill)


def _is(reason: str) -> Callable[[Row, Row, int], Unknown]:
    return lambda order, asked, t: None if asked["reason"] is None else int(asked["reason"] == reason)


ORDER: Final[dict[str, Callable[[Row, Row, int], Unknown]]] = {
    "order_amount": lambda order, asked, t: order.get("amount"),
    "order_quantity": lambda order, asked, t: order.get("quantity"),
    "order_hour": lambda order, asked, t: Fraction(order["at"] % DAY, HOUR) if order else None,
    "order_weekday": lambda order, asked, t: (order["at"] // DAY + 3) % 7 if order else None,
    "order_promised_days": lambda order, asked, t: _days(order.get("promised_at"), order.get("at")),
    "order_ships_abroad": _abroad,
}
REASONS: Final = (
    *("not_received", "short_quantity", "not_as_described", "quality", "damaged"),
    *("counterfeit", "wrong_item", "billing", "service", "other"),
)
DISPUTE: Final[dict[str, Callable[[Row, Row, int], Unknown]]] = {
    "dispute_claimed": lambda order, asked, t: asked["claimed"],
    "dispute_claimed_share": lambda order, asked, t: _ratio(asked["claimed"], order.get("amount")),
    "dispute_days_since_order": lambda order, asked, t: _days(t, order.get("at")),
    "dispute_days_since_event": lambda order, asked, t: _days(t, asked.get("happened_at")),
    **{f"dispute_is_{reason}": _is(reason) for reason in REASONS},
}


def answer(rows: Rows, question: str, ask_id: str, horizon: int) -> tuple[str | None, int | None]:
    """Yes, no, neither or None for no answer, and when it was known."""
    if question == "dispute_outcome":
        ruling = earliest(rows["rulings"], "dispute_id").get(ask_id)
        return (None, None) if ruling is None else (verdict(ruling["outcome"]), ruling["at"])
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
