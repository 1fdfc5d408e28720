"""The benchmarks by name: `python -m benchmarks [NAME ...]`."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import (
    appending,
    check,
    deciding,
    effects,
    growing,
    growth,
    handbook,
    instant,
    intervals,
    kernel,
    labels,
    learning,
    planner,
    real,
    serving,
    signals,
    simulate,
    stored,
    whole,
    winning,
)
from benchmarks.command import ROOT
from benchmarks.workbench import Workbench, machine


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: what it runs, the file of benchmarks it belongs to, and the public data it cannot do without."""

    run: Callable[[Workbench], str]
    group: str
    needs: str = ""

    @property
    def says(self) -> str:
        """What it measures."""
        return (self.run.__doc__ or "").strip().splitlines()[0]


BENCHMARKS: Final = {
    "cloudwalk": Benchmark(real.cloudwalk, "real", "cloudwalk"),
    "handbook": Benchmark(handbook.handbook, "real", "handbook"),
    "tsa": Benchmark(real.tsa, "real", "tsa"),
    "tsa_drift": Benchmark(real.tsa_drift, "real", "tsa"),
    "olist": Benchmark(real.olist, "real", "olist"),
    "online_retail": Benchmark(real.online_retail, "real", "online_retail"),
    "job": Benchmark(signals.job, "signals"),
    "disputes": Benchmark(signals.disputes, "signals"),
    "whole": Benchmark(whole.job, "signals"),
    "large": Benchmark(whole.large, "signals"),
    "kernel": Benchmark(kernel.kernel, "kernel"),
    "growth": Benchmark(growth.growth, "kernel"),
    "giant": Benchmark(growth.giant, "kernel"),
    "memory": Benchmark(growth.memory, "kernel"),
    "appending": Benchmark(appending.appending, "store"),
    "retraction": Benchmark(appending.retraction, "store"),
    "growing": Benchmark(growing.growing, "store"),
    "training": Benchmark(learning.training, "learning"),
    "scoring": Benchmark(learning.scoring, "learning"),
    "instant": Benchmark(instant.instant, "learning"),
    "check": Benchmark(check.check, "check"),
    "simulate": Benchmark(simulate.simulate, "simulate"),
    "labels": Benchmark(labels.labels, "labels"),
    "planner": Benchmark(planner.planner, "planner"),
    "winning": Benchmark(winning.winning, "winning"),
    "treasure": Benchmark(deciding.treasure, "deciding"),
    "decisions": Benchmark(deciding.decisions, "deciding"),
    "logged": Benchmark(deciding.logged, "deciding"),
    "effects": Benchmark(effects.effects, "winning"),
    "stored": Benchmark(stored.stored, "stored"),
    "serving": Benchmark(serving.serving, "serving"),
    "intervals": Benchmark(intervals.intervals, "winning"),
}


def parser() -> argparse.ArgumentParser:
    """The words it takes; the help lists what there is to measure."""
    listed = "\n".join(f"  {name:<14} {found.group:<8} {found.says}" for name, found in BENCHMARKS.items())
    top = argparse.ArgumentParser(
        "python -m benchmarks",
        description="Measures quality on public data, and speed and memory beside a peer; prints Markdown.",
        epilog=f"benchmarks, each with its group:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("names", nargs="*", metavar="NAME", help="a benchmark or a group; all of them without one")
    top.add_argument("--rows", type=int, help="orders of the made-up ledgers, in place of the full size")
    top.add_argument("--runs", type=int, default=3, help="turns that a median is taken over")
    top.add_argument("--seeds", type=int, help="models or marketplaces taken together, in place of the full number")
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Runs the benchmarks named, each in turn, and prints what they found."""
    args = parser().parse_args(words)
    data = Path(os.environ.get("REDRESS_DATA", ROOT.parent / "shared" / "data")).resolve()
    chosen = {name: b for name, b in BENCHMARKS.items() if not args.names or {name, b.group} & set(args.names)}
    strange = set(args.names) - chosen.keys() - {found.group for found in chosen.values()}
    if strange:
        parser().error(f"want names of benchmarks or groups, got {', '.join(sorted(strange))}")
    print(f"Measured on {machine()}.\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="redress-") as folder:
        bench = Workbench(Path(folder), data, args.rows, args.runs, args.seeds)
        for name, found in chosen.items():
            print(f"## {name}\n\n{found.says}\n", flush=True)
            print(f"{_found(bench, found)}\n", flush=True)
    return 0


def _found(bench: Workbench, found: Benchmark) -> str:
    if found.needs and not bench.source(found.needs).is_dir():
        return f"Skipped: no folder {found.needs} with the public data; set REDRESS_DATA to the folder that holds it."
    return found.run(bench)


if __name__ == "__main__":
    sys.exit(main())
