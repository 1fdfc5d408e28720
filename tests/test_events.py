"""What leads to what in the simulated marketplace: each wire pulled once, so that none can come loose unseen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.background import NOT_YET
from features.kernel import DAY
from features.tables import ACTIONS, EVIDENCE, REASONS
from pipelines.marketplace import Events, happen, world
from pipelines.marketplace.claims import CAUSES
from pipelines.marketplace.endings import ACCEPTED, LOST, NO_RESPONSE, PART, PRE_ARBITRATION, WITHDRAWN, WON
from pipelines.marketplace.ledger import tables
from pipelines.marketplace.names import Names
from pipelines.marketplace.officers import AUTO, FAULTS, REFUSED, rulings
from pipelines.marketplace.parcels import DELIVERED, FALSE_SCAN, SHORT
from pipelines.marketplace.people import COLLUDER, RING, SPIRITS, STRANGER
from pipelines.marketplace.platform import CHARGEBACK, CLOSED, ISSUER, OVERTURNED, UPHELD


@pytest.fixture(scope="module")
def it() -> Events:
    return happen(world("chargeback_rich", orders=60_000), seed=8)


@pytest.fixture(scope="module")
def made(it: Events) -> dict[str, pd.DataFrame]:
    return {name: rows.to_pandas() for name, rows in tables(it).items()}


def cause(*names: str) -> list[int]:
    return [CAUSES.index(name) for name in names]


def refused_when(it: Events, answered: np.ndarray, seller: np.ndarray) -> float:
    """The share of officers' rulings that refuse, had sellers answered and been who is given; all else the same."""
    had, bought = it.quarrels, replace(it.trade.bought, seller=seller)
    ruled, _ = rulings(
        np.random.default_rng(1),
        it.parameters,
        replace(it.trade, bought=bought),
        had.opened,
        had.shown,
        answered,
        had.decided,
    )
    rows = ruled.first & (ruled.outcome <= REFUSED) & (had.decided.action[ruled.dispute] != AUTO)
    return float((ruled.outcome[rows] == REFUSED).mean())


def test_silent_sellers_and_sellers_with_a_record_lose_more_disputes(it: Events) -> None:
    n, orders = len(it.quarrels.opened), np.arange(len(it.trade.bought))
    soon, never = it.quarrels.opened.at + DAY, np.full(n, NOT_YET)
    assert refused_when(it, never, orders) < refused_when(it, soon, orders) - 0.05
    assert (
        refused_when(it, soon, 0 * orders) < refused_when(it, soon, orders) - 0.05
    )  # all of one seller, with a record


def test_empty_and_short_parcels_weigh_less_than_they_should(it: Events) -> None:
    trade, sent = it.trade, it.trade.sent
    product = trade.bought.product
    goods = trade.what.unit_weight[product] * trade.what.pack[product] * trade.bought.quantity
    heavy = (sent.weighed > 0) & (goods > 3 * trade.what.packaging[product]) & (goods > 500)
    ratio = sent.weighed / (goods + trade.what.packaging[product])
    honest = heavy & ~trade.bought.fake & (sent.problem != SHORT)
    assert abs(np.median(ratio[honest]) - 1) < 0.02
    assert np.median(ratio[heavy & (sent.problem == SHORT)]) < 0.9
    assert 0.3 < (ratio[heavy & trade.bought.fake] < 0.4).mean() < 0.7


def test_a_false_scan_says_delivered_and_nothing_was(it: Events) -> None:
    sent, seen = it.trade.sent, it.trade.scans
    false = np.flatnonzero((sent.problem == FALSE_SCAN) & sent.tracked)
    scanned = np.isin(false, seen.order[seen.kind == DELIVERED])
    assert scanned.mean() > 0.6
    assert (sent.delivered[false] == NOT_YET).all()
    door = (seen.kind == DELIVERED) & (seen.match >= 0)
    odd = np.isin(seen.order, false)
    assert seen.match[door & odd].mean() < 0.8 < seen.match[door & ~odd].mean()


