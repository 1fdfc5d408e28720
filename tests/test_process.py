"""The service as a process: it ends in order, takes another model without dropping a request, and stands up to Schemathesis."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest
from naive_service import CASE, save_model, save_tokens

ROOT = Path(__file__).parents[1]
CODE = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))


@dataclass
class Process:
    """A service that listens on 127.0.0.1, what it said so far, and all that it wants to know."""

    process: "subprocess.Popen[str]"
    lines: "Queue[str]"
    models: Path
    token: str
    port: int = 0

    def heard(self, pattern: str) -> re.Match[str]:
        """Waits for a line that says something."""
        while True:
            if found := re.search(pattern, self.lines.get(timeout=60)):
                return found

    def connection(self) -> http.client.HTTPConnection:
        """A new connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def decide(self, connection: http.client.HTTPConnection) -> dict[str, object]:
        """One decision, which succeeds."""
        connection.request("POST", "/v1/decide", json.dumps(CASE), self.headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status == 200, told
        assert isinstance(told, dict)
        return told

    @property
    def headers(self) -> dict[str, str]:
        """What every request says of itself."""
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


def _listen(said: Iterable[str], lines: "Queue[str]") -> None:
    for line in said:
        lines.put(line)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    """A service in a process of its own, which ends with the test."""
    models, kept = tmp_path / "models", tmp_path / "tokens"
    save_model(models)
    token = save_tokens(kept)["all"]
    words = [sys.executable, "-m", "uvicorn", "--factory", "naive_service:app", "--port", "0", "--no-access-log"]
    told = os.environ | {"PYTHONPATH": CODE, "REDRESS_TOKENS": str(kept), "REDRESS_MODELS": str(models)}
    with subprocess.Popen(words, env=told, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        lines: Queue[str] = Queue()
        assert process.stderr is not None
        listener = Thread(target=_listen, args=(process.stderr, lines))
        listener.start()
        found = Process(process, lines, models, token)
        try:
            found.port = int(found.heard(r"running on http://127\.0\.0\.1:(\d+)")[1])
            yield found
        finally:
            process.kill()
            listener.join()


def test_a_request_under_way_is_answered_before_the_end_and_no_other_begins(server: Process) -> None:
    body = json.dumps(CASE).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as half:
        head = [f"{name}: {told}" for name, told in (server.headers | {"Content-Length": str(len(body))}).items()]
        half.sendall("\r\n".join(["POST /v1/decide HTTP/1.1", "Host: here", *head, "", ""]).encode() + body[:10])
        with closing(server.connection()) as other:
            server.decide(other)  # by now the first is known to the server, too
        server.process.send_signal(signal.SIGTERM)
        server.heard("Waiting for connections to close")
        with closing(server.connection()) as other, pytest.raises(ConnectionRefusedError):
            server.decide(other)
        half.sendall(body[10:])
        with half.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"200"
            assert b'"action":"review"' in answer.read()
    server.heard('"event": "stop"')
    assert server.process.wait(60) in (0, -signal.SIGTERM)


def test_another_model_answers_after_sighup_and_no_request_is_dropped(server: Process) -> None:
    connection = server.connection()
    before = server.decide(connection)
    save_model(server.models, weight=3.0)
    server.process.send_signal(signal.SIGHUP)
    answers = [before]
    while answers[-1]["models"] == before["models"]:
        answers.append(server.decide(connection))
        assert len(answers) < 10_000
    assert server.decide(connection)["probabilities"] != before["probabilities"]
    server.heard('"what": "models", "outcome": "done"')
    connection.close()


def test_a_broken_model_is_found_without_being_told_and_the_old_one_goes_on(server: Process) -> None:
    connection = server.connection()
    before = server.decide(connection)
    (server.models / "malicious_dispute" / "model.txt").write_text("no trees")
    server.heard('"what": "models", "outcome": ".*as they were saved, got them edited')
    assert server.decide(connection) == before
    connection.request("GET", "/readyz")
    assert json.loads(connection.getresponse().read())["reload"] == "failed"
    connection.close()


@pytest.mark.slow
def test_schemathesis_finds_nothing(server: Process, tmp_path: Path) -> None:
    plan = tmp_path / "schemathesis.toml"
    plan.write_text('[checks]\npositive_data_acceptance.expected-statuses = ["2XX", "404", "422"]\n')
    words = ["--config-file", plan, "run", f"http://127.0.0.1:{server.port}/openapi.json", "--seed", 1]
    words += ["--max-examples", 20, "--header", f"Authorization: Bearer {server.token}"]
    program = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
    found = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout[-5_000:] + found.stderr[-2_000:]
    generated = re.search(r"(\d+) generated", found.stdout)
    assert generated is not None
    assert int(generated[1]) > 1_000
