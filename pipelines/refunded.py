"""What a report says of refunds: money by way of answering, what was answered, what changes with policy and prices."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from models.deciding import Answered, Sight
from models.policy import Policy
from models.refunds import ACTIONS, WHY
from pipelines import plots
from pipelines.comparing import FAIR, ORACLE, Compared
from pipelines.report import Section, bracketed, table

BY_MODEL: Final = (
    "By the model: disputes whose first answer would be another, were all as probably malicious as the mean of them."
)
UNSKILLED: Final = (
    "The model has not shown that it knows more than how common malice is, on answers that came after it had learnt, so it is "
    "not asked: every answer goes by the claim and by what is confirmed. Train on a longer ledger, or have more looked into."
)
"""What is said of a model without skill."""
SHOWN: Final = 20
"""Disputes that two policies answer differently which a report shows at most."""


def fact(told: Compared, name: str) -> tuple[str, str]:
    """What a policy saves, and whom it refuses, as a key number."""
    beside = told.best(FAIR)
    share, low, high = told.saved(name, beside)
    kept = "nothing to save" if np.isnan(share) else f"{bracketed('.0%', share, low, high)} saved"
    return (
        f"{name}: of the gap from {beside} to the oracle",
        f"{kept}, {told.refused(name):.2%} of the honest refused",
    )


def money_section(told: Compared, rows: pd.DataFrame, names: Sequence[str]) -> Section:
    """What a dispute costs by each way of answering, and how much of the gap to the oracle policies save."""
    shown = pd.DataFrame(
        {
            "way of answering": rows["way"],
            "cost of a dispute": (rows["cost"] / 100).map("{:,.2f}".format),
            f"beyond {told.best()}": [_cents(*row) for row in rows[["beyond", "low", "high"]].to_numpy().tolist()],
            "honest refused without a person": rows["honest_refused"].map("{:.2%}".format),
            "owed to the honest, not paid": rows["unpaid"].map("{:.2%}".format),
        }
    )
    best, fair = told.best(), told.best(FAIR)
    says = (
        "What a dispute costs by each way of answering, in whole currency: the money, further claims that paid malice "
        "encourages, what a refused buyer's bank takes back with its fees, buyers who leave, work and waiting. An honest "
        "claim that is refused counts in full; what a person does not grant him counts as far as it was owed. The oracle knows "
        "who is malicious, pays the honest, and has their dearest claims reviewed if that pays. In brackets 95 % intervals of "
        "the difference, over resamples of buyers.",
        "What the honest were owed and did not get counts by whomever it was kept from them: a rule, a person, or a partial "
        "refund.",
        f"The cheapest plain way is: {best}. Of those that refuse at most {FAIR:.1%} of the honest it is: {fair}.",
        *(f"{name} {'; '.join(saved(told, name, other) for other in dict.fromkeys((best, fair)))}." for name in names),
        *(unsure(name, fair) for name in names if told.beyond(name, fair)[2] >= 0),
    )
    return Section("Money", says, table(shown), plots.ways(rows, names, ORACLE))


def unsure(name: str, fair: str) -> str:
    """What is said of a policy that is not surely cheaper than the best plain way that is fair."""
    plainly = fair.replace("amount alone", "review what is dear")
    return f"{name} is not surely cheaper here than to {plainly}, which would do as well."


def saved(told: Compared, name: str, beside: str) -> str:
    """The share of the gap that a policy saves, in words."""
    share, low, high = told.saved(name, beside)
    if np.isnan(share):
        return f"is held against {beside}, which the oracle does not better"
    return f"saves {bracketed('.0%', share, low, high)} of the gap between {beside} and the oracle"


def actions_section(
    policies: Sequence[Policy], made: Mapping[str, Answered], acts: Mapping[str, float | None]
) -> Section:
    """What each policy answered, and why."""
    rows = []
    for one in policies:
        last, n = made[one.name].last, len(made[one.name].asked)
        counts = np.bincount(last.action, minlength=len(ACTIONS))
        row = {"policy": f"{one.name} ({one.version[:8]})", "by the model": acted(acts[one.name])}
        row |= {"evidence asked for": f"{made[one.name].asked.mean():.1%}"}
        rows.append(
            row | {name.replace("_", " "): f"{k / n:.1%}" for name, k in zip(ACTIONS, counts, strict=True) if k}
        )
    reasons = [
        f"{one.name}: "
        + "; ".join(
            f"{k:,} because {says}"
            for (_, says), k in zip(WHY.items(), np.bincount(made[one.name].last.why, minlength=len(WHY)), strict=True)
            if k
        )
        + "."
        for one in policies
    ]
    return Section(
        "What was answered",
        ("The last answer to each dispute.", UNSKILLED if None in acts.values() else BY_MODEL, *reasons),
        table(pd.DataFrame(rows).fillna("0.0%")),
    )


def acted(share: float | None) -> str:
    """The share of answers that are the model's, in words."""
    return "none: the model has shown no skill" if share is None else f"{share:.1%}"


