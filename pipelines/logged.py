"""What the log says: what policies would have cost by a ledger's own decisions, drawn with probabilities that it tells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from features import Ledger
from features.asking import Askings, named_askings
from features.kernel import DAY, Flag, Int
from features.signal import Float
from models import Model
from models.deciding import QUESTION, Sight, seen
from models.exploring import chances
from models.observed import ANSWERS, NEEDS, Logged, logged, observed
from models.offpolicy import Estimate, Log, Overlap, crossfitted, own, supported, value
from models.policy import Policy
from models.refunds import Refunds
from pipelines.report import Section, bracketed, table

BY: Final = {
    "as logged": "as it was answered",
    "ips": "inverse propensity",
    "self-normalised ips": "self-normalised",
    "doubly robust": "doubly robust",
}
"""What estimators are called in a report."""
BEST: Final = "doubly robust"
COLUMNS: Final = [
    *("way", "by", "disputes", "outside", "effective"),
    *(f"{name}{end}" for name in ("cost", "cost_beyond", "unpaid", "unpaid_beyond") for end in ("", "_low", "_high")),
]
"""What is told of each policy by each estimator."""
HEADINGS: Final = {
    "cost": "cost of a dispute",
    "cost_beyond": "beyond that as it was answered",
    "unpaid": "of its claim left unpaid",
}
WANTED: Final = (
    "To know it, let a policy try other safe answers now and then ([refunds] explores above 0), carry out what it draws, and "
    "put decisions.NAME.parquet, which is written beside this report, into the ledger's table decisions."
)


@dataclass(frozen=True)
class Told:
    """What the log says: sentences, and a row for each policy and estimator, in cents a dispute."""

    says: tuple[str, ...]
    rows: pd.DataFrame

    def fact(self, name: str) -> str:
        """What a policy would have cost, in a few words."""
        rows = [row for row in self.rows.to_dict("records") if row["way"] == name]
        told = {str(row["by"]): _money(*(float(row[one]) for one in ("cost", "cost_low", "cost_high"))) for row in rows}
        return f"{told[BEST]}, as logged {told['as logged']}" if told else "not known"


@dataclass(frozen=True)
class Heard:
    """Logged decisions, whose buyer each is about, and by name what followed and what a model guesses of it, in cents.

    `followed` are (n,), `guessed` (n, answers) of the answers that were ever logged, each by models that learnt without its
    buyer.
    """

    log: Logged
    buyer: Int
    followed: Mapping[str, Float]
    guessed: Mapping[str, Float]

    def of(self, name: str, kept: Flag | None = None) -> Log:
        """Decisions with what followed them, all or some, among the answers that were ever logged."""
        which = np.ones(len(self.buyer), np.bool_) if kept is None else kept
        answers, place = np.unique(self.log.action, return_inverse=True)
        words = tuple(ANSWERS[i] for i in answers.tolist())
        return Log(words, place[which], self.log.propensity[which], self.followed[name][which], self.buyer[which])


def by_log(ledger: Ledger, model: Model, asks: Askings, policies: Sequence[Policy], section: Overlap) -> Told:
    """What each policy would have cost by what was logged of the disputes asked about; the first one's prices are used."""
    lost = next((name for name in ("decisions", *NEEDS) if name not in ledger.facts), None)
    if lost:
        return _nothing(f"the ledger has no table {lost}")
    log, left = _usable(ledger, asks, section)
    drawn = int((log.propensity < 1).sum())
    if drawn < max(section.fewest, 1):
        return _nothing(f"{drawn:,} decisions about these disputes were drawn, and {section.fewest:,} are wanted{left}")
    came = observed(ledger, log, policies[0].refunds, int(section.followed * DAY))
    unsettled = float(came.unsettled.mean())
    if unsettled > section.unsettled_at_most:
        why = "chargebacks have not ended, or amounts are unknown"
        return _nothing(f"what {unsettled:.1%} of the {len(log.at):,} logged disputes cost is not settled: {why}")
    heard, sight = _heard(ledger, model, asks, log, {"cost": came.cost, "unpaid": came.unpaid})
    found = [weighed(one.name, target(sight, one.refunds), heard, section) for one in policies]
    rows = pd.DataFrame([row for some, _ in found for row in some], columns=COLUMNS)
    says = f"{len(log.at):,} of {len(asks):,} disputes have a logged decision, {drawn:,} of them drawn{left}."
    return Told((says, *_meaning(policies[0], section, unsettled), *(line for _, line in found)), rows)


def _nothing(why: str) -> Told:
    return Told((f"Nothing: {why}. {WANTED}",), pd.DataFrame(columns=COLUMNS))


def _usable(ledger: Ledger, asks: Askings, section: Overlap) -> tuple[Logged, str]:
    """Decisions about the disputes asked about of which all is known, and in words how many are left out."""
    log = logged(ledger)
    log = log.take(np.isin(log.dispute, asks.row))
    known = (log.propensity > 0) & (log.action >= 0)
    old = log.at + int(section.followed * DAY) <= ledger.last_at
    young, unknown = int((~old).sum()), int((old & ~known).sum())
    left = [f"{young:,} are younger than {section.followed:g} days"] * (young > 0)
    left += [f"of {unknown:,} answer or propensity is unknown"] * (unknown > 0)
    return log.take(old & known), f"; left out: {', '.join(left)}" if left else ""


