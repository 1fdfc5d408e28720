"""The naive twins of the signals: every declaration read anew, and answered for one asking by plain loops over plain rows.

They know what is declared, never how the code computes it: a new signal over what is there is tested as it stands; a new
formula, made column or derived stream needs its twin here. Unknown is None.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import naive
from naive import DAY, HOUR, Row, Rows, Unknown
from scipy.stats import gamma

from features.dictionary import dictionary
from features.signal import Entity, Signal
from features.streams import STREAMS
from features.weight import CARRIER, SELLER, Scale
from features.words import WORDS

KEYS: Final = {
    "chargeback_risk": ("orders", "order_id"),
    "dispute_outcome": ("disputes", "dispute_id"),
    "malicious_dispute": ("disputes", "dispute_id"),
    "chargeback_win": ("chargebacks", "chargeback_id"),
}
EDGES: Final = {"1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY, "365d": 365 * DAY}
SLOW: Final = ("30d", "90d", "365d", "ever")
SAYS: Final = re.compile(r"\??(\w+)\.(\w+)(?:\[(.+)\])?(?:(!=|=|~)([^@\[]+?))?(?:@(\w+))?")
IDS: Final = {"dispute": "disputes", "chargeback": "chargebacks", "order": "orders"}
Prior = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Fact:
    """A fact of a stream: when it was learnt, the order it concerns, what it says, and ids by which it names an entity."""

    at: int
    order: Row
    says: Mapping[str, Any]
    own: Mapping[str, Any] = field(default_factory=dict)
    case: str | None = None


class Says(dict[str, Any]):
    """What a row says, and what is made of it once that is asked for."""

    def __init__(self, row: Row, made: Mapping[str, Callable[[Row], Any]]) -> None:
        super().__init__(row)
        self.row, self.made = row, made

    def __missing__(self, column: str) -> Any:
        self[column] = self.made[column](self.row)
        return self[column]


class Past:
    """What is known before `t` of a case: the rows of every table, the case itself, and the streams they make."""

    def __init__(self, rows: Rows, question: str, ask_id: str, t: int, horizon: int, placeholder: int) -> None:
        self.t, self.horizon, self.placeholder, self.asked_by = t, horizon, placeholder, question
        self.asked, key = KEYS[question]
        self.all = rows
        self.rows = {name: [row for row in some if row["at"] < t] for name, some in rows.items()}
        self.case = next(row for row in rows[self.asked] if row[key] == ask_id)
        self.ask_id = ask_id
        self.orders = {row["order_id"]: row for row in rows["orders"]}
        self.order: Row = self.orders.get(self.case["order_id"], {})
        self._streams: dict[str, list[Fact]] = {}

    def table(self, name: str) -> list[Row]:
        """The visible rows of a table."""
        return self.rows.get(name, [])

    def others(self, name: str) -> list[Row]:
        """The visible rows of a table but the dispute or chargeback asked about, and what became of it."""
        key = KEYS[self.asked_by][1]
        if self.asked == "orders" or name not in (self.asked, "rulings", "findings", "chargeback_rulings"):
            return self.table(name)
        return [row for row in self.table(name) if row.get(key) != self.ask_id]

    @cached_property
    def disputes(self) -> dict[Any, Row]:
        return {row["dispute_id"]: row for row in self.all.get("disputes", [])}

    @cached_property
    def chargebacks(self) -> dict[Any, Row]:
        return {row["chargeback_id"]: row for row in self.all.get("chargebacks", [])}

    def home(self, table: str, row: Row) -> Row:
        """The order that a row concerns."""
        if table == "orders":
            return row
        if table == "evidence":
            kind, case = self.about(row)
            return (
                {"orders": self.orders, "disputes": self.disputes, "chargebacks": self.chargebacks}[kind][case]
                if (kind == "orders")
                else self.home(kind, {"disputes": self.disputes, "chargebacks": self.chargebacks}[kind][case])
            )
        if "order_id" in row:
            return self.orders[row["order_id"]] if row["order_id"] is not None else {}
        for key, found in (("dispute_id", self.disputes), ("chargeback_id", self.chargebacks)):
            if table not in ("disputes", "chargebacks") and row.get(key) is not None:
                return self.home("disputes" if key == "dispute_id" else "chargebacks", found[row[key]])
        if table == "releases":
            return self.home("blocks", self.block(row))
        if table == "report_rulings":
            return self.home("reports", next(r for r in self.all["reports"] if r["report_id"] == row["report_id"]))
        return {}

    def about(self, evidence: Row) -> tuple[str, str]:
        """The table and the id of what a piece of evidence is about."""
        for kind, table in IDS.items():
            if evidence["case_kind"] in (kind, None):
                known = {"orders": self.orders, "disputes": self.disputes, "chargebacks": self.chargebacks}[table]
                if evidence["case_id"] in known:
                    return table, evidence["case_id"]
        raise AssertionError(evidence)

    def block(self, release: Row) -> Row:
        return next(row for row in self.all["blocks"] if row["block_id"] == release["block_id"])

    def seller_of_block(self, block: Row) -> Any:
        return block["seller_id"] if block["seller_id"] is not None else self.home("blocks", block).get("seller_id")

    def listing(self, order: Row) -> Row:
        """The page that an order was placed on."""
        pages = [
            p for p in self.all.get("listings", []) if order and p["product_id"] == order["product_id"] is not None
        ]
        return max((p for p in pages if p["at"] <= order["at"]), key=lambda p: p["at"], default={})

    def seller(self, order: Row) -> Row:
        """The registration of an order's seller, if he had registered by then."""
        found = (s for s in self.all.get("sellers", []) if s["seller_id"] == order.get("seller_id"))
        return next((s for s in found if s["at"] < order["at"]), {})

    def who(self, entity: Entity, order: Row, moment: int) -> tuple[Any, ...] | None:
        """Who of an entity's kind an order belongs to, as known before `moment`."""
        values = []
        for column in entity.columns:
            table, _, name = column.partition(".")
            if table == "shipments":
                first = self.shipped.get(order.get("order_id"), {})
                row = first if first and first["at"] < moment else {}
            else:
                of: dict[str, Callable[[Row], Row]] = {"listings": self.listing, "sellers": self.seller}
                row = of[table](order) if table in of else order
            values.append(row.get(name))
        return None if None in values or not order else tuple(values)

    @cached_property
    def shipped(self) -> dict[Any, Row]:
        """The first visible shipment of each order."""
        return naive.earliest(self.table("shipments"), "order_id")

    def stream(self, name: str) -> list[Fact]:
        """The facts of a stream."""
        if name not in self._streams:
            self._streams[name] = list(TWINS[name](self)) if name in TWINS else list(self._of_table(name))
        return self._streams[name]

    def _of_table(self, name: str) -> Iterator[Fact]:
        declared: Any = STREAMS[name]
        made = {column: twin(self) for (table, column), twin in MADE.items() if table == declared.table}
        for row in self.others(declared.table):
            says = Says(row, made)
            order = self.home(declared.table, row)
            if all(holds(says, order, c.column, c.op, c.words) for c in declared.where):
                yield Fact(row["at"], order, says, self._own(declared.table, row))

    def _own(self, table: str, row: Row) -> dict[str, Any]:
        """Ids by which a row names an entity itself."""
        if table in ("blocks", "releases"):
            return {"orders.seller_id": self.seller_of_block(row if table == "blocks" else self.block(row))}
        if table in ("buyers", "sellers"):
            return {f"orders.{table[:-1]}_id": row[f"{table[:-1]}_id"]}
        if table == "listings":
            return {"orders.product_id": row["product_id"], "listings.category": row["category"]}
        return {}


