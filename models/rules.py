"""Plain rules that an officer would write, by question; how many of them hold for a case is a baseline of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.kernel import Int

ORDERS: Final = {">=": np.greater_equal, "<": np.less}


@dataclass(frozen=True)
class Rule:
    """A reason to say yes in words, and the conditions `signal >= number` or `signal < number` that all must hold."""

    says: str
    when: tuple[str, ...]

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that it looks at."""
        return tuple(condition.split()[0] for condition in self.when)


RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "chargeback_risk": (
        Rule("an earlier chargeback of this buyer", ("buyer_chargebacks_count_ever >= 1",)),
        Rule("a first order of 100.00 or more", ("buyer_orders_count_ever < 1", "order_amount >= 10000")),
        Rule("an order abroad of 100.00 or more", ("order_ships_abroad >= 1", "order_amount >= 10000")),
        Rule("a third order in a day with one card", ("instrument_orders_count_1d >= 2",)),
        Rule("a device that charged-back buyers share", ("device_charged_sharers_count >= 1",)),
        Rule("one in fifty of the seller's orders charged back", ("seller_chargebacks_matured_rate_ever >= 0.02",)),
        Rule("a brand that the seller may not sell", ("listing_brand_unauthorised >= 1",)),
    ),
    "dispute_outcome": (
        Rule("not delivered", ("order_scans_delivered_count < 1",)),
        Rule("the seller brings nothing", ("case_evidence_by_seller_count < 1",)),
        Rule("the buyer brings evidence", ("case_evidence_by_buyer_count >= 1",)),
        Rule("a seller often at fault", ("seller_rulings_seller_fault_rate_ever >= 0.5",)),
        Rule("short, and the weighing is not proven", ("dispute_is_short_quantity >= 1", "case_weight_set_missing >= 1")),
        Rule("a buyer never refused", ("buyer_rulings_refused_rate_ever < 0.01", "buyer_found_malicious_count_ever < 1")),
    ),
    "malicious_dispute": (
        Rule("found malicious before", ("buyer_found_malicious_count_ever >= 1",)),
        Rule("a report about this buyer upheld", ("buyer_reports_standing_count_ever >= 1",)),
        Rule("one order in five disputed", ("buyer_disputes_per_order_ever >= 0.2", "buyer_orders_count_ever >= 5")),
        Rule("not received, yet delivered", ("dispute_is_not_received >= 1", "order_scans_delivered_count >= 1")),
        Rule("evidence shown before about another order", ("case_buyer_reused_count >= 1",)),
        Rule("a picture older than the order", ("case_buyer_photo_before_order_count >= 1",)),
        Rule("an account that malicious buyers share a device with", ("device_malicious_sharers_count >= 1",)),
    ),
    "chargeback_win": (
        Rule("delivery is proven", ("case_delivery_set_missing < 1",)),
        Rule("the card holder is proven", ("case_identity_set_missing < 1",)),
        Rule("the description is proven", ("case_description_set_missing < 1",)),
        Rule("the goods are proven genuine", ("case_authenticity_set_missing < 1",)),
        Rule("the terms are proven", ("case_terms_set_missing < 1",)),
        Rule("Compelling Evidence: two earlier orders qualify", ("chargeback_for_fraud >= 1", "priors_qualifying_count >= 2")),
        Rule("delivered and signed for", ("order_delivered_signed_count >= 1",)),
    ),
}  # fmt: skip
"""For each question reasons to say yes; none of them was chosen by looking at answers."""


def usable(rules: Sequence[Rule], frame: pd.DataFrame) -> list[Rule]:
    """The rules whose signals a frame has."""
    return [rule for rule in rules if set(rule.signals) <= set(frame.columns)]


def fired(frame: pd.DataFrame, rules: Sequence[Rule]) -> Int:
    """How many rules hold for each row (n,); a condition on an unknown signal does not.

    >>> seen = pd.DataFrame({"orders": [0, 0, 3], "cents": [5000, 20_000, float("nan")]})
    >>> fired(seen, [Rule("new", ("orders < 1",)), Rule("new and dear", ("orders < 1", "cents >= 10000"))])
    array([1, 2, 0])
    """
    held = np.zeros(len(frame), np.int64)
    for rule in rules:
        held += np.logical_and.reduce([_holds(frame, condition) for condition in rule.when])
    return held


def _holds(frame: pd.DataFrame, condition: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    signal, order, limit = condition.split()
    return np.asarray(ORDERS[order](frame[signal].to_numpy(np.float64), float(limit)), np.bool_)
