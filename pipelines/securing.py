"""What to secure when an order is shipped: proofs that no one can obtain later, by what they are worth in a chargeback."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features import Ledger, RedressError
from features.asking import Askings, named_askings
from features.build import gathered
from features.evidence import RULES
from features.kernel import Flag
from features.signal import Float
from features.supposed import needed
from models import Model
from models.advice import Advice
from models.advising import early
from models.blocks import open_blocks
from models.chances import outlook
from models.evidence import Chances, Plan, best, planned, set_states
from models.located import Located
from models.loss import expected_losses, priced
from models.obtaining import Item, Obtaining, brought, first_shipped
from models.policy import Policy
from models.questions import answered
from pipelines.opening import Said, moment
from pipelines.trained import trained, untrained

STEPS: Final = {
    "count the units before they are packed": ("pre_shipment_count",),
    "weigh one unit, and goods and package, before a camera": (
        "unit_weight_photo",
        "package_weight_photo",
        "weighing_video",
    ),
    "keep the shipping receipt": ("shipping_receipt",),
    "have the carrier certify the weight": ("carrier_weight_certificate",),
    "ship by designated logistics": ("tracking", "delivery_certificate"),
}
"""What can be done at shipment, and the evidence that it gives."""
_SECURED: Final = frozenset(kind for kinds in STEPS.values() for kind in kinds)
LIKE: Final = 200
"""Chargebacks, the latest known, whose reasons and circumstances stand for those of one that might come."""
PROMISED: Final = tuple(f"lane_promised_to_usual_{window}" for window in ("90d", "ever"))
"""Signals of how the promised date compares with what is usual."""


def of_order(case: Located, models: Path, policy: Policy, said: Said) -> Advice:
    """What to secure for an order not yet shipped, and its expected loss; RedressError where a model lacks or it is shipped."""
    risk, win = (_required(models, question, case.ledger) for question in ("chargeback_risk", "chargeback_win"))
    asks = _still_open(case, risk, policy)
    known = early(risk, case.t, said)
    frame, amount = gathered_for(case.ledger, risk, asks, PROMISED), case.cents("amount")
    probability = float(risk.predict_proba(frame)[0, 1])
    like, codes = _like(case.ledger, win, case.t, amount)
    said(f"weighing what {len(like)} earlier chargebacks would have been won with")
    plan = _secured(case, win, like, codes, probability * amount, policy.evidence)
    loss, lacks = _loss(case, risk, asks, probability)
    more: dict[str, object] = {
        "probability of a chargeback": probability,
        "order amount": amount,
        "expected loss": loss,
        "reason codes of earlier chargebacks": {code: n / len(codes) for code, n in Counter(codes).most_common()},
        "steps": _steps({one.kind for one in plan.recommended}),
    }
    unknown = () if like else ("no chargeback is known yet, so what a proof is worth is not",)
    notes = (*known, *unknown, *lacks, *promise(risk, frame), *_late(case))
    return Advice(case.case_id, case.kind, case.t, None, plan, (), "winning", notes=notes, more=more)


def _still_open(case: Located, risk: Model, policy: Policy) -> Askings:
    """The asking about an order whose shipment and whose chargebacks are still to come; RedressError for another."""
    cancelled = case.moments("cancellations")
    if cancelled.size:
        raise RedressError(
            f"{case.case_id}: want an order that is to be shipped, got one cancelled {moment(int(cancelled[0]))}; "
            "give an earlier --as-of, or ask about another"
        )
    shipped = first_shipped(case.ledger, case.order, case.t)
    if shipped is not None:
        raise RedressError(
            f"{case.case_id}: want an order not yet shipped, got one shipped {moment(shipped)}; "
            "ask about its dispute or chargeback"
        )
    blocks = open_blocks(case.ledger, case.t, policy.blocks)
    over = blocks[blocks["overdue"] & (blocks["order_id"] == case.name)]
    if len(over):
        raise RedressError(
            f"{case.case_id}: want a block whose deadline is to come, got {over['block_id'].iloc[0]}, whose was "
            f"{over['local'].iloc[0]}; correct blocks.closes_by, add its release, or give an earlier --as-of"
        )
    asks = case.asks("chargeback_risk")
    if answered(case.ledger, asks, risk.horizon)[0]:
        raise RedressError(
            f"{case.case_id}: want an order whose chargebacks are still to come, got one whose answer was known by "
            f"{moment(case.t)}; give an earlier --as-of"
        )
    return asks


def _late(case: Located) -> list[str]:
    """A note where the date that was promised has passed."""
    at, known = case.ledger.facts["orders"].numbers("promised_at")
    if not known[case.order] or at[case.order] > case.t:
        return []
    return [
        f"delivery was promised by {moment(int(at[case.order]))} (orders.promised_at), which has passed; agree on a new date"
    ]


def _secured(
    case: Located, win: Model, like: Sequence[pd.DataFrame], codes: Sequence[str], expected: float, obtaining: Obtaining
) -> Plan:
    """The proofs that are worth most where `expected` cents are charged back, by what earlier chargebacks are won with."""
    held = brought(case.ledger, case.order, case.t)
    able = [
        Item(kind, obtaining.cents(kind), obtaining.hours(kind))
        for kinds in STEPS.values()
        for kind in kinds
        if kind not in held
    ]
    chances = _mean_chances(win, like, able, sorted(held))
    chosen = best(chances, [one.cents for one in able], expected) if like else np.zeros(len(able), np.bool_)
    rules = [rule for rule in RULES if set(rule.codes) & set(codes) and set(rule.items) <= _SECURED]
    return planned(able, chances, expected, set_states(rules, held, frozenset()), chosen)


def _loss(case: Located, risk: Model, asks: Askings, probability: float) -> tuple[float | None, tuple[str, ...]]:
    """The expected loss of an order in cents; None, and a note, where the model does not know how chargebacks end."""
    prices = priced(risk.card)
    if not prices:
        return None, ("chargeback_risk: its card does not know how chargebacks end, so the expected loss is unknown",)
    return float(expected_losses(case.ledger, asks, np.array([probability]), prices)[0]), ()


def gathered_for(ledger: Ledger, model: Model, asks: Askings, besides: Sequence[str] = ()) -> pd.DataFrame:
    """The signals of askings that a model reads, and some besides."""
    only = {*model.columns, *besides}
    return gathered(ledger, asks, horizon=model.horizon, prior=model.prior, only=only)


def _required(models: Path, question: str, ledger: Ledger) -> Model:
    model = trained(models, question)
    if model is None:
        raise RedressError(untrained(models, question, ledger))
    return model


def _like(ledger: Ledger, model: Model, t: int, amount: float) -> tuple[list[pd.DataFrame], list[str]]:
    """The latest chargebacks known before `t` as they were when they came, each for `amount`, and their reason codes."""
    if "chargebacks" not in ledger.facts:
        return [], []
    facts = ledger.facts["chargebacks"]
    rows = np.flatnonzero(facts.at < t)[-LIKE:]
    if not rows.size:
        return [], []
    ids, words = facts.strings("chargeback_id").take(rows).to_pylist(), facts.codes("reason_code")
    asks = pd.DataFrame({"ask_id": ids, "at": pd.to_datetime(facts.at[rows], unit="us", utc=True)})
    frame = gathered_for(ledger, model, named_askings(ledger, model.question, asks), needed(model.question))
    model.logit(frame)  # names the signals that the ledger cannot give
    for name, value in {"chargeback_amount": amount, "chargeback_amount_share": 1.0}.items():
        if name in frame:
            frame[name] = np.float32(value)
    said = words.values.to_pylist()
    codes = [str(said[code]) if code >= 0 else "unknown" for code in words.codes[rows]]
    return [frame.iloc[[i]].reset_index(drop=True) for i in range(len(frame))], codes


def _mean_chances(model: Model, like: Sequence[pd.DataFrame], able: Sequence[Item], held: Sequence[str]) -> Chances:
    """The mean chance of winning over cases, each with what is held of the order besides; NaN without any case."""
    exhibits = [*(one.exhibit for one in able), *(Item(kind, 0, 0.0).exhibit for kind in held)]
    each = [outlook(model, frame, exhibits) for frame in like]

    def chances(sets: Flag) -> Float:
        whole = np.hstack([sets, np.ones((len(sets), len(held)), np.bool_)])
        some = [one.chances(whole) for one in each] or [np.full(len(sets), np.nan)]
        return np.asarray(np.mean(some, axis=0), np.float64)

    return chances


def promise(risk: Model, frame: pd.DataFrame) -> list[str]:
    """What the promised date is beside the usual one, and what the risk would go with at a realistic one."""
    told = [float(frame[name].iloc[0]) for name in PROMISED if name in frame and not np.isnan(frame[name].iloc[0])]
    if not told or told[0] >= 1:
        return []
    usual = frame.assign(**{name: np.maximum(frame[name], np.float32(1)) for name in PROMISED if name in frame})
    before, after = (float(risk.predict_proba(some)[0, 1]) for some in (frame, usual))
    says = f"delivery is promised in {told[0]:.2f} of the time that is usual here; promise a realistic date"
    return [f"{says}, which goes with a probability of a chargeback of {after:.2%} in place of {before:.2%}"]


def _steps(recommended: set[str]) -> list[dict[str, object]]:
    return [
        {"step": step, "gives": list(kinds), "recommended": bool(recommended & set(kinds))}
        for step, kinds in STEPS.items()
    ]
