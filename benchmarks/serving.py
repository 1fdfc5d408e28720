"""What an answer over HTTP costs, beside MLflow's own scoring server with the same model and the same client, in one run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final

import mlflow
import numpy as np
import pandas as pd

from benchmarks.command import ROOT
from benchmarks.knocking import Found, Work
from benchmarks.workbench import Workbench, markdown
from features import Ledger, signals
from features.asking import askings
from models import load
from models.deciding import QUESTION

ORDERS: Final = 30_000
CONNECTIONS: Final = 8
SECONDS: Final = 4.0
"""How long each is asked in a turn; one second where the ledger is smaller than the full one."""
CASES: Final = 200
LATER: Final = pd.Timedelta("1h")
"""How long after it was opened a dispute is asked about."""
TIMES: Final = 3
MILLISECONDS: Final = 10


def serving(bench: Workbench) -> str:
    """Answers a second over HTTP by one worker to 8 connections, beside MLflow's scoring server; 3 times, p99 10 ms."""
    ledger, models, tracking = _trained(bench)
    cases, rows = _asked(ledger, models)
    limits = {"REDRESS_STORE": str(ledger), "REDRESS_MODELS": str(models), "REDRESS_OPEN": "1"}
    limits |= {"REDRESS_RATE": "1000000", "REDRESS_BURST": "1000000", "REDRESS_MILLISECONDS": "60000"}
    ours = [sys.executable, "-m", "uvicorn", "serve:app", "--factory", "--no-access-log", "--log-level", "warning"]
    theirs = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--workers", "1"]
    theirs += ["--model-uri", f"models:/{QUESTION}/1"]
    seconds = SECONDS if bench.rows is None else 1.0
    with (
        server(ours, limits, bench.folder) as one,
        server(theirs, {"MLFLOW_TRACKING_URI": tracking}, bench.folder) as other,
    ):
        works = {
            "redress, POST /v1/decide": Work(one, "/v1/decide", cases, {}, CONNECTIONS, seconds),
            "redress, GET /healthz": Work(one, "/healthz", ("",), {}, CONNECTIONS, seconds),
            "MLflow, POST /invocations": Work(other, "/invocations", rows, {}, CONNECTIONS, seconds),
        }
        found = {name: list[Found]() for name in works}
        for _ in range(bench.runs):
            for name, work in works.items():
                found[name].append(knocked(work, bench.folder))
    peer = median(run.pace for run in found["MLflow, POST /invocations"])
    told = [_row(name, runs, peer) for name, runs in found.items()]
    says = f"{CONNECTIONS} connections, one worker each, on loopback; the client is a process of its own on the same cores."
    return (
        f"{says} Of {QUESTION} redress draws signals, decides and records; MLflow is sent the signals and scores them. "
        f"Target: {TIMES} times the pace, 99 % of answers within {MILLISECONDS} ms.\n\n{markdown(told)}"
    )


def _row(name: str, runs: Sequence[Found], peer: float) -> dict[str, object]:
    pace = median(run.pace for run in runs)
    times = {"median, ms": median(run.median for run in runs), "p99, ms": median(run.p99 for run in runs)}
    refused = sum(run.refused for run in runs)
    return {"what": name, "answers a second": pace, "times MLflow": pace / peer} | times | {"refused": refused}


def _trained(bench: Workbench) -> tuple[Path, Path, str]:
    """A ledger, a directory with a model of it, and the tracking server where the same model is registered."""
    ledger, models, tracking = bench.folder / "shop", bench.folder / "models", f"sqlite:///{bench.folder / 'served.db'}"
    bench.redress("simulate", "--out", ledger, "--orders", bench.rows or ORDERS, "--seed", 1)
    bench.redress("train", QUESTION, "--ledger", ledger, "--tracking", tracking, "--out", models)
    mlflow.set_tracking_uri(tracking)
    return ledger, models, tracking


def _asked(ledger: Path, models: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What each of the two is asked about the same disputes, as bodies of requests."""
    facts, model = Ledger.open(ledger), load(models / QUESTION)
    asks = askings(facts, QUESTION)
    some = asks.take(np.linspace(0, len(asks) - 1, min(CASES, len(asks)), dtype=np.int64))
    at = pd.to_datetime(some.at, unit="us", utc=True) + LATER
    cases = [{"ask_id": name, "at": t.isoformat()} for name, t in zip(some.ids.to_pylist(), at, strict=True)]
    inputs = mlflow.models.get_model_info(f"models:/{QUESTION}/1").signature.inputs.input_names()
    frame = signals(facts, QUESTION, asks=pd.DataFrame({"ask_id": some.ids.to_pandas(), "at": at}), prior=model.prior)
    rows = [
        frame[inputs].iloc[[i]].to_json(orient="split", index=False, double_precision=15) for i in range(len(frame))
    ]
    return tuple(map(json.dumps, cases)), tuple(f'{{"dataframe_split": {row}}}' for row in rows)


@contextmanager
def server(words: Sequence[str], environ: Mapping[str, str], folder: Path) -> Iterator[int]:
    """A server on a port of its own, which answers by the time the port is given, and ends with the block."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # MLflow looks for uvicorn
    told = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": beside, **environ}
    with (folder / f"{port}.log").open("w") as log:
        process = subprocess.Popen(
            [*words, "--port", str(port)], env=told, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not _listens(port):
                if process.poll() is not None:
                    raise RuntimeError(f"{words}: {Path(log.name).read_text()[-2000:]}")
                time.sleep(0.1)
            yield port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _listens(port: int) -> bool:
    with closing(socket.socket()) as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def knocked(work: Work, folder: Path) -> Found:
    """How fast a server answers a client in a process of its own."""
    plan = folder / "work.json"
    plan.write_text(json.dumps(vars(work)), encoding="utf-8")
    words = [sys.executable, "-m", "benchmarks.knocking", str(plan)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return Found(**json.loads(ended.stdout))
