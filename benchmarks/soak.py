"""How the online service lasts: kills, parity of thousands of cases, and minutes of full load in process and over HTTP.

`python -m benchmarks.soak` takes about a quarter of an hour; `--kills 2 --cases 200 --minutes 0.2 --orders 2000` tries it.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Final

import numpy as np

from benchmarks.command import ROOT
from benchmarks.killing import begun, killings
from benchmarks.parity import Facts, asked, histories, in_order, unequal
from benchmarks.workbench import Workbench, machine, markdown
from features import Ledger, RedressError
from features.asking import ASKED
from features.store import Store
from models.deciding import QUESTION
from serve import Scorer

WARM: Final = 0.2
"""The share of the load after which memory and latency are looked at."""
NEW: Final = 0.8
"""The share of orders by buyers who were never seen before."""
RATES: Final = (
    *("opportunist_share=0.3", "opportunist_claims=0.1", "serial_share=0.03", "faulty_products=0.1", "ring_share=0.03"),
    *("faker_share=0.1", "caught_days=30", "stolen_rate=0.05", "integrity_error=0.1"),
)
"""A marketplace in which everything happens that is rare in others."""
TARGETS: Final = {"MB a minute": 1.0, "times slower at the end": 1.5}

Ask = Callable[[Mapping[str, object]], object]
Said = list[dict[str, object]]


def stores(ledger: Path, folder: Path, name: str) -> Store:
    """A store of a ledger's facts."""
    facts = Ledger.open(ledger)
    store = Store.create(folder / name, name=facts.fingerprint())
    store.fill(facts)
    return store


def survived(ledger: Path, models: Path, folder: Path, kills: int) -> Said:
    """What kills left of what was acknowledged, and whether histories are those of a store filled at once."""
    facts = in_order(Ledger.open(ledger))
    with closing(Store.create(folder / "killed", name="ab" * 16)) as new:
        left = begun(new, facts)
    left, wrong = killings([ledger, folder / "killed", models, "killed"], facts, kills, Random(1), left)
    store = Store.open(folder / "killed")
    store.export(folder / "exported")
    filled = stores(folder / "exported", folder, "filled")
    ours, theirs = histories(store), histories(filled)
    differ = sum(ours.get(key) != theirs.get(key) for key in ours.keys() | theirs.keys())
    store.close()
    filled.close()
    told: dict[str, object] = {"kills": left.kills, "facts acknowledged": left.facts}
    told |= {"decisions acknowledged": left.decisions, "lost, twice or unchained": len(wrong)}
    return [told | {"histories": len(theirs), "histories that differ": differ}]


