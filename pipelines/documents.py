"""The job of keeping documents current: what is declared in code is written between the marks that name it."""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from features import RedressError
from pipelines.marketplace import Marketplace

DOCS: Final = Path(__file__).parents[1] / "docs"


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


MADE: Final[Mapping[str, Callable[[], str]]] = {"parameters": parameters}
"""What is written between `<!-- NAME: … -->` and `<!-- end -->`, by name."""


def current(text: str) -> str:
    """A document with everything that is made in it made anew; RedressError for a mark that names nothing."""

    def made(found: re.Match[str]) -> str:
        if found["name"] not in MADE:
            raise RedressError(f"documents: want a mark of {', '.join(MADE)}, got {found['name']}")
        return f"{found['mark']}\n{MADE[found['name']]()}\n<!-- end -->"

    return re.sub(r"(?P<mark><!-- (?P<name>\w+): [^>]*-->)\n.*?<!-- end -->", made, text, flags=re.DOTALL)


def main() -> int:
    """Makes every document anew."""
    for path in sorted(DOCS.glob("*.md")):
        path.write_text(current(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
