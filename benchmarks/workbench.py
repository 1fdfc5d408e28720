"""Where a run of the benchmarks works: a folder of its own, the public data, sizes, and the ledgers made so far."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.command import ROOT, Cost, redress


@dataclass(frozen=True)
class Workbench:
    """One run: `folder` to work in, `data` with the public data, and how much to do; `rows` or `seeds` of None: all."""

    folder: Path
    data: Path
    rows: int | None = None
    runs: int = 3
    seeds: int | None = None
    imported: dict[str, Cost] = field(default_factory=dict)

    def source(self, name: str) -> Path:
        """The folder of one public data set."""
        return self.data / name

    def ledger(self, name: str) -> Path:
        """The ledger of a public data set, imported when it is first asked for."""
        path = self.folder / name
        if name not in self.imported:
            mapping = ROOT / "examples" / f"{name}.sql"
            self.imported[name] = redress(self.folder, "import", mapping, "--source", self.source(name), "--out", path)
        return path

    def redress(self, *words: object) -> Cost:
        """Runs one command of the README in the folder."""
        return redress(self.folder, *words)


def machine() -> str:
    """The part of the machine that is measured, in words."""
    return f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}"


def markdown(rows: list[dict[str, object]]) -> str:
    """A Markdown table of rows that share their columns; floats keep three digits.

    >>> print(markdown([{"way": "merge", "seconds": 0.05}]))
    | way | seconds |
    |---|---|
    | merge | 0.05 |
    """
    lines = [" | ".join(rows[0]), "|".join("---" for _ in rows[0]), *(" | ".join(map(_cell, r.values())) for r in rows)]
    return "\n".join(f"|{line}|" if line.startswith("---") else f"| {line} |" for line in lines)


def _cell(found: object) -> str:
    if isinstance(found, float):
        return f"{found:.3g}" if found < 100 else f"{found:,.0f}"
    return f"{found:,}" if isinstance(found, int) else str(found)


def costs(runs: Sequence[Cost]) -> dict[str, object]:
    """Cells of a table: median seconds on the wall and of the cores, and the largest peak of memory."""
    wall, cores = median(run.seconds for run in runs), median(run.core_seconds for run in runs)
    return {"seconds": wall, "core seconds": cores, "peak GB": max(run.peak for run in runs) / 1e9}