def compared(ledger: Path, folder: Path, cases: int) -> Said:
    """How many cases of each question say something else than the batch in any signal."""
    facts, random = Ledger.open(ledger), Random(2)
    with closing(stores(ledger, folder, "compared")) as store:
        found = {}
        for question in ASKED:
            asks = asked(facts, question, random, cases // len(ASKED))
            differ = list(unequal(store, facts, question, asks))
            found[question] = len(asks), differ
    return [
        {"question": question, "cases": asks, "signals that differ": len(differ), "such as": "; ".join(differ[:1])}
        for question, (asks, differ) in found.items()
    ]


@dataclass
class Load:
    """What a load gave so far: when each answer came and how long it took, in seconds; memory in bytes; and errors."""

    begun: float = field(default_factory=time.perf_counter)
    at: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    appended: int = 0

    def ask(self, ask: Ask, case: Mapping[str, object]) -> None:
        """Asks, and notes how long it took."""
        began = time.perf_counter()
        try:
            ask(case)
        except (RedressError, OSError, http.client.HTTPException) as error:
            self.errors.append(str(error))
        self.took.append(time.perf_counter() - began)
        self.at.append(time.perf_counter() - self.begun)

    def row(self, name: str, minutes: float) -> dict[str, object]:
        """How it went, once it was warm."""
        at, took = np.array(self.at), np.array(self.took) * 1e3
        t, memory = np.array(self.memory, np.float64).T
        warm, later = at >= WARM * minutes * 60, t >= WARM * minutes * 60
        first, last = np.array_split(took[warm], 4)[0], np.array_split(took[warm], 4)[-1]
        return {
            "load": name,
            "minutes": minutes,
            "decisions": len(took),
            "facts": self.appended,
            "p50, ms": float(np.median(took[warm])),
            "p99, ms": float(np.percentile(took[warm], 99)),
            "times slower at the end": float(np.median(last) / np.median(first)),
            "MB a minute": float(np.polyfit(t[later] / 60, memory[later] / 1e6, 1)[0]),
            "MB at the end": float(memory[-1] / 1e6),
            "errors": len(self.errors),
        }


def happenings(random: Random, buyers: Sequence[str], sellers: Sequence[str], tag: str) -> Iterator[tuple[Facts, str]]:
    """One order after the other with its dispute and what was shown of it, each at the time of the day, and the dispute."""
    for i in count():
        name, now = f"{tag}{i}", time.time_ns() // 1_000
        buyer = f"buyer {name}" if random.random() < NEW else random.choice(buyers)
        order = {"order_id": f"o {name}", "at": now, "buyer_id": buyer, "seller_id": random.choice(sellers)}
        dispute = {"dispute_id": f"d {name}", "at": now, "order_id": f"o {name}", "reason": "quality", "claimed": 500}
        shown = {
            "evidence_id": f"e {name}",
            "at": now,
            "case_id": f"d {name}",
            "case_kind": "dispute",
            "party": "buyer",
        }
        yield (
            {
                "orders": [
                    order | {"amount": random.randrange(100, 10**6), "device_id": f"v {random.randrange(10**4)}"}
                ],
                "disputes": [dispute],
                "evidence": [shown | {"kind": "product_photo", "content_hash": f"{random.randrange(10**4)}"}],
            },
            f"d {name}",
        )


def loaded(
    append: Callable[[Facts], object], ask: Ask, who: tuple[list[str], list[str]], minutes: float, pid: int
) -> Load:
    """Facts by one thread without a break, and decisions about what came last by another, for so many minutes."""
    load, over, latest = Load(), Event(), list[str]()

    def appends() -> None:
        for facts, name in happenings(Random(3), *who, f"{pid} "):
            if over.is_set():
                return
            try:
                append(facts)
            except (RedressError, OSError, http.client.HTTPException) as error:
                load.errors.append(str(error))
            else:
                latest.append(name)
                load.appended += sum(map(len, facts.values()))

    writer, random = Thread(target=appends), Random(4)
    writer.start()
    while (now := time.perf_counter() - load.begun) < minutes * 60:
        if not load.memory or now - load.memory[-1][0] >= 0.5:
            load.memory.append((now, resident(pid)))
        if latest:
            name = latest[-1 - random.randrange(min(50, len(latest)))]
            load.ask(ask, {"ask_id": name, "at": iso(time.time_ns() // 1_000 + 1_000)})
        else:
            time.sleep(0.001)
    over.set()
    writer.join()
    return load


def iso(t: int) -> str:
    """Microseconds since 1970 as text."""
    return str(np.datetime64(t, "us")) + "Z"


def resident(pid: int) -> int:
    """Memory of a process in bytes, without the pages of files, which belong to the system."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def in_process(ledger: Path, models: Path, folder: Path, minutes: float) -> Load:
    """Full load upon a scorer over a store in this process."""
    stores(ledger, folder, "process").close()
    scorer = Scorer.open(folder / "process", models)
    with closing(Store.open(folder / "process")) as store:
        return loaded(
            lambda facts: store.append(facts, arrived=time.time_ns() // 1_000),
            scorer.decide,
            parties(ledger),
            minutes,
            os.getpid(),
        )


def over_http(ledger: Path, models: Path, folder: Path, minutes: float) -> Load:
    """Full load upon a service over HTTP: one connection that sends facts, and one that asks."""
    stores(ledger, folder, "served").close()
    with (
        served(folder / "served", models, folder / "served.log") as (port, pid),
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as sending,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as asking,
    ):
        return loaded(
            lambda facts: answer(sending, "/v1/events", {"facts": timed(facts)}),
            lambda case: answer(asking, "/v1/decide", case),
            parties(ledger),
            minutes,
            pid,
        )


def timed(facts: Facts) -> Facts:
    """The same facts with their times as text."""
    return {name: [row | {"at": iso(int(str(row["at"])))} for row in map(dict, rows)] for name, rows in facts.items()}


def answer(line: http.client.HTTPConnection, path: str, body: object) -> None:
    """Posts, and reads the answer; RedressError for one that refuses."""
    line.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    with line.getresponse() as came:
        said = came.read()
    if came.status != 200:
        raise RedressError(f"{path}: want 200, got {came.status} {said[:200]!r}; look at the log of the service")


@contextmanager
def served(store: Path, models: Path, log: Path) -> Iterator[tuple[int, int]]:
    """A service on a port of its own, and its process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    told = {"REDRESS_STORE": str(store), "REDRESS_MODELS": str(models), "REDRESS_OPEN": "1", "PYTHONPATH": str(ROOT)}
    told |= {"REDRESS_RATE": "1000000", "REDRESS_BURST": "1000000", "REDRESS_MILLISECONDS": "60000"}
    words = [sys.executable, "-m", "uvicorn", "serve:app", "--factory", "--no-access-log", "--log-level", "warning"]
    with log.open("w") as file:
        process = subprocess.Popen([*words, "--port", str(port)], env=os.environ | told, stdout=file, stderr=file)
        try:
            while not _ready(port):
                if process.poll() is not None:
                    raise RuntimeError(f"the service ended: {log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def _ready(port: int) -> bool:
    with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as line:
        line.request("GET", "/readyz")
        with line.getresponse() as came:
            return came.status == 200
    return False


def parties(ledger: Path) -> tuple[list[str], list[str]]:
    """The buyers and the sellers of a ledger."""
    orders = Ledger.open(ledger).facts["orders"]
    buyers, sellers = (orders.strings(name).drop_null().unique().to_pylist() for name in ("buyer_id", "seller_id"))
    return buyers, sellers


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
        killed = survived(ledger, models, bench.folder, args.kills)
        print(f"## Kills\n\n{markdown(killed)}\n", flush=True)
        cases = compared(ledger, bench.folder, args.cases)
        print(f"## Parity\n\n{markdown(cases)}\n", flush=True)
        ways = {"in process": in_process, "over HTTP": over_http}
        loads = {name: way(ledger, models, bench.folder, args.minutes) for name, way in ways.items()}
        rows = [load.row(name, args.minutes) for name, load in loads.items()]
        print(f"## Load\n\nTargets: {TARGETS}, no errors.\n\n{markdown(rows)}\n", flush=True)
        for name, load in loads.items():
            print("".join(f"{name}: {error}\n" for error in sorted(set(load.errors))[:3]), end="")
    amiss = [killed[0]["lost, twice or unchained"], killed[0]["histories that differ"]]
    amiss += [one["signals that differ"] for one in cases] + [len(load.errors) for load in loads.values()]
    return int(any(amiss))


if __name__ == "__main__":
    sys.exit(main())