def test_scans_are_valid_only_where_a_delivery_was_reported_to_that_address(it: Events) -> None:
    charges, seen = it.charges, it.trade.scans
    door = seen.kind == DELIVERED
    for row in range(0, len(charges.charged), 11):
        mine = door & (seen.order == charges.charged.order[row]) & (seen.at < charges.charged.at[row])
        assert charges.done.cases.valid_scans[row] == bool(mine.any() and seen.match[mine][0] != 0)


def test_what_was_charged_back_is_what_was_claimed(it: Events) -> None:
    charged, opened = it.charges.charged, it.quarrels.opened
    disputed = charged.dispute >= 0
    assert disputed.sum() > 100
    assert (charged.amount[disputed] == opened.claimed[charged.dispute[disputed]]).all()
    assert (charged.amount < it.trade.bought.amount[charged.order]).mean() > 0.1


def test_issuers_take_all_or_half_or_nothing(it: Events) -> None:
    charged, ended, back = it.charges.charged, it.charges.ended, it.refunds
    bank = back.initiator == ISSUER
    taken = np.zeros(len(it.trade.bought), np.int64)
    taken[back.order[bank]] = back.amount[bank]
    last = {
        int(row): int(how) for row, how in zip(ended.chargeback, ended.outcome, strict=True) if how != PRE_ARBITRATION
    }
    shares = {WON: 0.0, WITHDRAWN: 0.0, PART: 0.5, LOST: 1.0, ACCEPTED: 1.0, NO_RESPONSE: 1.0}
    for row, how in last.items():
        assert taken[charged.order[row]] == int(np.ceil(charged.amount[row] * shares[how]))
    assert set(last.values()) == set(shares)


def test_the_platform_pays_back_no_more_than_the_order(it: Events) -> None:
    own = it.refunds.initiator != ISSUER
    total = np.bincount(it.refunds.order[own], it.refunds.amount[own], len(it.trade.bought))
    assert (total <= it.trade.bought.amount).all()
    assert (total == it.trade.bought.amount).sum() > 1_000
    assert (it.refunds.amount > 0).all()


def test_a_decision_has_the_probability_of_just_that_decision(it: Events) -> None:
    made, done = it.decisions, it.charges.done
    answers = made.kind == 2
    contest = made.action[answers] == ACTIONS.index("contest")
    chance = done.propensity[made.case[answers]]
    assert np.allclose(made.propensity[answers], np.where(contest, chance, 1 - chance))
    assert 0 < contest.mean() < 1
    assert (contest == (done.filed[made.case[answers]] < NOT_YET)).all()


def test_whether_to_contest_depends_on_what_the_platform_sees_and_not_on_what_is_true(it: Events) -> None:
    done, charged = it.charges.done, it.charges.charged
    bad = charged.malicious
    fraud = done.cases.family == 0
    for some in (fraud, ~fraud):
        assert abs(done.propensity[some & bad].mean() - done.propensity[some & ~bad].mean()) < 0.03
    dear = charged.amount > np.median(charged.amount)
    assert done.propensity[dear].mean() > done.propensity[~dear].mean() + 0.03


def test_blocks_of_chargebacks_end_as_the_bank_ends_them(it: Events) -> None:
    held, ended = it.blocks, it.charges.ended
    order = {int(o): row for row, o in enumerate(it.charges.charged.order)}
    last = {
        int(row): int(how) for row, how in zip(ended.chargeback, ended.outcome, strict=True) if how != PRE_ARBITRATION
    }
    for i in np.flatnonzero((held.kind == CHARGEBACK) & (held.released < NOT_YET)):
        how = last[order[int(held.order[i])]]
        assert held.result[i] == {WON: OVERTURNED, WITHDRAWN: CLOSED}.get(how, UPHELD)


