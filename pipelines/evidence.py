"""The job of planning evidence: what to obtain for one case before its deadline, and what that is worth."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features import RedressError
from features.background import is_ending
from features.build import gathered
from features.candidates import PROGRAMMES, candidates
from features.kernel import Flag
from features.signal import Float
from features.supposed import HELD, needed
from models import Model
from models.chances import Outlook, outlook
from models.deadlines import zone as known_zone
from models.evidence import asked_sets, best, planned, set_states
from models.obtaining import Item, Obtaining, items, until
from models.policy import Policy
from models.policy import opened as policy_at
from models.stakes import Answering
from pipelines.advice import Advice, Programme
from pipelines.answers import answered, held
from pipelines.located import Case, early, located, trained, untrained
from pipelines.opening import Said, moment, opened
from pipelines.securing import of_order

CLOSED: Final = {"chargeback": "chargeback_rulings", "dispute": "rulings"}
"""The table that says that a case of each kind is over."""


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

    With a chargeback goes the answer to it, and with an order what its open blocks ask for, times shown in a `zone` besides.
    """
    chosen = policy or policy_at("default")
    known_zone(zone)
    facts, terms = opened(ledger, said), chosen.evidence
    case = located(facts, case_id, kind, facts.last_at + 1 if as_of is None else as_of)
    if case.kind == "order":
        return replace(of_order(case, models, terms, said), blocks=held(case, chosen, zone))
    deadline = _open_until(case, terms, chosen.chargebacks)
    if case.kind == "dispute":
        return of_dispute(case, models, deadline, terms, said)
    advice = of_chargeback(case, models, deadline, terms, said)
    return replace(advice, answer=answered(case, advice, chosen, zone))


def _open_until(case: Case, obtaining: Obtaining, answering: Answering) -> int:
    """The deadline of a case; RedressError where it has passed or the case is over."""
    deadline = until(case.ledger, case.row, case.table, obtaining, answering)
    if _over(case):
        raise RedressError(
            f"{case.case_id}: want a case that is open, got one decided by {moment(case.t)}; ask about another"
        )
    if case.t >= deadline:
        raise RedressError(
            f"{case.case_id}: deadline passed {moment(deadline)}, want a time before it, got {moment(case.t)}; "
            "give an earlier --as-of"
        )
    return deadline


def _over(case: Case) -> bool:
    name = CLOSED[case.kind]
    if name not in case.ledger.facts:
        return False
    facts = case.ledger.facts[name]
    met = (facts.points[case.table] == case.row) & (facts.at < case.t)
    return bool((met & is_ending(facts.codes("outcome"))).any() if case.kind == "chargeback" else met.any())


def of_chargeback(case: Case, models: Path, deadline: int, obtaining: Obtaining, said: Said) -> Advice:
    """The items that are worth most for a defence, by the model's chance of winning with each set of them."""
    model = trained(models, "chargeback_win")
    if model is None:
        raise RedressError(untrained(models, "chargeback_win", case.ledger))
    early(model, case.t, said)
    frame, amount = case.frame(model), case.cents("amount")
    held, able, barred = _parted(case, frame, deadline, obtaining)
    told = _outlook(model, frame, able)
    rules = asked_sets(code=case.word("reason_code"))
    states = set_states(rules, held, frozenset(item.kind for item in barred))
    said(f"searching {2 ** int(told.reads.sum()):,} sets of {int(told.reads.sum())} items that the chance depends on")
    chosen = best(told.chances, [item.cents for item in able], amount, told.reads.tolist())
    plan = planned(able, told.chances, amount, states, chosen)
    return Advice(
        case.case_id, case.kind, case.t, deadline, plan, barred, "winning", _programmes(case, obtaining), _filed(case)
    )


def of_dispute(case: Case, models: Path, deadline: int, obtaining: Obtaining, said: Said) -> Advice:
    """The items that the reason's set lacks, if all can be had, with what the model of rulings says where there is one."""
    model, cents = trained(models, "dispute_outcome"), case.cents("claimed")
    rules, notes = asked_sets(reason=case.word("reason")), list[str]()
    wanted = [kind for rule in rules for kind in rule.items]
    if model is None:
        notes.append(untrained(models, "dispute_outcome", case.ledger))
        frame = gathered(case.ledger, case.asks("dispute_outcome"), only=needed("dispute_outcome"))
    else:
        early(model, case.t, said)
        frame = case.frame(model)
    held, able, barred = _parted(case, frame, deadline, obtaining)
    able = [item for item in able if item.kind in wanted]
    states = set_states(rules, held, frozenset(item.kind for item in barred))
    if not rules:
        notes.append(f"no set of evidence is declared for the reason {case.word('reason') or 'unknown'}")
    told = None if model is None else _outlook(model, frame, able)

    def refused(sets: Flag) -> Float:
        return np.full(len(sets), np.nan) if told is None else 1 - told.chances(sets)

    whole = {kind for one in states if not one.barred for kind in one.missing}
    plan = planned(able, refused, cents, states, [item.kind in whole for item in able])
    return Advice(case.case_id, case.kind, case.t, deadline, plan, barred, "a refusal", (), tuple(notes))


def _outlook(model: Model, frame: pd.DataFrame, able: list[Item]) -> Outlook:
    model.logit(frame)  # names the signals that the ledger cannot give
    return outlook(model, frame, [item.exhibit for item in able])


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
    """A note where a defence was filed already."""
    if "representments" not in case.ledger.facts:
        return ()
    facts = case.ledger.facts["representments"]
    at = facts.at[(facts.points["chargebacks"] == case.row) & (facts.at < case.t)]
    return (f"a defence was filed {moment(int(at[0]))}; this is about another",) if at.size else ()
