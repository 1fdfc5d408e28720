"""The job of planning evidence: what to obtain for one case before its deadline, and what that is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features import RedressError
from features.background import is_ending, is_word
from features.build import gathered
from features.candidates import PROGRAMMES, candidates
from features.evidence import RULES, Rule
from features.kernel import Flag
from features.signal import Float
from features.supposed import HELD, needed
from models import Model
from models.chances import by_model, outlook
from models.deadlines import shown
from models.deadlines import zone as known_zone
from models.evidence import Chances, Plan, SetState, asked_sets, best, planned, set_states
from models.obtaining import Item, Obtaining, items, until
from models.policy import Policy
from models.policy import opened as policy_at
from pipelines.advice import Advice, Programme
from pipelines.answers import answered, held
from pipelines.located import Case, early, located, trained, untrained
from pipelines.opening import Said, moment, opened
from pipelines.securing import of_order

CLOSED: Final = {"chargeback": "chargeback_rulings", "dispute": "rulings"}
"""The table that says that a case of each kind is over."""
ENOUGH: Final = 1_000
"""Contested chargebacks from which chances are learnt so well that the best of many sets is not mostly luck; a round number."""
BLIND: Final = "the model depends on none of the items that can be had"
"""What is said of a model to which evidence is nothing."""


@dataclass(frozen=True)
class Told:
    """A model's probability of an outcome with sets of items: quickly, as it says itself to the bit, and what it depends on."""

    quick: Chances
    itself: Chances
    reads: Flag


def evidence(
    case_id: str,
    ledger: Path,
    models: Path,
    *,
    as_of: int | None = None,
    kind: str | None = None,
    policy: Policy | None = None,
    zone: str = "UTC",
    said: Said,
) -> Advice:
    """What to obtain for a chargeback or a dispute, or to secure for an order, at a moment; the ledger's end unless given.

    With a chargeback goes the answer to it, and with an order what its open blocks ask for. People read times in a `zone`.
    """
    chosen = policy or policy_at("default")
    known_zone(zone)
    facts = opened(ledger, said)
    case = located(facts, case_id, kind, facts.last_at + 1 if as_of is None else as_of)
    if case.kind == "order":
        return replace(of_order(case, models, chosen, said), blocks=held(case, chosen, zone), zone=zone)
    deadline = _open_until(case, chosen, zone)
    if case.kind == "dispute":
        return replace(of_dispute(case, models, deadline, chosen, said), zone=zone)
    advice = of_chargeback(case, models, deadline, chosen, said)
    return replace(advice, answer=answered(case, advice, chosen, zone), zone=zone)


def _open_until(case: Case, policy: Policy, zone: str) -> int:
    """The deadline of a case; RedressError where it has passed or the case is over."""
    deadline, field = until(case.ledger, case.row, case.table, policy.evidence, policy.chargebacks)
    ended = _ended(case)
    if ended is not None:
        raise RedressError(
            f"{case.case_id}: want a case that is open at {shown(case.t, zone)}, got one decided {shown(ended, zone)}; "
            "give an earlier --as-of, or ask about another"
        )
    if case.t >= deadline:
        raise RedressError(
            f"{case.case_id}: want a time before its deadline, {shown(deadline, zone)} by {field}, got {shown(case.t, zone)}; "
            "give an earlier --as-of, or correct the deadline"
        )
    return deadline


def _ended(case: Case) -> int | None:
    """When a case was decided, None where it was not before the moment asked."""
    ends = (lambda facts: is_ending(facts.codes("outcome"))) if case.kind == "chargeback" else None
    at = case.moments(CLOSED[case.kind], ends)
    return int(at[0]) if at.size else None


def of_chargeback(case: Case, models: Path, deadline: int, policy: Policy, said: Said) -> Advice:
    """The items that are worth most for a defence, by the model's chance of winning with each set of them."""
    model = trained(models, "chargeback_win")
    if model is None:
        raise RedressError(untrained(models, "chargeback_win", case.ledger))
    filed, amount = _filed(case), case.cents("amount")
    frame, rules = case.frame(model), asked_sets(code=case.word("reason_code"))
    held, able, barred = _parted(case, frame, deadline, policy.evidence)
    told = _asked(model, frame, able)
    plan = _searched(told, able, amount, _states(rules, held, barred), said)
    blind = () if told.reads.any() or not able else (f"{BLIND}: what they change is not known",)
    notes = (*early(model, case.t, said), *blind, *_few(model), *filed)
    programmes = _programmes(case, policy.evidence)
    return Advice(case.case_id, case.kind, case.t, deadline, plan, barred, "winning", programmes, notes)


def _few(model: Model) -> tuple[str, ...]:
    """A note where a model learnt from so few cases that the best of many sets is likely to look better than it is."""
    rows = int(str(model.card.get("rows", 0)))
    if rows >= ENOUGH:
        return ()
    return (
        f"the chances are learnt from {rows:,} contested chargebacks alone; of many sets the one that looks best "
        "then likely gains less than is told",
    )


