"""Advising on evidence: what is worth obtaining for a dispute or a chargeback before its deadline, and the answer to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from features import RedressError
from features.background import is_ending, is_word
from features.candidates import PROGRAMMES, candidates
from features.evidence import RULES, Rule
from features.kernel import Flag
from features.signal import Float
from features.supposed import HELD
from models.advice import Advice, Programme
from models.answers import answered
from models.chances import by_model, outlook
from models.deadlines import iso, shown
from models.evidence import Chances, Plan, SetState, asked_sets, best, planned, set_states
from models.located import Case
from models.model import Model
from models.obtaining import Item, Obtaining, items, until
from models.policy import Policy

Said = Callable[[str], None]
QUESTIONS: Final = {"dispute": "dispute_outcome", "chargeback": "chargeback_win"}
"""The question whose model tells what evidence is worth, by the kind of a case."""
CLOSED: Final = {"chargeback": "chargeback_rulings", "dispute": "rulings"}
"""The table that says that a case of each kind is over."""
ENOUGH: Final = 1_000
"""Contested chargebacks from which chances are learnt so well that the best of many sets is not mostly luck; a round number."""
BLIND: Final = "the model depends on none of the items that can be had"
"""What is said of a model to which evidence is nothing."""


def _quiet(_: str) -> None:
    """Hears and says nothing."""


@dataclass(frozen=True)
class Told:
    """A model's probability of an outcome with sets of items: quickly, as it says itself to the bit, and what it depends on."""

    quick: Chances
    itself: Chances
    reads: Flag


def advised(
    case: Case, model: Model | None, policy: Policy, *, lost: str, zone: str = "UTC", said: Said = _quiet
) -> Advice:
    """What to obtain for a dispute or a chargeback by the model of its question, and with a chargeback the answer to it.

    `lost` is what is said where there is no model. People read times in a `zone`; `said` hears what is under way. Raises
    RedressError for a case that is over, was defended or is too late, and for a chargeback without a model.
    """
    deadline = _open_until(case, policy, zone)
    if case.kind == "dispute":
        return replace(_of_dispute(case, model, deadline, policy, lost, said), zone=zone)
    if model is None:
        raise RedressError(lost)
    advice = _of_chargeback(case, model, deadline, policy, said)
    return replace(advice, answer=answered(case, advice, policy, zone), zone=zone)


def early(model: Model, t: int, said: Said) -> tuple[str, ...]:
    """A note where a model may know the answer, which is said as well."""
    trained_until = str(model.card["trained_until"])
    if iso(t) >= trained_until:
        return ()
    note = f"asked about before {trained_until}, until when {model.question} was trained, which may know how it ended"
    said(f"warning: {note}")
    return (note,)


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


def _of_chargeback(case: Case, model: Model, deadline: int, policy: Policy, said: Said) -> Advice:
    """The items that are worth most for a defence, by the model's chance of winning with each set of them."""
    filed, amount = _filed(case), case.cents("amount")
    frame, rules = case.frame("chargeback_win", model), asked_sets(code=case.word("reason_code"))
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


def _of_dispute(case: Case, model: Model | None, deadline: int, policy: Policy, lost: str, said: Said) -> Advice:
    """The items that are worth most for the seller's answer, by the model's chance of a refusal with each set of them.

    Without a model of rulings, or with one that depends on none of the items, it is what the rules ask for, where all that
    lacks of a set can be had: learnt when disputes are opened, a model may never have seen what the seller brings later.
    """
    reason = case.word("reason")
    rules, notes = asked_sets(reason=reason), list[str]()
    if not rules:
        notes.append(f"no set of evidence is declared for the reason {reason or 'unknown'}")
    if reason in policy.refunds.reasons:
        notes.append(
            f"a refund for {reason} is the platform's to bear, unless the seller or the carrier is found at fault"
        )
    if model is None:
        notes.insert(0, lost)
    else:
        notes += early(model, case.t, said)
    frame = case.frame("dispute_outcome", model)
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
            tuple(candidates(case.ledger, case.order, case.t, rule, anchor=start[anchor], crowded=case.crowded)),
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
            f"{case.case_id}: want one that was not defended yet, got a defence filed {iso(int(filed[-1]))}; "
            "wait for the ruling, a defence is final"
        )
    return (f"a defence was filed {iso(int(filed[-1]))}, and the bank asks again since {iso(int(again[-1]))}",)
