"""A command in a process of its own, and what it cost: seconds on the wall and of the cores, and peak memory.

Run as a script it is a launcher: it starts one command and writes its cost down. A process inherits the peak of the
one that starts it, so a benchmark that holds a gigabyte must not start the command it measures; these few lines may.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The repository, from which every command is run as the README says."""


@dataclass(frozen=True)
class Cost:
    """What a command printed, its `seconds` on the wall, its `core_seconds`, and its `peak` resident memory in bytes."""

    said: str
    seconds: float
    core_seconds: float
    peak: int

    def closing(self) -> dict[str, object]:
        """The closing table of a command that was asked for JSON."""
        closing = json.loads(self.said)
        assert isinstance(closing, dict)
        return closing


def redress(folder: Path, *words: object) -> Cost:
    """Runs one command of the README in `folder` and asks for its closing table."""
    return run(folder, [sys.executable, "-m", "pipelines", *map(str, words), "--json"])


def run(folder: Path, words: Sequence[str]) -> Cost:
    """Runs a command in `folder`; RuntimeError with what it said last when it fails."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as place:
        note = Path(place) / "cost.json"
        launcher = [sys.executable, "-I", "-S", __file__, str(note), *words]
        ended = subprocess.run(launcher, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"{' '.join(words)}: exit {ended.returncode}: {ended.stderr[-2000:]}")
        cost = json.loads(note.read_text())
    return Cost(ended.stdout, *cost)


def _launch(note: str, words: Sequence[str]) -> int:
    began = time.perf_counter()
    process = subprocess.Popen(words)  # kept, for one that is let go asks for its end itself
    _, status, used = os.wait4(process.pid, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    cost = [time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * unit]
    Path(note).write_text(json.dumps(cost))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_launch(sys.argv[1], sys.argv[2:]))
