"""The README keeps its word: its commands and its Python run, its links lead somewhere, and it names every command."""

import contextlib
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.__main__ import AWAITED, VERBS, main, parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^>]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
COMMAND = re.compile(r"\bredress (?P<verb>[a-z][\w-]*)")
LINK = re.compile(r"\]\((?P<link>[^)\s]+)\)|<img src=\"(?P<image>[^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the comment right before it."""

    language: str
    text: str
    note: str

    @property
    def reason(self) -> str | None:
        """Why it is not run, None if it is."""
        return self.note.partition(":")[2].strip() if self.note.startswith("not run") else None


def blocks(text: str) -> list[Block]:
    return [Block(found["language"], found["text"], found["note"] or "") for found in BLOCK.finditer(text)]


def commands(text: str) -> list[str]:
    """The command lines of a shell block, each on one line and without its comment."""
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(words) for line in lines if (words := shlex.split(line.removeprefix("$ "), comments=True))]


def unknown_commands(text: str) -> list[str]:
    """What is called `redress …` in code, in a block or within a line, and is no command."""
    code = [block.text for block in blocks(text)] + re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    named = [found["verb"] for part in code for found in COMMAND.finditer(part)]
    return [verb for verb in named if verb not in VERBS and verb not in AWAITED]


def unexplained(text: str) -> list[str]:
    """The first lines of blocks that are not run and don't say why."""
    return [block.text.partition("\n")[0] for block in blocks(text) if block.reason == ""]


def lost_links(text: str) -> list[str]:
    """Relative links to files that are not there, and links within the text to headings it has not."""
    headings = {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    found = [link["link"] or link["image"] for link in LINK.finditer(BLOCK.sub("", text))]
    near = [link for link in found if "://" not in link]
    inside = [link for link in near if link.startswith("#") and link[1:] not in headings]
    return inside + [link for link in near if not link.startswith("#") and not (ROOT / link.partition("#")[0]).exists()]


def run(block: Block) -> None:
    """Runs a block as a reader would, in the current directory."""
    if block.note.startswith("file:"):
        Path(block.note.partition(":")[2].strip()).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        exec(compile(block.text, "README.md", "exec"), {"__name__": "__main__"})
    else:
        for line in commands(block.text):
            name, *words = shlex.split(line)
            assert name == "redress", line
            assert main(words) == 0, line


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning:mlflow")  # of its own code
@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops:DeprecationWarning")  # pyarrow
def test_the_readme_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(README):
        if block.reason is None:
            run(block)
    promised = re.findall(r"`(redress-out/(?:train|backtest)/report.html)`", README)
    assert len(promised) == 2
    assert all(Path(name).exists() for name in [*promised, "scores.parquet"])


def test_every_block_is_run_or_says_why_not() -> None:
    assert unexplained(README) == []
    assert {block.language for block in blocks(README)} == {"sh", "python", "sql"}
    assert [block.note for block in blocks(README) if block.language == "sql"] == ["file: mapping.sql"]


def test_commands_that_are_not_run_are_at_least_good_usage() -> None:
    lines = [line for block in blocks(README) if block.reason for line in commands(block.text)]
    for words in (shlex.split(line) for line in lines if line.startswith("redress ")):
        parser().parse_args(words[1:])


def test_every_command_of_the_help_is_in_the_readme() -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    (\w+)\s", said.getvalue(), re.MULTILINE)
    assert set(listed) == set(VERBS)
    assert [verb for verb in listed if f"| `redress {verb}` |" not in README] == []


def test_the_readme_names_no_command_that_is_not_there() -> None:
    assert unknown_commands(README) == []


def test_every_link_leads_somewhere() -> None:
    assert lost_links(README) == []


def test_a_planted_offender_is_caught() -> None:
    planted = "see `redress conjure`\n\n<!-- not run: -->\n```sh\nredress check ledger # redress is named\n```\n"
    planted += "```sh\nredress summon x\n```\n[a](nowhere.md) [b](#Nowhere) [c](https://example.org/x)\n"
    assert unknown_commands(planted) == ["is", "summon", "conjure"]
    assert unexplained(planted) == ["redress check ledger # redress is named"]
    assert lost_links(planted) == ["#Nowhere", "nowhere.md"]


def test_a_block_that_fails_is_caught() -> None:
    with pytest.raises(AssertionError, match="no-such-ledger"):
        run(Block("sh", "redress check no-such-ledger\n", ""))
    with pytest.raises(AssertionError, match="rm"):
        run(Block("sh", "rm ledger\n", ""))
    with pytest.raises(ZeroDivisionError):
        run(Block("python", "1 / 0\n", ""))


def test_a_command_may_go_on_over_lines_and_have_a_comment() -> None:
    assert commands("$ redress check \\\n    ledger  # says\n\n# alone\n") == ["redress check ledger"]
