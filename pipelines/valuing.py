"""What answers to disputes cost: by the truth beside a simulated ledger, or expected by how probable malice is."""

from dataclasses import dataclass

import numpy as np

from features import Ledger
from features.asking import Askings
from features.kernel import Flag, Int
from features.signal import Float
from models.officers import granted
from models.refunds import ASK, FULL, PARTIAL, REFUSE, RETURN, REVIEW, Refunds, coefficients
from pipelines.achievable import told_of, truth_of
from pipelines.marketplace.truth import FEE, HANDLING


@dataclass(frozen=True)
class Worth:
    """What answering costs, in cents (n,): paying in full, refusing, and what a person would decide; how malicious each is.

    A refusal keeps from an honest buyer all that he claims, so nobody who knows that he is honest gains by refusing him; a
    person rules on the merits, and what he keeps from him counts as far as it was owed. `oracle` (n, 2) is what it costs one
    who knows who is malicious, and pays the honest, or has people review what they claim. `faulty` is how surely seller or
    product were at fault. Of each claim `owed` is the share that was owed, and `withheld` as much of it as a person does not
    grant. Where costs are no more than expected they are those (n, actions), in which the row of a partial
    refund is that of what is not paid.
    """

    malicious: Float
    paid: Float
    refused: Float
    judged: Float
    oracle: Float
    claimed: Float
    owed: Float
    faulty: Float
    withheld: Float
    expected: Float | None = None

    @property
    def due(self) -> Float:
        """The cents (n,) that are owed to honest buyers."""
        return (1 - self.malicious) * self.owed * self.claimed

    def unpaid(self, action: Int, owed: Float, policy: Refunds) -> Float:
        """The cents (n,) of those that each action leaves unpaid, be it by a person or without one.

        `owed` is the share that a partial refund pays; where costs are expected the rest is owed where the weight errs.
        """
        paid = np.nan_to_num(owed)
        rest = np.maximum(self.owed - paid, 0) if self.expected is None else policy.weight_error * (1 - paid)
        none = np.zeros(len(action))
        ways = {FULL: none, PARTIAL: rest, RETURN: none, ASK: self.withheld, REVIEW: self.withheld, REFUSE: self.owed}
        share = np.choose(action, [ways[one] for one in range(len(ways))])
        return np.asarray((1 - self.malicious) * self.claimed * share, np.float64)

    def costs(self, action: Int, owed: Float, policy: Refunds) -> Float:
        """What each action costs (n,), the work and the waiting with it; `owed` is the share that a partial refund pays.

        A return is credited with nothing but the goods of honest buyers: what it deters is not known here.
        """
        if self.expected is not None:
            told = self.expected.copy()
            told[:, PARTIAL] = np.nan_to_num(owed) * told[:, FULL] + (1 - np.nan_to_num(owed)) * told[:, PARTIAL]
            return np.asarray(np.take_along_axis(told, action[:, None], axis=1)[:, 0], np.float64)
        honest = 1 - self.malicious
        wait = policy.wait * honest
        unpaid = np.maximum(self.owed - np.nan_to_num(owed), 0) * self.refused * honest
        ways: dict[int, Float] = {
            FULL: self.paid,
            PARTIAL: np.nan_to_num(owed) * self.paid + unpaid,
            RETURN: policy.shipping + self.paid - policy.salvage * self.claimed * honest,
            REVIEW: policy.review + wait * policy.review_days + self.judged,
            REFUSE: self.refused,
        }
        ways[ASK] = policy.ask + wait * policy.ask_days + ways[REVIEW]
        return np.choose(action, [ways[one] for one in range(len(ways))])


def true_worth(ledger: Ledger, asks: Askings, policy: Refunds, *, repeat: float = 1.0) -> Worth:
    """What answering costs by the truth, at a policy's prices; `repeat` scales what paid malice encourages.

    Of an honest buyer who is refused the claim stays owed, besides the fees if he goes to his bank, and he is wronged at the
    policy's price, which stands in place of the margin that the truth says is lost with him.
    """
    told = told_of(ledger, asks, np.arange(len(asks)))
    cost_paid, cost_refused, owed = (
        told[name].to_numpy(np.float64) for name in ("cost_if_refunded", "cost_if_refused", "owed_share")
    )
    malicious = told["malicious"].to_numpy(np.bool_)
    claimed = ledger.facts["disputes"].numbers("claimed")[0][asks.row].astype(np.float64)
    paid = claimed + repeat * (cost_paid - claimed)
    charged, fought, lost = (told[name].to_numpy(np.bool_) for name in ("goes_to_bank", "contested", "lost_at_bank"))
    fees = FEE * (charged * 1.0 + (fought & lost)) + HANDLING * fought
    refused = np.where(malicious, cost_refused, fees + claimed + policy.wrongful)
    share = _granted(ledger, asks, malicious, policy)
    withheld = np.maximum(owed - share, 0)
    judged = share * paid + np.where(malicious, 1 - share, withheld) * refused
    faulty = told["side"].isin(("seller", "product")).to_numpy(np.bool_).astype(np.float64)
    reviewed = policy.review + policy.wait * policy.review_days + judged
    oracle = np.stack([np.where(malicious, np.minimum(paid, refused), way) for way in (paid, reviewed)], axis=1)
    return Worth(malicious.astype(np.float64), paid, refused, judged, oracle, claimed, owed, faulty, withheld)


def expected_worth(ledger: Ledger, asks: Askings, malicious: Float, policy: Refunds, faulty: Float) -> Worth:
    """What answering is expected to cost by what a policy assumes, where malice and faults are as probable as told (n,)."""
    claimed = ledger.facts["disputes"].numbers("claimed")[0][asks.row].astype(np.float64)
    of = coefficients(policy)
    terms = np.stack([np.ones(len(claimed)), malicious, claimed, malicious * claimed], axis=1)
    honest, sure = (np.stack([claimed * 0 + 1, claimed * 0 + m, claimed, m * claimed], axis=1) for m in (0.0, 1.0))
    suspect = malicious * np.minimum(sure @ of[FULL], sure @ of[REFUSE])
    oracle = np.stack([(1 - malicious) * (honest @ of[way]) + suspect for way in (FULL, REVIEW)], axis=1)
    costs = terms @ of.T
    paid, refused, judged = (costs[:, action] for action in (FULL, REFUSE, REVIEW))
    owed, withheld = (np.full(len(claimed), share) for share in (1.0, policy.withheld * policy.wrongly))
    return Worth(malicious, paid, refused, judged, oracle, claimed, owed, faulty, withheld, costs)


def _granted(ledger: Ledger, asks: Askings, malicious: Flag, policy: Refunds) -> Float:
    """The share of each claim that a person grants (n,): as in the ledger, and where no officer ruled, the mean of the like.

    Where nobody of a kind was ruled about it is as the policy assumes.
    """
    share = granted(ledger, asks)
    for like, keeps in ((malicious, policy.caught), (~malicious, policy.withheld)):
        ruled = like & ~np.isnan(share)
        share[like & ~ruled] = share[ruled].mean() if ruled.any() else 1 - keeps
    return share


def has_truth(ledger: Ledger) -> bool:
    """Whether the truth of disputes lies beside the ledger."""
    return truth_of(ledger, "malicious_dispute").is_file()