def of_dispute(case: Case, models: Path, deadline: int, policy: Policy, said: Said) -> Advice:
    """The items that are worth most for the seller's answer, by the model's chance of a refusal with each set of them.

    Without a model of rulings, or with one that depends on none of the items, it is what the rules ask for, where all that
    lacks of a set can be had: learnt when disputes are opened, a model may never have seen what the seller brings later.
    """
    model, reason = trained(models, "dispute_outcome"), case.word("reason")
    rules, notes = asked_sets(reason=reason), list[str]()
    if not rules:
        notes.append(f"no set of evidence is declared for the reason {reason or 'unknown'}")
    if reason in policy.refunds.reasons:
        notes.append(
            f"a refund for {reason} is the platform's to bear, unless the seller or the carrier is found at fault"
        )
    if model is None:
        notes.insert(0, untrained(models, "dispute_outcome", case.ledger))
        frame = gathered(case.ledger, case.asks("dispute_outcome"), only=needed("dispute_outcome"))
    else:
        notes += early(model, case.t, said)
        frame = case.frame(model)
    held, able, barred = _parted(case, frame, deadline, policy.evidence)
    states = _states(rules, held, barred)
    told = None if model is None else _asked(model, frame, able, yes=False)
    blind = told is None or (bool(able) and not told.reads.any())
    if told is not None and blind:
        notes.append(f"{BLIND}: what they change is not known, and what the rules ask for stands")
    amount = case.known_cents("claimed") if blind else case.cents("claimed")
    plan = _ruled(able, states, amount, told) if told is None or blind else _searched(told, able, amount, states, said)
    return Advice(case.case_id, case.kind, case.t, deadline, plan, barred, "a refusal", (), tuple(notes), ruled=blind)


def _states(rules: Sequence[Rule], held: frozenset[str], barred: Sequence[Item]) -> tuple[SetState, ...]:
    """The sets that a case asks for, and then the others."""
    never, others = frozenset(item.kind for item in barred), [rule for rule in RULES if rule not in rules]
    return (*set_states(rules, held, never), *set_states(others, held, never, asked=False))


def _asked(model: Model, frame: pd.DataFrame, able: Sequence[Item], *, yes: bool = True) -> Told:
    model.logit(frame)  # names the signals that the ledger cannot give
    exhibits = [item.exhibit for item in able]
    quick, itself = outlook(model, frame, exhibits), by_model(model, frame, exhibits)
    return (
        Told(quick.chances, itself, quick.reads) if yes else Told(_turned(quick.chances), _turned(itself), quick.reads)
    )


def _searched(told: Told, able: Sequence[Item], amount: float, states: Sequence[SetState], said: Said) -> Plan:
    """The best of all sets of items."""
    n = int(told.reads.sum())
    said(f"searching {2**n:,} sets of {n} items that the probability depends on")
    chosen = best(told.quick, [item.cents for item in able], amount, told.reads.tolist())
    return planned(able, told.itself, amount, _counted(states, able, chosen), chosen)


def _counted(states: Sequence[SetState], able: Sequence[Item], chosen: Flag) -> list[SetState]:
    """The sets that the case asks for, and those besides of which several items are chosen that complete them."""
    kinds = {item.kind for item, some in zip(able, chosen.tolist(), strict=True) if some}
    return [one for one in states if one.asked or (len(one.missing) > 1 and set(one.missing) <= kinds)]


def _turned(chances: Chances) -> Chances:
    return lambda sets: 1 - chances(sets)


def _ruled(able: Sequence[Item], states: Sequence[SetState], amount: float, told: Told | None) -> Plan:
    """What lacks of the sets that the case asks for and that can be completed; what it changes is not known."""
    asked = [one for one in states if one.asked]
    wanted, whole = (
        {kind for one in some for kind in one.missing} for some in (asked, [o for o in asked if not o.barred])
    )
    items = [item for item in able if item.kind in wanted]
    none = np.zeros((1, len(able)), np.bool_)
    without = np.nan if told is None else float(told.itself(none)[0])

    def chances(sets: Flag) -> Float:
        return np.where(sets.any(axis=1), np.nan, without)

    return planned(items, chances, amount, asked, [item.kind in whole for item in items])


def _parted(
    case: Case, frame: pd.DataFrame, deadline: int, obtaining: Obtaining
) -> tuple[frozenset[str], list[Item], tuple[Item, ...]]:
    """The kinds of evidence that a case holds, the items that can be obtained in time, and those that cannot."""
    held = frozenset(kind for kind, name in HELD.items() if name in frame and frame[name].iloc[0] > 0)
    found = items(case.ledger, case.order, held, case.t, deadline, obtaining)
    return held, [item for item in found if not item.barred], tuple(item for item in found if item.barred)


def _programmes(case: Case, obtaining: Obtaining) -> tuple[Programme, ...]:
    """What the card holder's earlier orders open, where the reason code has a programme; once for each anchor."""
    opens = PROGRAMMES.get(case.word("reason_code"))
    if opens is None:
        return ()
    name, rule = opens
    start = {"order": None, "chargeback": int(case.ledger.facts["chargebacks"].at[case.row])}
    return tuple(
        Programme(
            name,
            anchor,
            rule.transactions,
            tuple(candidates(case.ledger, case.order, case.t, rule, anchor=start[anchor])),
        )
        for anchor in obtaining.anchors
    )


def _filed(case: Case) -> tuple[str, ...]:
    """A note where the bank asks again after a defence; RedressError where it has yet to rule on one, which is final."""
    filed = case.moments("representments")
    again = case.moments("chargeback_rulings", lambda facts: is_word(facts.codes("outcome"), "pre_arbitration"))
    if not filed.size:
        return ()
    if not again.size or again[-1] < filed[-1]:
        raise RedressError(
            f"{case.case_id}: want one that was not defended yet, got a defence filed {moment(int(filed[-1]))}; "
            "wait for the ruling, a defence is final"
        )
    return (f"a defence was filed {moment(int(filed[-1]))}, and the bank asks again since {moment(int(again[-1]))}",)