def differences_section(
    policies: Sequence[Policy], first: Sight, made: Mapping[str, Answered], told: Compared
) -> Section:
    """Disputes that the first policy and another answer differently, the largest claims first."""
    one, rows = policies[0], []
    says = []
    for other in policies[1:]:
        a, b = made[one.name].last, made[other.name].last
        differ = np.flatnonzero(a.action != b.action)
        paid = (b.amount[differ] - a.amount[differ]).sum() / 100
        way = "more" if paid >= 0 else "less"
        says.append(
            f"{one.name} and {other.name} differ about {len(differ):,} disputes; {other.name} pays {abs(paid):,.0f} {way} at "
            f"once, and a dispute costs {_cents(*told.beyond(other.name, one.name))} more by it."
        )
        for i in differ[np.argsort(-first.claims.claimed[differ], kind="stable")][:SHOWN].tolist():
            rows.append(
                {
                    "dispute": first.claims.ids[i],
                    "claimed": f"{first.claims.claimed[i] / 100:,.2f}",
                    "malicious": f"{first.malicious[i]:.1%}",
                    one.name: ACTIONS[a.action[i]].replace("_", " "),
                    "other policy": other.name,
                    "answers": ACTIONS[b.action[i]].replace("_", " "),
                }
            )
    return Section("What changes with the policy", tuple(says), table(pd.DataFrame(rows)) if rows else None)


def sweep_section(policy: Policy, sweep: pd.DataFrame) -> Section:
    """A policy beside the best plain ways where prices are others."""
    shown = pd.DataFrame({"price": sweep["price"], "times": sweep["times"].map("{:g}".format)})
    for kind, heading in (("", "cheapest plain way"), ("fair_", f"cheapest that refuses at most {FAIR:.1%}")):
        numbers = sweep[[f"{kind}{name}" for name in ("beyond", "low", "high")]].to_numpy(np.float64).tolist()
        shown[heading] = sweep[f"{kind}beside"]
        shown[f"{policy.name}, beyond {'it' if not kind else 'that'}"] = [_cents(*row) for row in numbers]
    shown["honest refused"] = sweep["honest_refused"].map("{:.2%}".format)
    worse, unfair = (int((sweep[f"{kind}low"] > 0).sum()) for kind in ("", "fair_"))
    says = (
        "Each price is varied by itself, known to the policy and to the costs alike; in whole currency for a dispute.",
        f"In {worse} of {len(sweep)} cases the cheapest plain way is surely cheaper than the policy; in {unfair} the cheapest "
        f"of those that refuse at most {FAIR:.1%} of the honest.",
    )
    return Section("If prices were different", says, table(shown))


def _cents(*cents: float) -> str:
    return bracketed("+,.2f", *(one / 100 for one in cents))
