"""Documents stay current: what is declared in code stands in them as it is, and their links lead somewhere."""

import re
from pathlib import Path

import pytest

from features import RedressError
from pipelines.documents import DOCS, MADE, SCHEMA_FILE, current, schema

PAGES = sorted(DOCS.glob("*.md"))


def test_there_is_a_page_about_the_marketplace() -> None:
    assert "marketplace.md" in [path.name for path in PAGES]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_current_or_make_docs_makes_it_so(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == current(text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_of_a_page_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)\)|<img src=\"([^\"]+)\"", text)
    local = [link or image for link, image in links if not (link or image).startswith("https://")]
    assert [link for link in local if not (DOCS / link).exists()] == []


def test_the_schema_of_records_is_current() -> None:
    assert (DOCS / SCHEMA_FILE).read_text(encoding="utf-8") == schema()


def test_every_table_that_is_made_stands_in_some_page() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert [name for name in MADE if f"<!-- {name}:" not in text] == []


def test_what_is_out_of_date_is_made_anew_and_a_strange_mark_is_refused() -> None:
    old = "a\n<!-- parameters: by hand -->\nold\n<!-- end -->\nb"
    new = current(old)
    assert new.startswith("a\n<!-- parameters: by hand -->\n| parameter | default |")
    assert new.endswith("|\n<!-- end -->\nb")
    assert "\nold\n" not in new
    with pytest.raises(
        RedressError, match="want a mark of parameters, policies, signals, reasons, hearings, got weather"
    ):
        current("<!-- weather: x -->\n<!-- end -->")