def test_what_policy_paid_unseen_is_seldom_examined(it: Events) -> None:
    had = it.quarrels
    found = np.zeros(len(had.opened), np.bool_)
    found[had.found.dispute[had.found.source == 0]] = True  # by officers
    auto = had.decided.action == AUTO
    assert found[auto].mean() < 0.3 * found[~auto].mean()


def test_rules_are_tightened_for_those_found_malicious_alone_and_restored(it: Events) -> None:
    had, rules = it.quarrels, it.tiers
    bad = had.found.malicious
    buyers = set(it.trade.bought.buyer[had.opened.order[had.found.dispute[bad]]].tolist())
    assert len(rules.at) > 100
    assert set(rules.buyer.tolist()) <= buyers
    assert rules.restricted.sum() == (~rules.restricted).sum()
    assert (rules.expires[rules.restricted] - rules.at[rules.restricted] == 180 * DAY).all()


def test_reports_are_upheld_more_often_against_the_malicious(it: Events) -> None:
    told = it.quarrels.told
    bad = it.quarrels.opened.malicious[told.dispute]
    assert told.upheld[bad].mean() > told.upheld[~bad].mean() + 0.3
    assert told.upheld[~bad].mean() > 0


def test_issuers_who_tell_are_mostly_right(it: Events) -> None:
    found = it.quarrels.found
    told = found.source == 1
    right = found.malicious[told] == it.quarrels.opened.malicious[found.dispute[told]]
    assert told.sum() > 50
    assert 0.7 < right.mean() < 0.98


def test_risky_addresses_are_those_of_strangers_more_often(it: Events) -> None:
    stops, stolen = it.trade.stops, it.trade.bought.stolen
    checked = stops.checked < NOT_YET
    moved = stops.changed < NOT_YET
    assert stops.risky[moved & stolen].mean() > 1.5 * stops.risky[moved & ~stolen].mean() > 0
    assert not stops.risky[~checked].any()
    assert (it.trade.sent.shipped[stops.closed] == NOT_YET).all()


def test_a_ring_comes_to_light_after_three_accounts_have_shown_one_picture(it: Events) -> None:
    had = it.quarrels
    lit = had.found.source == 3
    assert lit.sum() > 3
    for at, dispute in zip(had.found.at[lit], had.found.dispute[lit], strict=True):
        pictures = had.shown.content[(had.shown.case == dispute) & (had.shown.content >= 0)]
        before = np.isin(had.shown.content, pictures) & (had.shown.at < at) & (had.shown.party == 0)
        accounts = it.trade.bought.buyer[had.opened.order[had.shown.case[before]]]
        assert len(np.unique(accounts)) >= 3


def test_nothing_is_shown_or_said_of_a_dispute_that_is_closed_or_of_goods_that_never_came(it: Events) -> None:
    had, sent = it.quarrels, it.trade.sent
    closing = np.full(len(had.opened), NOT_YET)
    closing[had.ruled.dispute[::-1]] = had.ruled.at[::-1]
    assert (had.shown.at < closing[had.shown.case]).all()
    photo = (had.shown.kind == EVIDENCE.index("product_photo")) & (had.shown.party == 0)
    order = had.opened.order[had.shown.case[photo]]
    assert (sent.delivered[order] < had.shown.at[photo]).all()
    receipts = it.charges.filed.kind == EVIDENCE.index("shipping_receipt")
    case = it.charges.filed.case[receipts]
    assert (sent.shipped[it.charges.charged.order[case]] < it.charges.charged.at[case]).all()


def test_faults_that_officers_name_are_mostly_true(it: Events) -> None:
    ruled, opened = it.quarrels.ruled, it.quarrels.opened
    named = opened.cause[ruled.dispute]
    blamed = ruled.fault == FAULTS.index("seller")
    seller = np.isin(named, cause("short_loaded", "wrong_item", "counterfeit", "faulty_product"))
    assert seller[blamed].mean() > 1.5 * seller.mean()
    carrier = np.isin(named, cause("lost", "false_scan", "damaged", "late"))
    assert carrier[ruled.fault == FAULTS.index("carrier")].mean() > 1.3 * carrier.mean()


