"""The ledger of a simulated marketplace: what the platform had learnt by its end, in the ledger's tables and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.background import NOT_YET
from features.columns import ARROW
from features.tables import (
    ACTIONS,
    CASES,
    ENDINGS,
    EVIDENCE,
    FUNDERS,
    PARTIES,
    REASONS,
    RULINGS,
    SCANS,
    SOURCES,
    TABLES,
    Kind,
)
from features.tables import CAUSES as BLOCK_CAUSES
from pipelines.marketplace import goods
from pipelines.marketplace.banks import REASON_CODES
from pipelines.marketplace.draws import end, turn
from pipelines.marketplace.events import Events
from pipelines.marketplace.names import Names, known, moments, numbered, spoken, untold, words
from pipelines.marketplace.officers import FAULTS
from pipelines.marketplace.orders import CHANNELS, ISSUERS, NETWORKS, OWN, REGIONS
from pipelines.marketplace.parcels import ACCEPTED, CARRIERS, IN_TRANSIT, OURS, RETURNED
from pipelines.marketplace.people import COUNTRIES

Columns = dict[str, Any]
UNTOLD: Final = 0.1
"""Share of accounts that do not tell their country."""


def tables(it: Events, names: Names | None = None) -> dict[str, pa.Table]:
    """Every table of the ledger as known at its end, in time order."""
    ids, until = names or Names(it), end(it.parameters)
    return {name: _table(name, _MAKERS[name](it, ids), until) for name in TABLES}


def _table(name: str, columns: Columns, until: int) -> pa.Table:
    """The columns in the declared order and types, and the rows known before the end, in time order."""
    declared = [column for column in TABLES[name].columns if column.name in columns]
    at = np.asarray(columns["at"])
    rows = np.flatnonzero(at < until)
    if np.any(np.diff(at[rows]) < 0):
        rows = rows[np.argsort(at[rows], kind="stable")]
    all_in_order = np.array_equal(rows, np.arange(len(at)))
    made = {}
    for column in declared:
        array = columns[column.name] if isinstance(columns[column.name], pa.Array) else pa.array(columns[column.name])
        made[column.name] = (array if all_in_order else array.take(pa.array(rows))).cast(_type(column.kind))
    return pa.table(made)


def _type(kind: Kind) -> pa.DataType:
    return pa.string() if kind in ("id", "text") else ARROW[kind]


def _orders(it: Events, ids: Names) -> Columns:
    bought, m, n = it.trade.bought, it.parameters, len(it.trade.bought)
    links = {f"{link}_id": named(getattr(bought, link)) for link, named in ids.links.items()}
    for number, link in enumerate(("device_id", "ip_id")):
        links[link] = pc.if_else(pa.array(~untold(it, number, m.unknown_rate, n)), links[link], None)
    countries = [*COUNTRIES]
    regions = [f"{country}-{number}" for country in countries for number in range(REGIONS)]
    place = bought.address % (1 << 31) * 7919 >> 3
    place = np.where(bought.address >= 2 * OWN, place % 2, place % REGIONS)  # rings and strangers keep to some
    return {
        **{"order_id": ids.order, "at": bought.at, "amount": bought.amount, **links},
        **{"buyer_id": ids.buyer(bought.buyer), "seller_id": ids.seller(bought.seller)},
        **{"product_id": ids.product(bought.product), "quantity": bought.quantity, "promised_at": bought.promised},
        "instrument_issuer": words([f"bank-{number:02}" for number in range(ISSUERS)], bought.issuer),
        "region": words(regions, bought.ship * REGIONS + place),
        **{"ship_country": words(countries, bought.ship), "bill_country": words(countries, bought.bill)},
        "channel": words([*CHANNELS], bought.channel),
    }


def _cancellations(it: Events, ids: Names) -> Columns:
    stops = it.trade.stops
    closed = np.where(stops.closed, stops.released, NOT_YET)
    at = np.minimum(stops.cancelled, closed)
    rows = np.flatnonzero(at < NOT_YET)
    party = np.where(stops.closed, 2, stops.party)[rows]
    return {"order_id": ids.order.take(pa.array(rows)), "at": at[rows], "party": words(PARTIES, party)}


def _buyers(it: Events, ids: Names) -> Columns:
    folk, strangers = it.trade.folk, it.trade.strangers
    codes = it.trade.accounts
    country = np.r_[folk.country, strangers.country]
    country = np.where(untold(it, 2, UNTOLD, len(codes)), -1, country)
    return {
        "buyer_id": ids.buyer(codes),
        "at": np.r_[folk.joined, strangers.joined],
        "country": words([*COUNTRIES], country),
    }


def _sellers(it: Events, ids: Names) -> Columns:
    who = it.trade.who
    return {
        "seller_id": ids.seller.ids.take(pa.array(np.arange(len(who.trade)))),
        "at": who.joined,
        "country": words([*COUNTRIES], who.country),
    }


def _listings(it: Events, ids: Names) -> Columns:
    pages, what = it.trade.pages, it.trade.what
    product = pages.product
    brand = what.brand[product]
    return {
        **{"product_id": ids.product(product), "seller_id": ids.seller(what.seller[product]), "at": pages.at},
        **{"category": words(goods.CATEGORIES, what.category[product]), "title": pa.array(goods.titles(what, pages))},
        **{"price": pages.price, "brand": words(goods.BRANDS, brand)},
        "brand_price": known(what.brand_price[product].astype(np.int64), brand < 0),
        "brand_authorised": known(what.authorised[product] == 1, (brand < 0) | (what.authorised[product] < 0)),
        **{"stated_quantity": known(pages.stated), "unit_weight": what.unit_weight[product]},
    }


def _shipments(it: Events, ids: Names) -> Columns:
    sent = it.trade.sent
    rows = np.flatnonzero(sent.shipped < end(it.parameters))
    return {
        **{"order_id": ids.order.take(pa.array(rows)), "at": sent.shipped[rows]},
        "carrier": words(CARRIERS, sent.carrier[rows]),
        "tracking_id": pc.if_else(pa.array(sent.tracked[rows]), numbered("tr", rows), None),
        **{"platform_logistics": sent.carrier[rows] < OURS, "receipt": sent.receipt[rows]},
        **{"packed_quantity": known(sent.packed[rows]), "declared_weight": known(sent.declared[rows])},
        "carrier_weight": known(sent.weighed[rows]),
    }


def _scans(it: Events, ids: Names) -> Columns:
    seen, trade = it.trade.scans, it.trade
    away = np.isin(seen.kind, (ACCEPTED, IN_TRANSIT, RETURNED))
    country = np.where(away, trade.who.country[trade.bought.seller[seen.order]], trade.bought.ship[seen.order])
    return {
        **{"order_id": ids.order.take(pa.array(seen.order)), "at": seen.at, "kind": words(SCANS, seen.kind)},
        "country": words([*COUNTRIES], country),
        "address_match": known(seen.match > 0, seen.match < 0),
        "signature": known(seen.signed > 0, seen.signed < 0),
        "happened_at": known(seen.at - seen.late, seen.late == 0),
    }


def _messages(it: Events, ids: Names) -> Columns:
    said = it.messages
    return {
        "message_id": numbered("m", np.arange(len(said.at))),
        **{"order_id": ids.order.take(pa.array(said.order)), "at": said.at},
        **{"sender": spoken("messages", "sender", said.sender), "kind": spoken("messages", "kind", said.kind)},
        "dispute_id": ids.dispute.take(pa.array(said.dispute, mask=said.dispute < 0)),
    }


def _disputes(it: Events, ids: Names) -> Columns:
    opened = it.quarrels.opened
    return {
        **{"dispute_id": ids.dispute, "at": opened.at, "order_id": ids.order.take(pa.array(opened.order))},
        **{"reason": words(REASONS, opened.reason), "claimed": opened.claimed, "happened_at": moments(opened.happened)},
    }


def evidence(it: Events, ids: Names) -> Columns:
    """Evidence of orders, disputes and chargebacks, with its hidden quality, in time order and before the end."""
    parts = [(it.secured, ids.order), (it.quarrels.shown, ids.dispute), (it.charges.filed, ids.chargeback)]
    sizes = [len(shown.at) for shown, _ in parts]
    at = np.concatenate([shown.at for shown, _ in parts])
    rows = np.flatnonzero(at < end(it.parameters))
    rows = rows[np.argsort(at[rows], kind="stable")]
    cases = pa.concat_arrays([named.take(pa.array(shown.case)) for shown, named in parts])

    def all_of(field: str) -> NDArray[Any]:
        return np.concatenate([getattr(shown, field) for shown, _ in parts])[rows]

    return {
        **{"evidence_id": numbered("e", np.arange(len(rows))), "at": at[rows], "case_id": cases.take(pa.array(rows))},
        "case_kind": words([*CASES], np.repeat(np.arange(3), sizes)[rows]),
        **{name: words(vocabulary, all_of(name)) for name, vocabulary in _PROOF_WORDS},
        **{"content_hash": ids.content(all_of("content")), "happened_at": moments(all_of("made"))},
        "quality": all_of("quality"),
    }


_PROOF_WORDS: Final = (("party", PARTIES), ("kind", EVIDENCE), ("issuer", PARTIES))


def _rulings(it: Events, ids: Names) -> Columns:
    ruled = it.quarrels.ruled
    return {
        **{
            "dispute_id": ids.dispute.take(pa.array(ruled.dispute)),
            "at": ruled.at,
            "outcome": words(RULINGS, ruled.outcome),
        },
        **{"refunded": ruled.refunded, "funded_by": words(FUNDERS, ruled.funder), "fault": words(FAULTS, ruled.fault)},
    }


def _findings(it: Events, ids: Names) -> Columns:
    found = it.quarrels.found
    source = words(SOURCES, found.source)
    return {
        "dispute_id": ids.dispute.take(pa.array(found.dispute)),
        "at": found.at,
        "malicious": found.malicious,
        "source": source,
    }


def _chargebacks(it: Events, ids: Names) -> Columns:
    charged = it.charges.charged
    return {
        **{"chargeback_id": ids.chargeback, "at": charged.at, "order_id": ids.order.take(pa.array(charged.order))},
        **{"amount": charged.amount, "network": words(NETWORKS, charged.network)},
        "reason_code": words(REASON_CODES, charged.code),
        **{"respond_by": charged.respond_by, "happened_at": charged.happened},
    }


def _representments(it: Events, ids: Names) -> Columns:
    done = it.charges.done
    first, again = (np.flatnonzero(at < NOT_YET) for at in (done.filed, done.again))
    return {
        "chargeback_id": ids.chargeback.take(pa.array(np.r_[first, again])),
        "at": np.r_[done.filed[first], done.again[again]],
    }


def _chargeback_rulings(it: Events, ids: Names) -> Columns:
    ended = it.charges.ended
    return {
        "chargeback_id": ids.chargeback.take(pa.array(ended.chargeback)),
        "at": ended.at,
        "outcome": words(ENDINGS, ended.outcome),
    }


def _refunds(it: Events, ids: Names) -> Columns:
    paid = it.refunds
    return {
        **{"order_id": ids.order.take(pa.array(paid.order)), "at": paid.at, "amount": paid.amount},
        **{"funded_by": words(FUNDERS, paid.funder), "initiator": spoken("refunds", "initiator", paid.initiator)},
    }


def _address_checks(it: Events, ids: Names) -> Columns:
    stops = it.trade.stops
    rows = np.flatnonzero(stops.checked < NOT_YET)
    return {"order_id": ids.order.take(pa.array(rows)), "at": stops.checked[rows], "risky": stops.risky[rows]}


def _blocks(it: Events, ids: Names) -> Columns:
    held = it.blocks
    return {
        **{
            "block_id": numbered("k", np.arange(len(held.at))),
            "at": held.at,
            "kind": spoken("blocks", "kind", held.kind),
        },
        "order_id": ids.order.take(pa.array(held.order, mask=held.order < 0)),
        "seller_id": ids.seller(held.seller),
        **{"cause": words(BLOCK_CAUSES, held.cause), "closes_by": moments(held.closes_by)},
    }


def _releases(it: Events, ids: Names) -> Columns:
    held = it.blocks
    rows = np.flatnonzero(held.released < NOT_YET)
    result = spoken("releases", "result", held.result[rows])
    return {"block_id": numbered("k", rows), "at": held.released[rows], "result": result}


def _reports(it: Events, ids: Names) -> Columns:
    told = it.quarrels.told
    return {
        "report_id": numbered("r", np.arange(len(told.at))),
        "at": told.at,
        "order_id": ids.order.take(pa.array(told.order)),
    }


def _report_rulings(it: Events, ids: Names) -> Columns:
    told = it.quarrels.told
    rows = np.flatnonzero(told.judged < NOT_YET)
    return {"report_id": numbered("r", rows), "at": told.judged[rows], "upheld": told.upheld[rows]}


def _decisions(it: Events, ids: Names) -> Columns:
    made = it.decisions
    cases = pa.concat_arrays([ids.order, ids.dispute, ids.chargeback])
    offset = np.array([0, len(ids.order), len(ids.order) + len(ids.dispute)])[made.kind]
    policies = [f"{kind}-{age}" for kind in ("gate", "treasure", "answer") for age in ("1", "2")]
    return {
        **{"decision_id": numbered("n", np.arange(len(made.at))), "at": made.at, "action": words(ACTIONS, made.action)},
        **{"case_id": cases.take(pa.array(made.case + offset)), "case_kind": words([*CASES], made.kind)},
        "policy": words(policies, 2 * made.kind + (made.at >= turn(it.parameters))),
        "propensity": made.propensity,
    }


def _tiers(it: Events, ids: Names) -> Columns:
    rules = it.tiers
    kind = np.where(rules.restricted, 1, 0)
    return {
        **{"buyer_id": ids.buyer(rules.buyer), "at": rules.at, "tier": words(["standard", "restricted"], kind)},
        **{"reason": words(["expired", "malicious_finding"], kind), "expires_at": moments(rules.expires)},
    }


def _feedback(it: Events, ids: Names) -> Columns:
    said = it.feedback
    kind = spoken("feedback", "kind", said.kind)
    return {
        "decision_id": numbered("n", said.decision),
        "at": said.at,
        "party": words(PARTIES, said.party),
        "kind": kind,
    }


_MAKERS: Final[Mapping[str, Callable[[Events, Names], Columns]]] = {
    "orders": _orders,
    "cancellations": _cancellations,
    "buyers": _buyers,
    "sellers": _sellers,
    "listings": _listings,
    "shipments": _shipments,
    "scans": _scans,
    "messages": _messages,
    "disputes": _disputes,
    "evidence": evidence,
    "rulings": _rulings,
    "findings": _findings,
    "chargebacks": _chargebacks,
    "representments": _representments,
    "chargeback_rulings": _chargeback_rulings,
    "refunds": _refunds,
    "address_checks": _address_checks,
    "blocks": _blocks,
    "releases": _releases,
    "reports": _reports,
    "report_rulings": _report_rulings,
    "decisions": _decisions,
    "tiers": _tiers,
    "feedback": _feedback,
}
