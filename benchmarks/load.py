"""Full load upon the online service for minutes, in process and over HTTP: errors, memory, and whether it slows down."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Final

import numpy as np

from benchmarks.command import ROOT
from benchmarks.parity import Facts
from benchmarks.places import filled
from features import Ledger, RedressError
from features.store import Store
from serve import Scorer

WARM: Final = 0.2
"""The share of the load after which memory and latency are looked at."""
NEW: Final = 0.8
"""The share of orders by buyers who were never seen before."""
TARGETS: Final = {"errors": 0, "MB a minute": 1.0, "times slower at the end": 1.5}
"""The most that is right."""
LONG: Final = 2
"""Minutes of a load from which on its course is judged; in less memory is still being taken."""

Ask = Callable[[Mapping[str, object]], object]


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


def over(row: Mapping[str, object]) -> list[str]:
    """What of a load is more than is right.

    >>> row = {"errors": 1, "MB a minute": 0.2, "times slower at the end": 1.6}
    >>> over(row | {"minutes": 2}), over(row | {"minutes": 0.1})
    (['errors', 'times slower at the end'], ['errors'])
    """
    judged = TARGETS if float(str(row["minutes"])) >= LONG else ["errors"]
    return [name for name in judged if float(str(row[name])) > TARGETS[name]]


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


def apart(way: Callable[..., Load], *given: object) -> Load:
    """What a load gives in a process of its own, whose memory nothing before it has used."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(way, *given).result()


def in_process(where: str, ledger: Path, models: Path, _: Path, minutes: float) -> Load:
    """Full load upon a scorer over a new store of a ledger in this process."""
    filled(where, Ledger.open(ledger)).close()
    with Scorer.open(where, models) as scorer, closing(Store.open(where)) as store:
        return loaded(
            lambda facts: store.append(facts, arrived=time.time_ns() // 1_000),
            scorer.decide,
            parties(ledger),
            minutes,
            os.getpid(),
        )


def over_http(where: str, ledger: Path, models: Path, folder: Path, minutes: float) -> Load:
    """The same upon a service over HTTP: one connection that sends facts, and one that asks."""
    filled(where, Ledger.open(ledger)).close()
    with (
        served(where, models, folder / "served.log") as (port, pid),
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
def served(store: str, models: Path, log: Path) -> Iterator[tuple[int, int]]:
    """A service on a port of its own, and its process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    told = {"REDRESS_STORE": store, "REDRESS_MODELS": str(models), "REDRESS_OPEN": "1", "PYTHONPATH": str(ROOT)}
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