def test_words_fit_causes_loosely(it: Events) -> None:
    opened = it.quarrels.opened
    for name, word in (("lost", "not_received"), ("damaged", "damaged"), ("short_loaded", "short_quantity")):
        said = opened.reason == REASONS.index(word)
        mine = opened.cause == CAUSES.index(name)
        assert 0.35 < said[mine].mean() < 0.95
        assert (said & ~mine).sum() > 0


def test_numbers_of_ids_tell_no_kind(it: Events) -> None:
    names, shown = Names(it), it.quarrels.shown
    ring = it.quarrels.opened.cause[shown.case] == CAUSES.index("ring_abuse")
    known = shown.content >= 0
    number = pd.Series(names.content(shown.content[known]).to_pylist()).str[1:].astype(int)
    assert abs(number[ring[known]].mean() / number[~ring[known]].mean() - 1) < 0.15
    bought = it.trade.bought
    for link, named in names.links.items():
        codes = pd.Series(named(getattr(bought, link)).to_pylist()).str[2:].astype(int)
        for spirit in (RING, STRANGER, COLLUDER):
            some = bought.spirit == spirit
            if some.sum() > 300:
                assert abs(codes[some].mean() / codes.mean() - 1) < 0.25, f"{link} of {SPIRITS[spirit]}"


def test_no_value_that_repeats_itself_and_no_null_marks_a_hidden_kind(
    it: Events, made: dict[str, pd.DataFrame]
) -> None:
    """Waits between the moments of one thing and its nulls, each by hidden kind: what many share, all kinds share."""
    names = Names(it)
    accounts = np.r_[np.arange(len(it.trade.folk)), it.trade.strangers.buyer]
    spirits = np.r_[it.trade.folk.spirit, np.full(len(it.trade.strangers.buyer), STRANGER)]
    buyers = made["buyers"].merge(pd.DataFrame({"buyer_id": names.buyer(accounts).to_pylist(), "kind": spirits}))
    first = made["orders"].drop_duplicates("buyer_id").set_index("buyer_id")["at"]
    orders = made["orders"].assign(kind=it.trade.bought.spirit[made["orders"]["order_id"].str[1:].astype(int)])
    opened = it.quarrels.opened
    disputes = made["disputes"].assign(kind=opened.cause[made["disputes"]["dispute_id"].str[1:].astype(int)])
    disputes = disputes.merge(made["orders"], on="order_id", suffixes=("", "_of_order"))
    waits = {
        "registered": (buyers["at"], buyers["kind"]),
        "registered before the first order": (first.reindex(buyers["buyer_id"]).array - buyers["at"], buyers["kind"]),
        "happened before the dispute": (disputes["at"] - disputes["happened_at"], disputes["kind"]),
        "happened after the order": (disputes["happened_at"] - disputes["at_of_order"], disputes["kind"]),
        "happened after the promise": (disputes["happened_at"] - disputes["promised_at"], disputes["kind"]),
        "disputed after the order": (disputes["at"] - disputes["at_of_order"], disputes["kind"]),
    }
    for what, (values, kinds) in waits.items():
        shared = pd.DataFrame({"value": pd.Series(values), "kind": kinds}).dropna().groupby("value")["kind"]
        crowds = shared.agg(["size", "nunique"])
        marks = crowds[(crowds["size"] >= 5) & (crowds["nunique"] <= 3)]
        assert marks.empty, f"{what}: {marks.head(3)}"
    for table, rows in (("buyers", buyers), ("orders", orders), ("disputes", disputes)):
        for column in rows.columns[rows.isna().any()]:
            rates = rows[column].isna().groupby(rows["kind"]).mean()[rows["kind"].value_counts() >= 100]
            if column not in ("happened_at", "promised_at"):
                assert rates.max() - rates.min() < 0.2, f"{table}.{column} is null by kind: {rates.to_dict()}"
