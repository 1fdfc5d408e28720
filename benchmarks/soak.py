"""How the online service lasts: kills, parity of thousands of cases, and minutes of full load in process and over HTTP.

Each over a directory, and over PostgreSQL where it is installed. `python -m benchmarks.soak` takes about half an hour;
`--kills 2 --cases 200 --minutes 0.2 --orders 2000` tries it.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.killing import begun, killings
from benchmarks.load import TARGETS, apart, in_process, over, over_http
from benchmarks.parity import asked, histories, in_order, unequal
from benchmarks.places import Place, filled, places
from benchmarks.workbench import Workbench, machine, markdown
from features import Ledger
from features.asking import ASKED
from features.store import Store
from models.deciding import QUESTION

RATES: Final = (
    *("opportunist_share=0.3", "opportunist_claims=0.1", "serial_share=0.03", "faulty_products=0.1", "ring_share=0.03"),
    *("faker_share=0.1", "caught_days=30", "stolen_rate=0.05", "integrity_error=0.1"),
)
"""A marketplace in which everything happens that is rare in others."""
MANY: Final = 20
"""Kills among which decisions must have been acknowledged."""

Said = list[dict[str, object]]


def survived(kind: str, place: Place, ledger: Path, models: Path, folder: Path, kills: int) -> dict[str, object]:
    """What kills left of what was acknowledged, and whether histories are those of a store filled at once."""
    facts, where, exported = in_order(Ledger.open(ledger)), place("killed"), folder / f"exported {kind}"
    with closing(Store.create(where, name="ab" * 16)) as new:
        left = begun(new, facts)
    left, wrong = killings([ledger, where, models, "killed"], facts, kills, Random(1), left)
    with closing(Store.open(where)) as store:
        store.export(exported)
        ours = histories(store)
    with closing(filled(place("filled"), Ledger.open(exported))) as store:
        theirs = histories(store)
    differ = sum(ours.get(key) != theirs.get(key) for key in ours.keys() | theirs.keys())
    told: dict[str, object] = {"store": kind, "kills": left.kills, "facts acknowledged": left.facts}
    told |= {"decisions acknowledged": left.decisions, "lost, twice or unchained": len(wrong)}
    return told | {"histories": len(theirs), "histories that differ": differ}


def compared(kind: str, place: Place, ledger: Path, cases: int) -> Said:
    """How many cases of each question say something else than the batch in any signal."""
    facts, random = Ledger.open(ledger), Random(2)
    with closing(filled(place("compared"), facts)) as store:
        found = {}
        for question in ASKED:
            asks = asked(facts, question, random, cases // len(ASKED))
            differ = list(unequal(store, facts, question, asks))
            found[question] = len(asks), differ
    return [
        {
            "store": kind,
            "question": question,
            "cases": asks,
            "signals that differ": len(differ),
            "such as": "; ".join(differ[:1]),
        }
        for question, (asks, differ) in found.items()
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Runs all of it and prints what was found; 1 where something was lost, differs or failed."""
    top = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    top.add_argument("--orders", type=int, default=3_000, help="orders of the ledger")
    top.add_argument("--kills", type=int, default=50)
    top.add_argument("--cases", type=int, default=10_000, help="cases that are compared with the batch")
    top.add_argument("--minutes", type=float, default=5.0, help="of each load")
    args = top.parse_args(words)
    print(f"Measured on {machine()}.\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="redress-") as place:
        bench = Workbench(Path(place), Path(place))
        ledger, models, tracking = (
            bench.folder / "shop",
            bench.folder / "models",
            f"sqlite:///{bench.folder / 'soak.db'}",
        )
        rates = [word for rate in RATES for word in ("--set", rate)]
        bench.redress("simulate", "--out", ledger, "--orders", args.orders, "--seed", 1, *rates)
        bench.redress("train", QUESTION, "--ledger", ledger, "--tracking", tracking, "--out", models)
        with places(bench.folder) as kinds:
            killed = [survived(kind, of, ledger, models, bench.folder, args.kills) for kind, of in kinds.items()]
            print(f"## Kills\n\n{markdown(killed)}\n", flush=True)
            cases = [row for kind, of in kinds.items() for row in compared(kind, of, ledger, args.cases)]
            print(f"## Parity\n\n{markdown(cases)}\n", flush=True)
            loads = {
                f"{how}, {kind}": apart(way, of(how), ledger, models, bench.folder, args.minutes)
                for kind, of in kinds.items()
                for how, way in {"in process": in_process, "over HTTP": over_http}.items()
            }
        rows = [load.row(name, args.minutes) for name, load in loads.items()]
        print(f"## Load\n\nAt most: {TARGETS}.\n\n{markdown(rows)}\n", flush=True)
        for name, load in loads.items():
            print("".join(f"{name}: {error}\n" for error in sorted(set(load.errors))[:3]), end="")
    amiss = [one[what] for one in killed for what in ("lost, twice or unchained", "histories that differ")]
    amiss += [not one["decisions acknowledged"] for one in killed if args.kills >= MANY]
    amiss += [one["signals that differ"] for one in cases] + [over(one) for one in rows]
    return int(any(amiss))


if __name__ == "__main__":
    sys.exit(main())
