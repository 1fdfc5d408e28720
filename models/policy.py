"""Policies: what decisions follow, read from TOML, checked, and known by a hash of what they say."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final

from features import RedressError
from models.automation import Automation
from models.blocks import Blocks
from models.obtaining import Obtaining
from models.officers import Officers
from models.offpolicy import Overlap as Logged
from models.overlap import Overlap as Effects
from models.programmes import Programmes
from models.queue import Review
from models.refunds import Refunds
from models.sections import Declared, read
from models.stakes import Answering
from models.tiers import Rules

SHIPPED: Final = Path(__file__).parents[1] / "policies"
"""The folder of the policies that come with redress: default, strict and generous."""
FAMILIAR: Final = ("name", "says", "extends")
"""What a file says beside its sections."""


@dataclass(frozen=True)
class Policy:
    """A policy: its name, what it is for, and a section of numbers for each kind of decision."""

    name: str
    says: str
    refunds: Refunds = field(default_factory=Refunds)
    tiers: Rules = field(default_factory=Rules)
    automation: Automation = field(default_factory=Automation)
    evidence: Obtaining = field(default_factory=Obtaining)
    review: Review = field(default_factory=Review)
    chargebacks: Answering = field(default_factory=Answering)
    programmes: Programmes = field(default_factory=Programmes)
    blocks: Blocks = field(default_factory=Blocks)
    logged: Logged = field(default_factory=Logged)
    effects: Effects = field(default_factory=Effects)

    @cached_property
    def version(self) -> str:
        """Sixteen hex digits of what its sections say; name and comment change nothing."""
        told = {name: asdict(getattr(self, name)) for name in SECTIONS}
        return blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()

    def informed(self, card: Mapping[str, object]) -> "Policy":
        """What it decides by once a model's card has told what training measured; its version is that of these numbers."""
        return replace(self, refunds=self.refunds.informed(Officers.of_card(card)))


SECTIONS: Final[Mapping[str, type[Declared]]] = {
    "refunds": Refunds,
    "tiers": Rules,
    "automation": Automation,
    "evidence": Obtaining,
    "review": Review,
    "chargebacks": Answering,
    "programmes": Programmes,
    "blocks": Blocks,
    "logged": Logged,
    "effects": Effects,
}
"""The sections of a policy, by name."""


def policy(told: Mapping[str, object], where: str) -> Policy:
    """A policy as a TOML document tells it; RedressError that names the field that is unknown, missing or wrong.

    With `extends` it begins at a shipped policy, and what it does not tell is as there.

    >>> gentle = policy({"name": "gentle", "extends": "default", "refunds": {"refuse_at": 0.99}}, "gentle.toml")
    >>> gentle.refunds.refuse_at, gentle.refunds.review == opened("default").refunds.review
    (0.99, True)
    """
    strange = next((name for name in told if name not in SECTIONS and name not in FAMILIAR), None)
    if strange is not None:
        raise RedressError(
            f"{where}: want {', '.join((*FAMILIAR, *SECTIONS))}, got {strange}; leave it out or rename it"
        )
    name, says, extends = (told.get(word, "") for word in FAMILIAR)
    if not isinstance(name, str) or not name or not isinstance(says, str) or not isinstance(extends, str):
        raise RedressError(f"{where}.name: want a name in words, got {name!r}; give the policy one")
    if not re.fullmatch(r"[\w-]+", name):
        raise RedressError(f"{where}.name: want letters, digits, _ and -, got {name!r}; files are called after it")
    if extends and not (SHIPPED / f"{extends}.toml").is_file():
        raise RedressError(
            f"{where}.extends: want {', '.join(_shipped())}, got {extends}; name a policy that is shipped"
        )
    start = opened(extends) if extends else None
    sections = {}
    for word, kind in SECTIONS.items():
        came = told.get(word, {})
        if not isinstance(came, Mapping):
            raise RedressError(f"{where}.{word}: want a section, got {came!r}; begin it with [{word}]")
        sections[word] = read(kind, came, f"{where}.{word}", start=start and getattr(start, word))
    return Policy(name, says, **sections)


def toml(told: Policy, head: str = "") -> str:
    """A policy as a TOML file that `opened` reads: every number with its unit and what it is; `head` is a comment before."""
    said = [*([f"# {head}"] if head else []), f"name = {json.dumps(told.name)}", f"says = {json.dumps(told.says)}"]
    sections = (f"[{name}]\n{_lines(getattr(told, name))}" for name in SECTIONS)
    return "\n\n".join(["\n".join(said), *sections]) + "\n"


def _lines(section: Declared) -> str:
    found = []
    for one in fields(section):
        says, unit, value = one.metadata["says"], one.metadata.get("unit"), getattr(section, one.name)
        if isinstance(value, tuple):
            found += [f"# {says}", f"{one.name} = {json.dumps(list(value))}"]
        else:
            shown = f"{value:_}" if isinstance(value, int) else repr(value)
            found.append(f"{f'{one.name} = {shown}':<28} # {unit}: {says}")
    return "\n".join(found)


def _shipped() -> list[str]:
    return sorted(one.stem for one in SHIPPED.glob("*.toml"))


def opened(path: str | Path) -> Policy:
    """The policy in a TOML file, or of a shipped one's name; RedressError when it cannot be read or contradicts itself."""
    shipped = SHIPPED / f"{path}.toml"
    place = shipped if shipped.is_file() else Path(path)
    try:
        told = tomllib.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(_shipped())
        raise RedressError(f"{path}: want a policy in TOML, or {names}, got no such file; name another") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RedressError(f"{path}: want a policy in TOML, got {error}; mend the file") from None
    return policy(told, place.name)
