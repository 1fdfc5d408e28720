"""Sections of a policy: numbers and words that are declared with unit, meaning and source, and read with a check of each."""

from collections.abc import Mapping
from dataclasses import Field, field, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Final, Protocol, TypeVar

from features import RedressError


class Declared(Protocol):
    """A dataclass of numbers and words."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Number = TypeVar("Number", int, float)
Section = TypeVar("Section", bound=Declared)

ASSUMED: Final = "an assumption; replace it by what you measure"
BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "share": (0.0, 1.0),
    "cents": (0.0, 1e14),
    "cases": (0.0, 1e9),
    "people": (0.0, 1e6),
    "days": (0.0, 3_650.0),
    "hours": (0.0, 87_600.0),
    "minutes": (0.0, 1e6),
    "factor": (0.0, 1_000.0),
}
"""What a number of each unit may be, both ends included."""


def number(default: Number, unit: str, says: str, source: str = ASSUMED) -> Number:
    """A number of a section: the value that we would ship, its unit, what it is and where it is from."""
    return field(default=default, metadata={"unit": unit, "says": says, "source": source})


def words(default: tuple[str, ...], among: tuple[str, ...], says: str, source: str = ASSUMED) -> tuple[str, ...]:
    """Words of a section, each one of those that there are."""
    return field(default=default, metadata={"among": among, "says": says, "source": source})


def read(kind: type[Section], told: Mapping[str, object], where: str, *, start: Section | None = None) -> Section:
    """A section as `told`, every field checked; what is not told is as in `start`, without which all must be told.

    Raises RedressError that names `where` and the field: one unknown or missing, of another type, or out of its bounds.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Costs:
    ...     review: int = number(1_300, "cents", "a case that a person looks at")
    >>> read(Costs, {"review": 900}, "costs")
    Costs(review=900)
    >>> read(Costs, {"review": -1}, "costs")
    Traceback (most recent call last):
    features.errors.RedressError: costs.review: want whole cents from 0 to 1e+14, got -1; set one of those
    """
    declared = {one.name: one for one in fields(kind)}
    strange = next((name for name in told if name not in declared), None)
    if strange is not None:
        near = get_close_matches(strange, declared, 1)
        raise RedressError(
            f"{where}: want {', '.join(declared)}, got {strange}; {f'rename it {near[0]}' if near else 'leave it out'}"
        )
    lost = next((name for name in declared if name not in told), None)
    if start is None and lost is not None:
        raise RedressError(
            f'{where}.{lost}: want {_wanted(declared[lost])}, got nothing; set it, or begin the file with extends = "default"'
        )
    given = {name: _checked(one, told[name], where) for name, one in declared.items() if name in told}
    return kind(**{name: getattr(start, name) for name in declared if name not in given} | given)


def bounded(section: Declared, where: str) -> None:
    """RedressError for a number of a section out of its bounds, and a word that it does not know, however it was made."""
    for one in fields(section):
        _checked(one, getattr(section, one.name), where)


def described(kind: type[Declared]) -> dict[str, str]:
    """Every field of a section in words: its default, unit, what it is and where that is from."""
    return {one.name: f"{_shown(one)} | {one.metadata['says']} | {one.metadata['source']}" for one in fields(kind)}


def _shown(one: Field[Any]) -> str:
    default: Any = one.default
    return ", ".join(default) or "none" if "among" in one.metadata else f"{default:,.12g} {one.metadata['unit']}"


def _wanted(one: Field[Any]) -> str:
    if "among" in one.metadata:
        return f"a list of {', '.join(one.metadata['among'])}"
    low, high = BOUNDS[one.metadata["unit"]]
    whole = "whole " if isinstance(one.default, int) else ""
    return f"{whole}{one.metadata['unit']} from {low:g} to {high:g}"


def _checked(one: Field[Any], came: object, where: str) -> object:
    """A value as its field holds it; RedressError for one that cannot be."""
    if "among" in one.metadata:
        named = [str(word) for word in came] if isinstance(came, list | tuple) else ["?"]
        if not set(named) <= set(one.metadata["among"]) or len(set(named)) < len(named):
            raise RedressError(f"{where}.{one.name}: want {_wanted(one)}, each once, got {came!r}; use those words")
        return tuple(named)
    low, high = BOUNDS[one.metadata["unit"]]
    whole = isinstance(one.default, int)
    if isinstance(came, bool) or not isinstance(came, int if whole else int | float) or not low <= came <= high:
        raise RedressError(f"{where}.{one.name}: want {_wanted(one)}, got {came!r}; set one of those")
    return came if whole else float(came)