def _heard(
    ledger: Ledger, model: Model, asks: Askings, log: Logged, followed: Mapping[str, Float]
) -> tuple[Heard, Sight]:
    """Logged decisions with what followed them, and their disputes as they were known when each was made."""
    place = np.full(len(ledger.facts["disputes"]), -1)
    place[asks.row] = np.arange(len(asks))
    names = asks.ids.take(pa.array(place[log.dispute])).to_pandas()
    named = pd.DataFrame({"ask_id": names, "at": pd.to_datetime(log.at, unit="us", utc=True)})
    then = named_askings(ledger, QUESTION, named)
    place[log.dispute] = np.arange(len(log.at))
    order = place[then.row]
    log, sight = log.take(order), seen(ledger, model, then)
    buyer = ledger.facts["orders"].codes("buyer_id").codes[log.order].astype(np.int64)
    heard = Heard(log, buyer, {name: values[order] for name, values in followed.items()}, {})
    known = np.column_stack([sight.malicious, sight.claims.claimed])
    return replace(heard, guessed={name: crossfitted(known, heard.of(name)) for name in followed}), sight


def target(sight: Sight, policy: Refunds) -> Float:
    """With which probability a policy gives each of ANSWERS (n, answers) to disputes as they are seen."""
    usual, n = replace(policy, explores=0.0), len(sight.told)
    found = np.zeros((n, len(ANSWERS)))
    if not policy.explores:
        found[np.arange(n), sight.decided(usual, askable=True).action] = 1.0
        return found
    for i in range(n):
        case, decision = sight.claims.case(i), sight.decision(i, usual, askable=True)[0]
        for action, share in chances(case, sight.scores(i), decision, policy).items():
            found[i, action] = share
    return found


def weighed(name: str, does: Float, heard: Heard, section: Overlap) -> tuple[list[dict[str, object]], str]:
    """What a policy that gives ANSWERS with probabilities `does` would have cost and left unpaid, and a sentence about it."""
    log = heard.log
    kept = supported(Log(ANSWERS, log.action, log.propensity, heard.followed["cost"]), does)
    n, outside = int(kept.sum()), int((~kept).sum())
    meets = int((does[np.arange(len(kept)), log.action][kept] > 0).sum())
    says = f"{name}: in {outside:,} disputes it would answer what the log never tries there, and they are left out"
    if n < max(section.fewest, 1) or not meets:
        return [], f"{says}; of the other {n:,} it would answer {meets:,} as they were, which is too little. {WANTED}"
    does = does[:, np.unique(log.action)][kept]
    rows: list[dict[str, object]] = [{"way": name, "by": by, "disputes": n, "outside": outside} for by in BY]
    for what, guess in heard.guessed.items():
        one = heard.of(what, kept)
        found = value(one, does, guess[kept], overlap=section)
        cost, beyond = (own(one), *found.estimates), (Estimate("as logged", 0.0, 0.0, 0.0), *found.beyond)
        for row, each, more in zip(rows, cost, beyond, strict=True):
            row |= {"effective": found.effective} | _numbers(what, each) | _numbers(f"{what}_beyond", more)
    as_much = (
        f"The other {n:,}, {meets:,} of them answered as it may, tell as much as {found.effective:,.0f} of its own"
    )
    return rows, ". ".join([says, as_much, *(f"Warning: {one}" for one in found.warnings)]) + "."


def _numbers(name: str, told: Estimate) -> dict[str, float]:
    return {name: told.cost, f"{name}_low": told.low, f"{name}_high": told.high}


def _meaning(policy: Policy, section: Overlap, unsettled: float) -> tuple[str, str]:
    """What the cost of a dispute is made of here, and what it is not."""
    fees = f"{policy.refunds.bank_fees / 100:,.2f}"
    most = (
        f"Of {unsettled:.1%} of the disputes it is not settled and counts as the most it may be. " if unsettled else ""
    )
    return (
        f"The cost of a dispute is here what was seen to be paid within {section.followed:g} days: refunds on its order, "
        f"whoever bore them, what banks took back, {fees} for each chargeback, and reviews, requests for evidence and return "
        f"shipments at the prices of {policy.name}. {most}Policies answer as of the moment of the logged decision; once "
        "evidence was asked for, all goes on as it did.",
        "No ledger tells who was honest. What refusing the honest wrongs, what waiting costs them, and further claims that "
        "paid malice encourages are in none of these numbers, so an answer that leaves a claim unpaid looks cheap: what is "
        "left unpaid stands beside it. In brackets 95 % intervals, by buyers.",
    )


def logged_section(found: Told) -> Section:
    """A table of it."""
    rows = found.rows
    shown = pd.DataFrame(
        {"policy": rows["way"], "by": rows["by"].map(BY), "disputes": rows["disputes"].map("{:,}".format)}
    )
    for name, heading in HEADINGS.items():
        numbers = rows[[name, f"{name}_low", f"{name}_high"]].to_numpy(np.float64)
        shown[heading] = [_money(*row) for row in numbers.tolist()]
    shown.loc[rows["by"] == "as logged", HEADINGS["cost_beyond"]] = "–"
    return Section("What the log says", found.says, table(shown) if len(rows) else None)


def entries(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Such rows as a table that may be put into a ledger."""
    found = pd.DataFrame(list(rows))
    return found.assign(at=pd.to_datetime(found["at"], unit="us", utc=True).dt.as_unit("us"))


def _money(*cents: float) -> str:
    return bracketed(",.2f", *(one / 100 for one in cents))