def holds(says: Mapping[str, Any], order: Row, column: str, op: str, words: Sequence[str]) -> bool:
    """Whether a fact meets a condition."""
    value = says[column]
    if value is None:
        return False
    if words == ("*",):
        return True
    if words[0].startswith("order."):
        other = order.get(words[0].removeprefix("order."))
        return other is not None and value != other
    text = str(value).lower() if isinstance(value, bool) else value
    return (text in words) if op == "=" else text not in words


# Columns that a table does not have, by table and name: from what is visible, a function of a row.


def _major(past: Past) -> Callable[[Row], int]:
    return lambda row: min((row["amount"] or 0) // 100, 1_000_000)


def _first_dispute_of_order(past: Past, row: Row) -> bool:
    """Whether a dispute is the first of its order, of one moment the first of them."""
    same = [d for d in past.table("disputes") if d["order_id"] == row["order_id"] is not None]
    return bool(same) and min(same, key=lambda d: d["at"]) is row


def _first_orders(past: Past) -> Callable[[Row], int]:
    def found(row: Row) -> int:
        order = past.home("disputes", row)
        if not _first_dispute_of_order(past, row) or None in (order.get("buyer_id"), order.get("seller_id")):
            return 0
        pair = (order["buyer_id"], order["seller_id"])
        return int(order["at"] == min(o["at"] for o in past.orders.values() if (o["buyer_id"], o["seller_id"]) == pair))

    return found


def _order_amount(past: Past) -> Callable[[Row], int | None]:
    return lambda row: past.home("disputes", row)["amount"] if _first_dispute_of_order(past, row) else None


def _since_delivery(past: Past) -> Callable[[Row], int | None]:
    def found(row: Row) -> int | None:
        order = past.home("disputes", row)
        delivered = [s for s in past.table("scans") if s["kind"] == "delivered"]
        seen = [s for s in delivered if s["order_id"] == order.get("order_id") and s["at"] < row["at"]]
        return row["at"] - _shown(seen) if seen else None

    return found


def moment(row: Row) -> int:
    """When a fact happened, which is not after it was learnt."""
    return int(row["at"] if row["happened_at"] is None else min(row["at"], row["happened_at"]))


def _shown(delivered: Sequence[Row]) -> int:
    """When a delivery happened, by the scans that first showed it."""
    first = min(scan["at"] for scan in delivered)
    return min(moment(scan) for scan in delivered if scan["at"] == first)


def _after_refund(*initiators: str) -> Callable[[Past], Callable[[Row], int]]:
    def made(past: Past) -> Callable[[Row], int]:
        def found(row: Row) -> int:
            paid = [r for r in past.table("refunds") if r["order_id"] == row["order_id"] and r["at"] < row["at"]]
            return int(any(not initiators or r["initiator"] in initiators for r in paid))

        return found

    return made


def _record(past: Past) -> Callable[[Row], int]:
    def found(row: Row) -> int:
        seller = past.home("reports", row).get("seller_id")
        judged = [
            r["upheld"]
            for r in past.table("report_rulings")
            if seller is not None and past.home("report_rulings", r).get("seller_id") == seller and r["at"] < row["at"]
        ]
        known = [upheld for upheld in judged if upheld is not None]
        return (sum(map(int, known)) + 1) * 1_000_000 // (len(known) + 2)

    return found


def _backwards(past: Past) -> Callable[[Row], int]:
    stages = {"accepted": 0, "in_transit": 1, "customs": 1, "out_for_delivery": 2, "delivered": 3}

    of = defaultdict(list)
    for scan in past.table("scans"):
        of[scan["order_id"]].append(scan)

    def found(row: Row) -> int:
        known = [s for s in of[row["order_id"]] if s["at"] < row["at"] and moment(s) < moment(row)]
        before = [stages[s["kind"]] for s in known if s["kind"] in stages]
        return int(row["kind"] in stages and stages[row["kind"]] < max(before, default=0))

    return found


def _reused(past: Past) -> Callable[[Row], int]:
    shown = defaultdict(list)
    for row in past.table("evidence"):
        shown[row["content_hash"], row["party"]].append((row["at"], past.home("evidence", row).get("order_id")))

    def found(row: Row) -> int:
        order, key = past.home("evidence", row).get("order_id"), (row["content_hash"], row["party"])
        if None in (*key, order):
            return 0
        return int(any(at < row["at"] and other not in (None, order) for at, other in shown[key]))

    return found


def _new_parcel(past: Past) -> Callable[[Row], int]:
    def found(row: Row) -> int:
        same = [
            s
            for s in past.table("shipments")
            if (s["order_id"], s["tracking_id"]) == (row["order_id"], row["tracking_id"])
        ]
        return int(min(same, key=lambda s: s["at"]) is row)

    return found


def _before_order(past: Past) -> Callable[[Row], int]:
    def found(row: Row) -> int:
        order = past.home("evidence", row)
        return int(row["happened_at"] is not None and (not order or row["happened_at"] < order["at"]))

    return found


def _from_the_future(past: Past) -> Callable[[Row], int]:
    return lambda row: int(row["happened_at"] is not None and row["happened_at"] > row["at"])


def _version(past: Past) -> Callable[[Row], int]:
    return lambda row: sum(p["product_id"] == row["product_id"] and p["at"] <= row["at"] for p in past.all["listings"])


def _of_block(column: str, word: str) -> Callable[[Past], Callable[[Row], int]]:
    return lambda past: lambda row: int(past.block(row)[column] == word)


MADE: Final[Mapping[tuple[str, str], Callable[[Past], Callable[[Row], Any]]]] = {
    ("orders", "major"): _major,
    ("orders", "major_squared"): lambda past: lambda row: _major(past)(row) ** 2,
    ("disputes", "first_orders"): _first_orders,
    ("disputes", "order_amount"): _order_amount,
    ("disputes", "since_delivery"): _since_delivery,
    ("chargebacks", "after_refund"): _after_refund(),
    ("chargebacks", "after_sellers_refund"): _after_refund("seller"),
    ("reports", "record"): _record,
    ("shipments", "since_order"): lambda past: lambda row: row["at"] - past.home("shipments", row)["at"],
    ("shipments", "new_parcel"): _new_parcel,
    ("scans", "backwards"): _backwards,
    ("scans", "from_future"): _from_the_future,
    ("evidence", "reused"): _reused,
    ("evidence", "before_order"): _before_order,
    ("evidence", "from_future"): _from_the_future,
    ("listings", "version"): _version,
    ("releases", "of_integrity"): _of_block("kind", "seller_integrity"),
    ("releases", "of_faking"): _of_block("cause", "false_transactions"),
}


# Streams that are no table, each from what is visible.


def _matured(past: Past) -> Iterator[Fact]:
    charged = naive.earliest(past.table("chargebacks"), "order_id")
    for order in past.table("orders"):
        end = order["at"] + past.horizon
        if end < past.t:
            name = order["order_id"]
            yes = int(name in charged and charged[name]["at"] <= end)
            yield Fact(end, order, {"count": 1, "charged": yes, "uncharged": 1 - yes})


def _rulings(past: Past) -> Iterator[Fact]:
    for row in naive.earliest(past.others("rulings"), "dispute_id").values():
        found = naive.verdict(row["outcome"])
        granted, refused = int(found == "yes"), int(found == "no")
        says = {"decided": granted + refused, "granted": granted, "refused": refused}
        yield Fact(row["at"], past.home("rulings", row), says)


def _endings(past: Past) -> Iterator[Fact]:
    ended = [r for r in past.others("chargeback_rulings") if r["outcome"] not in (None, "pre_arbitration")]
    for row in naive.earliest(ended, "chargeback_id").values():
        against = row["outcome"] in ("lost", "partial", "accepted", "no_response")
        says = {"count": 1, "won": int(row["outcome"] == "won"), "lost": int(against)}
        yield Fact(row["at"], past.home("chargeback_rulings", row), says)


def _deliveries(past: Past) -> Iterator[Fact]:
    of = defaultdict(list)
    for scan in past.table("scans"):
        if scan["kind"] == "delivered":
            of[scan["order_id"]].append(scan)
    for scans in of.values():
        order, shown = past.home("scans", scans[0]), _shown(scans)
        promised = order.get("promised_at")
        late = 0 if promised is None else shown - promised
        says = {"count": 1, "moment": shown, "transit": shown - order["at"], "late": int(late > 0)}
        says |= {"lateness": max(late, 0), "past_promised": late, "promised": int(promised is not None)}
        yield Fact(min(scan["at"] for scan in scans), order, says)


def _threads(past: Past) -> tuple[list[Fact], list[Fact]]:
    inquiries, answers, since = [], [], dict[str, int]()
    for row in sorted(past.table("messages"), key=lambda m: (m["at"], m["sender"] == "seller")):
        order = past.home("messages", row)
        name = order.get("order_id")
        if name is None:
            continue
        if row["sender"] == "buyer" and name not in since:
            since[name] = row["at"]
            inquiries.append(Fact(row["at"], order, {"count": 1}))
        if row["sender"] == "seller" and name in since:
            answers.append(Fact(row["at"], order, {"count": 1, "latency": row["at"] - since.pop(name)}))
    return inquiries, answers


def _agreements(past: Past) -> Iterator[Fact]:
    agreed: dict[str, int] = {}
    for row in past.table("messages"):
        order = past.home("messages", row)
        if row["kind"] == "agreement" and order:
            agreed[order["order_id"]] = min(row["at"], agreed.get(order["order_id"], row["at"]))
    if past.asked != "orders":
        agreed.pop(past.case["order_id"], None)
    for name, since in agreed.items():
        quiet = [("rulings", r) for r in past.table("rulings") if r["outcome"] in ("settled", "withdrawn")]
        new = [(table, r) for table in ("disputes", "chargebacks") for r in past.table(table)]
        kept, broken = (
            [r["at"] for table, r in rows if r["at"] > since and past.home(table, r).get("order_id") == name]
            for rows in (quiet, new)
        )
        if broken:
            yield Fact(min(broken), past.orders[name], {"kept": 0, "broken": 1})
        if kept and (not broken or min(kept) < min(broken)):
            yield Fact(min(kept), past.orders[name], {"kept": 1, "broken": 0})


def standing(past: Past, at: int, name: str, worth: int = 1) -> dict[str, int]:
    """What a fact that stands is worth within each window."""
    return {f"{name}_{w}": worth * int(w == "ever" or at >= past.t - EDGES[w]) for w in SLOW}


def found_states(past: Past) -> Iterator[tuple[Row, bool, int]]:
    """Disputes with how they stand found, and since when."""
    of = defaultdict(list)
    for row in past.table("findings"):
        if row["malicious"] is not None:
            of[row["dispute_id"]].append(row)
    for name, rows in of.items():
        said = {at: any(r["malicious"] for r in rows if r["at"] == at) for at in sorted({r["at"] for r in rows})}
        state, since = None, 0
        for at, malicious in said.items():
            if malicious != state:
                state, since = malicious, at
        yield past.disputes[name], bool(state), since


def _findings(past: Past) -> Iterator[Fact]:
    for dispute, malicious, since in found_states(past):
        if dispute is past.case:
            continue
        says = standing(past, since, "malicious", int(malicious)) | standing(past, since, "honest", int(not malicious))
        yield Fact(since, past.home("disputes", dispute), says)


def _upheld(past: Past, column: str, word: str) -> set[Any]:
    """Sellers with a block of a kind that was upheld."""
    ended = [past.block(row) for row in past.table("releases") if row["result"] == "upheld"]
    return {past.seller_of_block(block) for block in ended if block[column] == word} - {None}


def guilt(past: Past) -> dict[Any, list[int]]:
    """The moments at which each seller's guilt became known."""
    found = defaultdict(list)
    for row in past.table("releases"):
        block = past.block(row)
        if row["result"] == "upheld" and block["kind"] == "seller_integrity":
            found[past.seller_of_block(block)].append(row["at"])
    for row in past.table("rulings"):
        if row.get("fault") == "seller":
            found[past.home("rulings", row).get("seller_id")].append(row["at"])
    return found


def excused(of: Mapping[Any, list[int]], order: Row, at: int) -> bool:
    """Whether an order's seller was found guilty at a moment or after it."""
    seller = order.get("seller_id")
    return seller is not None and any(known >= at for known in of.get(seller, ()))


def _faked(past: Past) -> Iterator[Fact]:
    fakers = _upheld(past, "cause", "false_transactions")
    for order in past.table("orders"):
        if order["seller_id"] in fakers:
            yield Fact(order["at"], order, standing(past, order["at"], "orders"))


def _spoilt(past: Past) -> Iterator[Fact]:
    fakers = _upheld(past, "cause", "false_transactions")
    ended = {row["order_id"] for row in past.table("chargebacks")}
    ended |= {row["order_id"] for row in past.table("cancellations") if row.get("party") not in (None, "platform")}
    for order in past.table("orders"):
        own = past.asked != "orders" and order["order_id"] == past.order.get("order_id")
        if not own and (order["seller_id"] in fakers or order["order_id"] in ended):
            yield Fact(order["at"], order, standing(past, order["at"], "orders"))


def _excused_disputes(past: Past) -> Iterator[Fact]:
    of = guilt(past)
    for row in past.others("disputes"):
        order = past.home("disputes", row)
        if excused(of, order, row["at"]):
            yield Fact(row["at"], order, standing(past, row["at"], "disputes"))


def _refusals(past: Past) -> Iterator[Fact]:
    of, by = guilt(past), defaultdict(list)
    for row in past.others("rulings"):
        by[row["dispute_id"]].append(row)
    for rows in by.values():
        since = None
        rows = sorted(rows, key=lambda r: r["at"])
        of_system = _automatic(past, rows)
        for row in rows:
            since = None if row["outcome"] != "refused" or row is of_system else row["at"] if since is None else since
        order = past.home("rulings", rows[0])
        if since is not None and not excused(of, order, since):
            yield Fact(since, order, standing(past, since, "refused"))


def _automatic(past: Past, rulings: list[Row]) -> Row | None:
    """Of one dispute's rulings in order, the one that no officer made."""
    settling = {"refund_full", "refund_partial", "return_and_refund", "refuse"}
    made = [r for r in past.all.get("decisions", []) if r["action"] in settling and r["case_kind"] in ("dispute", None)]
    settled = [row["at"] for row in made if row["case_id"] == rulings[0]["dispute_id"]]
    return rulings[0] if settled and min(settled) <= rulings[0]["at"] else None


def _upheld_reports(past: Past) -> Iterator[Fact]:
    of = guilt(past)
    for row in past.table("report_rulings"):
        order = past.home("report_rulings", row)
        if row["upheld"] and not excused(of, order, row["at"]):
            yield Fact(row["at"], order, standing(past, row["at"], "upheld"))


def _exhibits(past: Past) -> Iterator[Fact]:
    made = {column: twin(past) for (table, column), twin in MADE.items() if table == "evidence"}
    filed = {r["at"] for r in past.all.get("representments", []) if r["chargeback_id"] == past.ask_id}
    for row in past.all.get("evidence", []):
        table, case = past.about(row)
        with_defence = past.asked == table == "chargebacks" and row["at"] == past.t and row["at"] in filed
        of_order = table == "orders" and past.order and case == past.order["order_id"]
        if (row["at"] < past.t or with_defence) and (of_order or (table == past.asked and case == past.ask_id)):
            says = Says(row, made)
            entered = row["at"] - int(table == past.asked == "chargebacks" and row["at"] in filed)
            yield Fact(entered, past.order, says, case=past.ask_id)


TWINS: Final[Mapping[str, Callable[[Past], Any]]] = {
    "matured_orders": _matured,
    "rulings": _rulings,
    "endings": _endings,
    "deliveries": _deliveries,
    "inquiries": lambda past: _threads(past)[0],
    "answers": lambda past: _threads(past)[1],
    "agreements": _agreements,
    "findings": _findings,
    "faked": _faked,
    "excused_disputes": _excused_disputes,
    "spoilt": _spoilt,
    "refusals": _refusals,
    "upheld_reports": _upheld_reports,
    "exhibits": _exhibits,
}


def malicious_buyers(past: Past) -> set[Any]:
    return {past.home("disputes", d).get("buyer_id") for d, malicious, _ in found_states(past) if malicious}


def charged_buyers(past: Past) -> set[Any]:
    return {past.home("chargebacks", c).get("buyer_id") for c in past.table("chargebacks")}


def sharing(past: Past, met: Sequence[tuple[int, Any]]) -> dict[str, int | None]:
    """Who shares a thing, from when each buyer used it: how many, when the first and the last came, and who is marked."""
    since: dict[Any, int] = {}
    for at, buyer in met:
        if buyer is not None:
            since[buyer] = min(at, since.get(buyer, at))
    return {
        "sharers.count": len(since),
        "sharers.first": min(since.values(), default=None),
        "sharers.last": max(since.values(), default=None),
        "malicious_sharers.count": len(since.keys() & malicious_buyers(past)),
        "charged_sharers.count": len(since.keys() & charged_buyers(past)),
    }


def _content(past: Past, measure: str) -> Unknown:
    """The most that is known of any content that buyers showed in disputes about the asked order."""
    shown = [
        (row["content_hash"], row["at"], past.home("evidence", row))
        for row in past.table("evidence")
        if row["content_hash"] is not None and row["party"] == "buyer" and past.about(row)[0] == "disputes"
    ]
    ours = {c for c, _, order in shown if order and past.order and order["order_id"] == past.order["order_id"]}
    every = [sharing(past, [(at, order.get("buyer_id")) for c, at, order in shown if c == one]) for one in ours]
    found = [some for some in every if (some["sharers.count"] or 0) <= past.placeholder]
    if measure == "days_since_new":
        days = [Fraction(past.t - last, DAY) for f in found if (last := f["sharers.last"]) is not None]
        return min(days, default=None)
    name = {"buyers": "sharers", "malicious": "malicious_sharers", "charged": "charged_sharers"}[measure]
    return max((f[f"{name}.count"] or 0 for f in found), default=None)


def _crowd(past: Past, column: str, order: Row) -> int:
    """How many buyers had used the id that an order names."""
    used = [o for o in past.table("orders") if o.get(column) == order.get(column) is not None]
    return len({o["buyer_id"] for o in used} - {None})


def _priors(past: Past, measure: str) -> Unknown:
    """Earlier undisputed orders of the same instrument."""
    order = past.order
    if not order or order["instrument_id"] is None or _crowd(past, "instrument_id", order) > past.placeholder:
        return None
    objected = {r["order_id"] for name in ("disputes", "chargebacks", "cancellations") for r in past.table(name)}
    earlier = [
        o
        for o in past.table("orders")
        if o["instrument_id"] == order["instrument_id"] and o["at"] < order["at"] and o["order_id"] not in objected
    ]
    aged = [o for o in earlier if 120 * DAY <= order["at"] - o["at"] <= 365 * DAY]
    links = [m for m in ("ip", "device", "address", "login") if _crowd(past, f"{m}_id", order) <= past.placeholder]
    same = [{m for m in links if o[f"{m}_id"] == order[f"{m}_id"] is not None} for o in aged]
    if measure in ("earlier", "transactions"):
        return len(earlier if measure == "earlier" else aged)
    if measure == "qualifying":
        return sum(len(s) >= 2 and bool(s & {"ip", "device"}) for s in same)
    return sum(measure in s for s in same)


# Formulas.


def _ratio(over: Unknown, under: Unknown) -> Unknown:
    return None if over is None or under is None or under <= 0 else Fraction(over) / Fraction(under)


def _known_sum(total: int, known: int, count: int) -> int | None:
    return None if count and not known else total


def _deviation(here: int | None, major: int, squares: int, known: int) -> Unknown:
    if here is None or known < 2:
        return None
    mean = Fraction(major, known)
    variance = max(Fraction(squares, known) - mean**2, Fraction(1))
    return float(min(Fraction(here, 100), Fraction(1_000_000)) - mean) / math.sqrt(variance)


def _less(more: Unknown, less: Unknown) -> Unknown:
    return None if more is None or less is None else max(more - less, 0)


def _minus(one: Unknown, other: Unknown) -> Unknown:
    return None if one is None or other is None else Fraction(one) - Fraction(other)


def _days(later: Unknown, earlier: Unknown) -> Unknown:
    return _ratio(_minus(later, earlier), DAY)


def _times(one: Unknown, other: Unknown) -> Unknown:
    return None if one is None or other is None else one * other


def _without(one: Unknown, other: Unknown) -> Unknown:
    return 1 - other if one and other is not None else None


def _missing(applies: Unknown, *items: Unknown) -> Unknown:
    return sum(not item for item in items) if applies else None


def _lacking(wanted: int) -> Callable[..., Unknown]:
    return lambda applies, there: max(wanted - there, 0) if applies and there is not None else None


def _log_odds(yes: int, no: int, ever: int, never: int) -> Unknown:
    if ever + never < 50:
        return None
    rate = Fraction(2 * ever + 1, 2 * (ever + never + 1))
    return math.log((yes + 50 * rate) / (no + 50 * (1 - rate)))


AGES: Final = (Fraction(1), Fraction(4, 5), Fraction(1, 2), Fraction(1, 4))
GRAVITY: Final = (Fraction(1, 10), *[Fraction(1, 20)] * 3)


def _weighed(within: Sequence[Unknown]) -> Fraction | None:
    if None in within:
        return None
    stand = [Fraction(w or 0) for w in within]
    rings = [stand[0], *(later - sooner for sooner, later in pairwise(stand))]
    return sum((age * ring for age, ring in zip(AGES, rings, strict=True)), Fraction(0))


def rates(operands: Sequence[Unknown]) -> list[tuple[Fraction, Fraction, Fraction, bool]]:
    """Of each kind of mark: gravity over the prior rate, marks and orders with the prior's, and whether it is known."""
    windows = [operands[i : i + 4] for i in range(0, 24, 4)]
    orders = _weighed([Fraction(w or 0) - Fraction(b or 0) for w, b in zip(windows[0], windows[1], strict=True)])
    assert orders is not None
    found = []
    for k, gravity in enumerate(GRAVITY):
        marks = _weighed(windows[2 + k])
        a, b = (Fraction(x or 0) for x in operands[24 + 2 * k : 26 + 2 * k])
        known = marks is not None
        found.append((gravity * b / a, a + (marks or 0), b + (orders if known else 0), known))
    return found


def weights(operands: Sequence[Unknown], more: int = 0) -> list[Fraction]:
    return [each * y / (n + (more if known else 0)) for each, y, n, known in rates(operands)]


def _credit(*operands: Unknown) -> Unknown:
    return 100 / (1 + sum(weights(operands)))


def _lost(k: int) -> Callable[..., Unknown]:
    return lambda *operands: 100 * weights(operands)[k] / (1 + sum(weights(operands)))


def _bound(p: float) -> Callable[..., Unknown]:
    def bound(*operands: Unknown) -> Unknown:
        mean = float(sum(weights(operands)))
        variance = float(sum(w**2 / y for w, (_, y, _, _) in zip(weights(operands), rates(operands), strict=True)))
        return float(100 / (1 + gamma.ppf(p, mean**2 / variance, scale=variance / mean)))

    return bound


def _orders_to_restore(*operands: Unknown) -> Unknown:
    goal = sum(GRAVITY) * (1 + Fraction(1, 10**9))
    low, high = 0, 1 << 20
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if sum(weights(operands, middle)) <= goal else (middle + 1, high)
    return high


def _all_known(total: Any, known: Any, parcels: Any) -> Unknown:
    return Fraction(total * parcels, known) if parcels and known >= parcels else None


def _weight(scale: Scale) -> Callable[..., Unknown]:
    def ratio(total: Unknown, known: Unknown, count: Unknown, unit: Any, short: Unknown, *claim: Any) -> Unknown:
        weighed: Any = _all_known(total, known, count)
        came = naive.units_received(*claim) if short else None
        return naive.log_likelihood_ratio(weighed, unit, claim[0], came, scale)

    return ratio


def _separation(unit: Any, short: Unknown, *claim: Any) -> Unknown:
    return naive.separation(unit, claim[0], naive.units_received(*claim) if short else None, CARRIER)


def _short_units(total: Unknown, known: Unknown, count: Unknown, unit: Any, short: Unknown, quantity: Any) -> Unknown:
    weighed: Any = _all_known(total, known, count)
    return naive.units_missing(weighed, unit, quantity, CARRIER) if short else None


FORMULAS: Final[dict[str, Callable[..., Unknown]]] = {
    "value": lambda value: value,
    "known_sum": _known_sum,
    "ratio": _ratio,
    "known_share": lambda total, known, count, under: _ratio(_known_sum(total, known, count), under),
    "share": lambda over, under: None if (found := _ratio(over, under)) is None else min(found, 1),
    "days_after": lambda t, moment, known: Fraction(t - moment, DAY) if known else None,
    "to_mean": lambda here, total, known: _ratio(here, _ratio(total, known)),
    "deviation": _deviation,
    "days": _days,
    "mean_days": lambda total, known: _ratio(_ratio(total, known), DAY),
    "mean_hours": lambda total, known: _ratio(_ratio(total, known), HOUR),
    "hour": lambda moment: None if moment is None else Fraction(moment % DAY, HOUR),
    "weekday": lambda moment: None if moment is None else (moment // DAY + 3) % 7,
    "less": _less,
    "less_share": lambda more, less: _ratio(_less(more, less), more),
    "any": lambda count: None if count is None else int(count > 0),
    "known_difference": lambda total, known, less: _minus(total if known else None, less),
    "millionths": lambda total: Fraction(total, 1_000_000),
    "without": _without,
    "disputed_value": lambda d, n, every, known: _ratio(_ratio(d, n), _ratio(every - d, known - n)),
    "to_usual": lambda promised, paid, transit, known: _ratio(_minus(promised, paid), _ratio(transit, known)),
    "missing": _missing,
    "log_odds": _log_odds,
    "compelling": _lacking(2),
    "first_party": _lacking(1),
    "credit": _credit,
    "credit_low": _bound(0.95),
    "credit_high": _bound(0.05),
    "credit_orders": _orders_to_restore,
    **{f"credit_lost_{kind}": _lost(k) for k, kind in enumerate(("malicious", "refused", "refuted", "reported"))},
    "weight_carrier": _weight(CARRIER),
    "weight_seller": _weight(SELLER),
    "weight_separation": _separation,
    "weight_missing": _short_units,
    "weight_to_goods": lambda total, known, count, unit, quantity: _ratio(
        _all_known(total, known, count), _times(unit, quantity)
    ),
}
EXACT: Final = (
    "value",
    "known_sum",
    "ratio",
    "days",
    "hour",
    "weekday",
    "less",
    "any",
    "missing",
    "compelling",
    "first_party",
)
"""Formulas of one rounding at most in float64; the others round a few times before they become float32."""


class Answered:
    """All declared signals of one asking."""

    def __init__(self, past: Past, prior: Prior) -> None:
        self.past, self.prior = past, prior
        self._histories: dict[str, dict[str, list[Fact]] | None] = {}
        self._found: dict[tuple[str, str, str | None], Unknown] = {}

    def signal(self, signal: Signal, lacks: Callable[[str], bool]) -> Unknown:
        """The value of a signal; `lacks` says which streams the ledger cannot give."""
        entity = signal.entity
        if entity is not None and entity.columns != ("asked",) and self._whose(entity) is None:
            return None
        values: list[Unknown] = []
        for text in (operand.format(window=signal.window) for operand in signal.pattern.operands):
            if text.startswith("?") and lacks(text):
                values.append(None)
            else:
                key = (entity.name if entity else "", text, signal.window)
                if key not in self._found:
                    self._found[key] = self._operand(entity, text, signal.window)
                values.append(self._found[key])
        return FORMULAS[signal.pattern.formula](*values)

    def _whose(self, entity: Entity) -> tuple[Any, ...] | None:
        who = self.past.who(entity, self.past.order, self.past.t)
        if who is not None and entity.link:
            buyers = {f.order["buyer_id"] for f in self._facts(entity, "orders")} - {None}
            return None if len(buyers) > self.past.placeholder else who
        return who

    def _facts(self, entity: Entity, stream: str) -> list[Fact]:
        """The facts of a stream that concern the asked one of an entity's kind, each at the moment it is known to."""
        kept = self._histories.setdefault(entity.name, {})
        assert kept is not None
        if stream not in kept:
            kept[stream] = list(self._concerning(entity, stream))
        return kept[stream]

    def _concerning(self, entity: Entity, stream: str) -> Iterator[Fact]:
        past = self.past
        if entity.columns == ("asked",):
            yield from past.stream(stream)
            return
        who = past.who(entity, past.order, past.t)
        for fact in past.stream(stream):
            if entity.columns and entity.columns[0] in fact.own:
                if (fact.own[entity.columns[0]],) == who:
                    yield fact
            elif fact.order and past.who(entity, fact.order, past.t) == who:
                known = fact.at
                if entity.columns == ("shipments.carrier",):
                    known = max(known, past.shipped[fact.order["order_id"]]["at"])
                yield Fact(known, fact.order, fact.says)

    def _operand(self, entity: Entity | None, text: str, window: str | None) -> Unknown:
        found = SAYS.fullmatch(text)
        assert found is not None, text
        source, measure, where, op, other, own = found.groups()
        if source in ("asking", "order", "dispute", "chargeback", "listing"):
            return self._of_case(source, measure, op, other)
        if source in ("content", "priors"):
            return {"content": _content, "priors": _priors}[source](self.past, measure)
        if source == "credit":
            kind, _, of = measure.rpartition("_")
            return self.prior[kind][("marks", "orders").index(of)]
        assert entity is not None
        if source.endswith("sharers"):
            met = [(f.at, f.order["buyer_id"]) for f in self._facts(entity, "orders")]
            return sharing(self.past, met)[f"{source}.{measure}"]
        return self._of_history(self._facts(entity, source), measure, where, own or window or "ever")

    def _of_history(self, facts: Sequence[Fact], measure: str, where: str | None, window: str) -> Unknown:
        moments = [fact.at for fact in facts]
        if measure in ("first", "last"):
            return None if not moments else min(moments) if measure == "first" else max(moments)
        since = _since(moments, self.past.t, window)
        if measure.startswith("met_"):
            return _met(facts, f"{measure.removeprefix('met_')}_id", since)
        inside = [fact for fact in facts if since is None or fact.at >= since]
        for column, op, words in re.findall(r"(\w+)(!=|=)([^,]+)", where or ""):
            inside = [f for f in inside if holds(f.says, f.order, column, op, tuple(words.split("|")))]
        if measure == "count":
            return sum(int(fact.says.get("count", 1)) for fact in inside)
        if measure.endswith("_known"):
            return sum(fact.says[measure.removesuffix("_known")] is not None for fact in inside)
        return sum(fact.says[measure] or 0 for fact in inside)

    def _of_case(self, source: str, column: str, op: str | None, other: str | None) -> Unknown:
        past = self.past
        if source == "asking":
            return past.t
        row = {"order": past.order, "listing": {}}.get(source, past.case)
        if source == "listing":
            row = past.listing(past.order)
        if source == "listing" and column == "version" and row:
            return _version(past)(row)
        value = row.get(column)
        if not op:
            return value
        if other == "*":
            return int(value is not None) if row else None
        if value is None:
            return None
        if op == "!=":
            against = past.order.get(str(other).removeprefix("order."))
            return None if against is None else int(value != against)
        if op == "~":
            return int(bool(re.search(WORDS[str(other)], value, re.IGNORECASE)))
        return int(value in str(other).split("|"))


def _since(moments: Sequence[int], t: int, word: str) -> int | None:
    """The moment at which a window begins, None for always."""
    if word == "ever":
        return None
    return naive.last(moments, int(word.removeprefix("last_"))) if word.startswith("last_") else t - EDGES[word]


def _met(facts: Sequence[Fact], column: str, since: int | None) -> int:
    """How many partners were met for the first time since a moment."""
    moments: dict[str, int] = {}
    for fact in facts:
        partner = fact.order[column] if fact.order else None
        if partner is not None:
            moments[partner] = min(fact.at, moments.get(partner, fact.at))
    return sum(since is None or moment >= since for moment in moments.values())


PRIOR: Final[Prior] = {
    "malicious": (0.03, 10.0),
    "refused": (0.05, 10.0),
    "refuted": (0.02, 10.0),
    "reported": (0.02, 10.0),
}


def signals(
    rows: Rows, question: str, ask_id: str, t: int, *, horizon: int, placeholder: int, prior: Prior = PRIOR
) -> dict[str, Unknown]:
    """Every signal of one asking that the tables can give, by name."""
    given = Answered(Past(rows, question, ask_id, t, horizon, placeholder), prior)

    def lacks(need: str) -> bool:
        return need.partition(".")[0] not in rows

    def unknown(text: str) -> bool:
        return any(lacks(table) for table in OF[text.lstrip("?").partition(".")[0]])

    return {
        one.name: given.signal(one, unknown)
        for one in dictionary(question)
        if not any(lacks(need) for need in one.needs)
    }


OF: Final[Mapping[str, tuple[str, ...]]] = {
    "findings": ("disputes", "findings"),
    "rulings": ("disputes", "rulings"),
    "endings": ("chargebacks", "chargeback_rulings"),
    "report_rulings": ("reports", "report_rulings"),
    "refusals": ("disputes", "rulings"),
    "upheld_reports": ("reports", "report_rulings"),
}
"""The tables without which what a signal may do without is unknown."""
