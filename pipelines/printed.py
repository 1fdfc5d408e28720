"""Advice as it is printed: a table for people."""

from collections.abc import Iterable
from math import isnan

from models.advice import CAUTION, FAIR, Advice, Programme
from models.answering import Answer
from models.deadlines import shown
from models.evidence import Line, SetState
from models.telling import listed, money


def table(advice: Advice) -> dict[str, object]:
    """A short table, an item a row, those recommended with a star, and a sentence."""
    found: dict[str, object] = {"at stake": _stake(advice)}
    found["item"] = f"{'cost':>8}{'hours':>8}{'gain alone':>12}{'in the set':>12}  completes"
    for line in advice.plan.lines:
        found[f"{'*' if line.recommended else ' '} {line.item.kind}"] = _row(advice, line)
    found |= {f"set {one.name}": _with_gain(advice, one) for one in advice.plan.sets if one.asked}
    found |= {f"{one.name}, from the {one.anchor}": _priors(one) for one in advice.programmes}
    wanted = {kind for one in advice.plan.sets for kind in one.barred}
    found |= {f"  {item.kind}": item.barred for item in advice.barred if item.kind in wanted}
    found |= {name: _shown(name, value) for name, value in advice.more.items() if isinstance(value, float)}
    found |= {f"at shipment {i}": step for i, step in enumerate(_steps(advice), 1)}
    found |= {f"block {i}": block for i, block in enumerate(advice.blocks, 1)}
    found |= {} if advice.answer is None else _answer_rows(advice.answer, advice.zone)
    found |= {f"note {i}" if i > 1 else "note": note for i, note in enumerate(advice.notes, 1)}
    found |= {"fair": FAIR} if advice.kind == "dispute" else {}
    found |= {} if advice.ruled else {"gains are": CAUTION}
    return found | {"advice": advice.sentence()}


def _stake(advice: Advice) -> str:
    word = {"order": "the amount times the probability of a chargeback", "dispute": "claimed"}
    return f"{money(advice.plan.amount):>8}  {word.get(advice.kind, 'charged back')}"


def _steps(advice: Advice) -> list[str]:
    steps = advice.more.get("steps", [])
    assert isinstance(steps, list)
    return [str(one["step"]) for one in steps if one["recommended"]]


def _with_gain(advice: Advice, one: SetState) -> str:
    whole = advice.plan.whole.get(one.name)
    gain = "" if whole is None or isnan(whole) else money((whole - advice.plan.without) * advice.plan.amount)
    return f"{_state(one)}{f'; the whole set gains {gain}' if gain else ''}"


def _row(advice: Advice, line: Line) -> str:
    amount = advice.plan.amount
    alone = "nothing" if line.alone_nothing else money(line.alone * amount)
    beside = "" if line.beside is None else money(line.beside * amount)
    others = {one.name for one in advice.plan.sets if not one.asked}
    sets = "; ".join(
        f"{name}{f' with {listed(rest)}' if rest else ''}{', not asked for' if name in others else ''}"
        for name, rest in line.with_others
    )
    return f"{money(line.item.cents):>8}{line.item.hours:>8g}{alone:>12}{beside:>12}  {sets}".rstrip()


def _answer_rows(one: Answer, zone: str) -> dict[str, object]:
    """An answer as rows of a table."""
    values = ", ".join(f"{name} {money(value)}" for name, value in one.values.items())
    turn = "" if one.what_would_change is None else f"; contesting begins at a chance of {one.what_would_change:.1%}"
    found: dict[str, object] = {
        "answer": f"{one.action} ({one.branch}), ready by {shown(one.ready_by, zone)}; deadline {one.local}",
        "expected values": f"{values}; a settlement sought first {money(one.settle_first)}{turn}",
    }
    found |= {f"because {i}": reason for i, reason in enumerate(one.reasons, 1)}
    return found | {f"warning {i}": warning for i, warning in enumerate(one.warnings, 1)}


def _shown(name: str, value: float) -> str:
    return f"{value:.2%}" if name.startswith("probability") else money(value)


def _state(one: SetState) -> str:
    if one.complete:
        return "complete"
    never = f"; cannot be completed, {listed(one.barred)} being out of reach" if one.barred else ""
    whole = len(one.held) + len(one.missing)
    return f"incomplete, {len(one.held)} of {whole}: lacks {listed(one.missing)}{never}"


def _priors(one: Programme) -> str:
    enough = len(one.qualifying) >= one.wanted
    says = f"qualifying orders {len(one.qualifying)}{_in_brackets(one.qualifying)}, wanted {one.wanted}"
    nearly = () if enough else one.nearly[:3]
    return f"{'applies' if enough else 'lacks'}: {says}" + "".join(f"; {n.order_id} lacks {n.lacks[0]}" for n in nearly)


def _in_brackets(words: Iterable[str]) -> str:
    there = list(words)
    return f" ({', '.join(there[:5])}{', …' if len(there) > 5 else ''})" if there else ""
