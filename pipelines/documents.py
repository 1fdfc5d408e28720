"""The job of keeping documents current: what is declared in code is written between the marks that name it."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from features import RedressError
from features.asking import ASKED
from features.dictionary import dictionary
from features.families import FAMILIES
from features.signal import EDGES, PARTS, Family, Signal
from models.policy import SECTIONS, SHIPPED, Policy, toml
from models.questions import QUESTIONS
from models.reasons import REASONS, Reason
from models.records import SCHEMA
from models.sections import described
from models.telling import HEARINGS, IN_FAVOUR, PARTIES, SUPPLY
from pipelines.marketplace import Marketplace

DOCS: Final = Path(__file__).parents[1] / "docs"
SCHEMA_FILE: Final = "decision.schema.json"
HEAD: Final = (
    'What redress would ship. Copy it, or begin a file of your own with extends = "default" and say what differs.'
)
SAYS: Final = "Pays the plausible at once, has the suspect looked at, and refuses only what is confirmed besides."
"""How the default policy begins."""


def parameters() -> str:
    """The parameters of the simulated marketplace as a Markdown table."""
    rows = ["| parameter | default | unit | sweep | what it is | source |", "|---|---|---|---|---|---|"]
    for field in dataclasses.fields(Marketplace):
        known, (low, high) = field.metadata, field.metadata["sweep"]
        swept = f"{low:,.12g} to {high:,.12g}"
        rows.append(
            f"| `{field.name}` | {field.default:,.12g} | {known['unit']} | {swept} | {known['says']} | {known['source']} |"
        )
    return "\n".join(rows)


def signals() -> str:
    """All signals, family by family: a table of patterns with the entities, windows and questions that each has."""
    return "\n\n".join(_family(family) for family in FAMILIES)


def _family(family: Family) -> str:
    rows: dict[tuple[str, ...], list[str]] = {}
    for pattern, by_entity in _declared(family).items():
        for entity, found in by_entity.items():
            rows.setdefault((*pattern, *_cells(found)), []).append(entity)
    head = f"### {family.name.capitalize()}\n\n{family.says}\n\n| signal | windows | unit | part | what it is | questions |"
    return "\n".join([head, "|---|---|---|---|---|---|", *(_row(whose, *key) for key, whose in rows.items())])


def _declared(family: Family) -> dict[tuple[str, ...], dict[str, list[tuple[Signal, str]]]]:
    """Signals of a family, with the question each is for, by name, unit and meaning of their pattern and by entity."""
    found: dict[tuple[str, ...], dict[str, list[tuple[Signal, str]]]] = {}
    for question in ASKED:
        for one in dictionary(question):
            if one.family == family.name:
                key = (one.pattern.name, one.unit, one.pattern.meaning)
                whose = one.entity.name if one.entity else ""
                found.setdefault(key, {}).setdefault(whose, []).append((one, question))
    return found


def _cells(found: list[tuple[Signal, str]]) -> tuple[str, str, str]:
    """Windows, part and questions of the signals of one pattern and entity."""
    asked = list(dict.fromkeys(question for _, question in found))
    windows = " ".join(word for word in EDGES if word in {one.window for one, _ in found})
    return windows, found[0][0].part, "all" if len(asked) == len(ASKED) else ", ".join(asked)


def _row(whose: list[str], name: str, unit: str, meaning: str, windows: str, part: str, asked: str) -> str:
    who = _braced(whose)
    says = meaning.format(entity=who.replace("_", " and ") if len(whose) == 1 else "one")
    return f"| `{'_'.join(filter(None, (who, name)))}` | {windows} | {unit} | {part} | {says} | {asked} |"


def _braced(names: list[str]) -> str:
    """One name as it is, several in braces.

    >>> _braced(["ip"]), _braced(["ip", "email"])
    ('ip', '{ip,email}')
    """
    return names[0] if len(names) == 1 else f"{{{','.join(names)}}}"


def reasons() -> str:
    """All reasons, part by part: what they are about, and what each party hears where they weigh against it."""
    return "\n\n".join(_part(part) for part in PARTS)


def _part(part: str) -> str:
    favour = ", ".join(f'the {party} "{IN_FAVOUR[party][part]}"' for party in PARTIES)
    head = "| reason | signals | what it is about | the seller hears | the buyer hears |\n|---|---|---|---|---|"
    rows = [_told(reason) for reason in REASONS if reason.part == part]
    return "\n".join([f"### {part.capitalize()}\n\nIn their favour hear {favour}\n\n{head}", *rows])


def _told(reason: Reason) -> str:
    whose: dict[str, list[str]] = {}
    for pattern in reason.signals:
        who, _, name = pattern.partition("_")
        whose.setdefault(name, []).append(who)
    spans = (f"`{_braced(who)}_{name}`" for name, who in whose.items())
    seller = reason.seller.format(supply="Supply")
    return f"| `{reason.code}` | {' '.join(spans)} | {reason.says} | {seller} | {reason.buyer} |"


def hearings() -> str:
    """What weighs against whom in each question, and where other words are used, as a Markdown table."""
    rows = ["| question | against the seller | against the buyer | proof is to | the buyer hears instead |"]
    rows.append("|---|---|---|---|---|")
    for name, heard in HEARINGS.items():
        words = {1: QUESTIONS[name].yes, -1: QUESTIONS[name].no}
        sides = (words[heard[party].against] for party in PARTIES)
        rows.append(f"| `{name}` | {' | '.join(sides)} | {SUPPLY[name].lower()} | {heard['buyer'].instead} |")
    return "\n".join(rows)


def policies() -> str:
    """The numbers of a policy, section by section, each with what it is and where it is from."""
    found = []
    for name, kind in SECTIONS.items():
        says = (kind.__doc__ or "").strip().splitlines()[0]
        head = f"### {name}\n\n{says}\n\n| number | default | what it is | source |\n|---|---|---|---|"
        rows = [f"| `{one}` | {' | '.join(told.split(' | '))} |" for one, told in described(kind).items()]
        found.append("\n".join([head, *rows]))
    return "\n\n".join(found)


MADE: Final[Mapping[str, Callable[[], str]]] = {
    "parameters": parameters,
    "policies": policies,
    "signals": signals,
    "reasons": reasons,
    "hearings": hearings,
}
"""What is written between `<!-- NAME: … -->` and `<!-- end -->`, by name."""


def schema() -> str:
    """The JSON Schema of decision records."""
    return json.dumps(SCHEMA, indent=1) + "\n"


def default_policy() -> str:
    """The shipped default policy as a TOML file: every number as it is declared."""
    return toml(Policy("default", SAYS), HEAD)


def current(text: str) -> str:
    """A document with everything that is made in it made anew; RedressError for a mark that names nothing."""

    def made(found: re.Match[str]) -> str:
        if found["name"] not in MADE:
            raise RedressError(f"documents: want a mark of {', '.join(MADE)}, got {found['name']}")
        return f"{found['mark']}\n{MADE[found['name']]()}\n<!-- end -->"

    return re.sub(r"(?P<mark><!-- (?P<name>\w+): [^>]*-->)\n.*?<!-- end -->", made, text, flags=re.DOTALL)


def main() -> int:
    """Makes every document, and the default policy, anew."""
    for path in sorted(DOCS.glob("*.md")):
        path.write_text(current(path.read_text(encoding="utf-8")), encoding="utf-8")
    (DOCS / SCHEMA_FILE).write_text(schema(), encoding="utf-8")
    (SHIPPED / "default.toml").write_text(default_policy(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
