"""Who says what of a dispute, as declarations: the word each source can give, what it speaks for, and when it is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from features import Ledger
from features.asking import Askings
from features.background import FOR_THE_BUYER, NOT_YET, Background, automatic_rulings, first_at, is_word, order_rows
from features.kernel import Code, Flag, Int, positions
from features.tables import SOURCES

Hypothesis = Literal["malice", "fault", "mistake", "honest", ""]
"""What a word speaks for: the buyer's malice, a seller's or product's fault, a carrier's or honest mistake, either of these
two without saying which, or nothing."""
VIEW: Final = ("malice", "fault", "mistake")
"""The three hypotheses, each the rival of the others."""
Part = Literal["anchor", "vote", "rival"]

OUTCOMES: Final = ("granted", "refused", "settled or withdrawn")
FAULTS: Final = ("buyer", "seller", "carrier", "none", "unknown")


@dataclass(frozen=True)
class Said:
    """What a source said, in time order: the dispute (a row of `disputes`), when it was known, and which word."""

    dispute: Int
    at: Int
    word: Int


@dataclass(frozen=True)
class Source:
    """A source: who speaks, the tables it needs, each word with what it speaks for, and how they are read.

    An anchor looked into the dispute itself and is believed unless the others say otherwise; a vote counts by what it is
    found to be worth; a rival tells the honest hypotheses apart and says nothing of malice.
    """

    name: str
    by: str
    part: Part
    needs: tuple[str, ...]
    words: tuple[tuple[str, Hypothesis], ...]
    read: Callable[[Ledger], Said]

    def speaks_for(self, *hypotheses: Hypothesis) -> Flag:
        """Which words speak for one of these."""
        return np.array([hypothesis in hypotheses for _, hypothesis in self.words])


@dataclass(frozen=True)
class Votes:
    """What had been said of askings before a moment: by source the word (n,), -1 for none, and who reported, -1 nobody."""

    said: dict[str, Code]
    reporter: Code


def votes(ledger: Ledger, asks: Askings, as_of: int) -> Votes:
    """The latest word of each source known before `as_of`; a source whose tables the ledger lacks says nothing."""
    disputes = len(ledger.facts["disputes"])
    said = {}
    for source in SAYING:
        latest = np.full(disputes, -1, np.int32)
        if set(source.needs) <= ledger.facts.keys():
            facts = source.read(ledger)
            known = (facts.at < as_of) & (facts.dispute >= 0) & (facts.word >= 0)
            latest[facts.dispute[known]] = facts.word[known]  # of several for one dispute NumPy keeps the last
        said[source.name] = latest[asks.row]
    order = order_rows(ledger, "disputes")[asks.row]
    seller = np.append(ledger.facts["orders"].codes("seller_id").codes, np.int32(-1))[order]
    return Votes(said, np.where(said["report"] >= 0, seller, -1).astype(np.int32))


def _found(who: str) -> Source:
    """The findings of one kind of finder."""

    def read(ledger: Ledger) -> Said:
        facts = ledger.facts["findings"]
        says, known = facts.numbers("malicious")
        theirs = known & is_word(facts.codes("source"), who)
        order = np.lexsort((says, facts.at))
        return Said(facts.points["disputes"][order], facts.at[order], np.where(theirs, says, -1)[order])

    words: tuple[tuple[str, Hypothesis], ...] = (("honest", "honest"), ("malicious", "malice"))
    return Source(f"finding by {who.replace('_', ' ')}", who, "anchor", ("findings",), words, read)


def _ruled(ledger: Ledger) -> Said:
    """An officer's outcome and the fault he found are one word, as they are one judgement.

    What the platform's system decided is no officer's word.
    """
    facts = ledger.facts["rulings"]
    outcome, fault = facts.codes("outcome"), facts.codes("fault")
    ended = np.select([is_word(outcome, *FOR_THE_BUYER), is_word(outcome, "refused")], [0, 1], 2)
    blamed = np.select([is_word(fault, word) for word in FAULTS[:-1]], range(len(FAULTS) - 1), len(FAULTS) - 1)
    word = np.where(automatic_rulings(ledger), -1, ended * len(FAULTS) + blamed)
    return Said(facts.points["disputes"], facts.at, word)


def _ruling(outcome: str, fault: str) -> tuple[str, Hypothesis]:
    """What an outcome and a fault speak for together: the fault where there is one, else who won."""
    blamed: dict[str, Hypothesis] = {"buyer": "malice", "seller": "fault", "carrier": "mistake"}
    won: dict[str, Hypothesis] = {"granted": "honest", "refused": "malice"}
    return f"{outcome}, fault {fault}", blamed.get(fault) or won.get(outcome, "")


def _by_order(ledger: Ledger, parts: Sequence[tuple[str, Int]]) -> Said:
    """Facts of several tables, each with its word, by the disputes of their orders."""
    order, at, word = (
        np.concatenate(columns)
        for columns in zip(
            *((order_rows(ledger, name), ledger.facts[name].at, word) for name, word in parts), strict=True
        )
    )
    of_dispute = order_rows(ledger, "disputes")
    by_order = np.argsort(of_dispute, kind="stable")
    lo, hi = (np.searchsorted(of_dispute[by_order], order, side) for side in ("left", "right"))
    which, place = positions(lo, np.where(order >= 0, hi, lo))
    sort = np.lexsort((word[which], at[which]))
    return Said(by_order[place][sort], at[which][sort], word[which][sort])


def _reported(ledger: Ledger) -> Said:
    judged = ledger.facts["report_rulings"]
    upheld, known = judged.numbers("upheld")
    filed = np.zeros(len(ledger.facts["reports"]), np.int64)
    return _by_order(ledger, [("reports", filed), ("report_rulings", np.where(known, 1 + upheld, -1))])


def _banked(ledger: Ledger) -> Said:
    outcome = ledger.facts["chargeback_rulings"].codes("outcome")
    ended = np.select([is_word(outcome, "lost", "partial"), is_word(outcome, "won")], [1, 2], -1)
    charged = np.zeros(len(ledger.facts["chargebacks"]), np.int64)
    return _by_order(ledger, [("chargebacks", charged), ("chargeback_rulings", ended)])


def _scanned(ledger: Ledger) -> Said:
    kind = ledger.facts["scans"].codes("kind")
    return _by_order(ledger, [("scans", np.where(is_word(kind, "lost", "returned", "exception"), 0, -1))])


def _insured(ledger: Ledger) -> Said:
    funder = ledger.facts["refunds"].codes("funded_by")
    return _by_order(
        ledger, [("refunds", np.select([is_word(funder, "insurer"), is_word(funder, "seller")], [0, 1], -1))]
    )


def _guilty(ledger: Ledger) -> Said:
    """A seller's guilt found by the platform, for each of his disputes."""
    background = Background(ledger, 0, "disputes")
    seller, at = background.upheld("kind", "seller_integrity")
    sellers = len(ledger.facts["orders"].codes("seller_id").values)
    first = np.append(first_at(seller.astype(np.int64), at, sellers), NOT_YET)
    of_dispute = first[background.codes("seller_id")[order_rows(ledger, "disputes")]]
    dispute = np.argsort(of_dispute, kind="stable")
    return Said(dispute, of_dispute[dispute], np.zeros(dispute.size, np.int64))


SAYING: Final = (
    *(_found(who) for who in SOURCES),
    Source("officer", "officer", "vote", ("rulings",), tuple(_ruling(o, f) for o in OUTCOMES for f in FAULTS), _ruled),
    Source(
        "report",
        "seller",
        "vote",
        ("reports", "report_rulings"),
        (("filed", "malice"), ("rejected", "honest"), ("upheld", "malice")),
        _reported,
    ),
    Source(
        "bank",
        "issuer",
        "vote",
        ("chargebacks", "chargeback_rulings"),
        (("charged back", ""), ("lost by the seller", "honest"), ("won by the seller", "malice")),
        _banked,
    ),
    Source("scan", "carrier", "rival", ("scans",), (("lost, returned or exception", "mistake"),), _scanned),
    Source(
        "refund",
        "platform",
        "rival",
        ("refunds",),
        (("borne by the insurer", "mistake"), ("borne by the seller", "fault")),
        _insured,
    ),
    Source("seller's guilt", "platform", "rival", ("blocks", "releases"), (("upheld", "fault"),), _guilty),
)
"""Every source."""
