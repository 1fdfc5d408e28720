"""The command that serves, from its words to an answer over HTTP, which is the scorer's to the bit; and its tokens."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from naive_service import Client
from told import told_the_truth

from benchmarks.postgres import Server
from features import Ledger, RedressError
from features.asking import ASKED
from features.dictionary import dictionary
from features.requests import EPOCH, moment
from features.store import Store
from models.deciding import QUESTION
from models.policy import opened as policy_at
from models.records import FIRST, chained
from pipelines.__main__ import main
from pipelines.marketplace import world
from pipelines.serving import Served, serve, token
from pipelines.simulate import simulate_ledger
from service.application import service
from service.http import application
from service.limits import Limits
from service.overledger import OverLedger
from service.scorer import read as read_models
from service.service import Clock
from service.tokens import found, made, read
from service.warming import warmed

ROOT = Path(__file__).parents[1]
CHAINED = ("previous", "hash")
"""What a record says of the one before: each writer has a chain of its own."""


@dataclass(frozen=True)
class Shop:
    """A small marketplace as a ledger and as a store, and a model that has been told who is malicious in it."""

    ledger: Path
    store: Path
    models: Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The one that all tests here look at, and one of them adds to."""
    folder = tmp_path_factory.mktemp("shop")
    found = Shop(folder / "ledger", folder / "store", folder / "models")
    simulate_ledger(world("enriched", orders=3_000, days=300), found.ledger, seed=5, said=lambda line: None)
    told_the_truth(found.ledger, found.models)
    ledger = Ledger.open(found.ledger)
    with closing(Store.create(found.store, name=ledger.fingerprint())) as store:
        store.fill(ledger)
    return found


def free() -> int:
    """A port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port = found.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def serving(*words: object, port: int) -> Iterator["subprocess.Popen[str]"]:
    """The command in a process of its own, which answers by the time it is given, and ends with the block."""
    told = [sys.executable, "-m", "pipelines", "serve", *map(str, words), "--port", str(port)]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "REDRESS_RATE": "500"}
    with subprocess.Popen(told, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            while process.poll() is None and not _answers(port):
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def _answers(port: int) -> bool:
    try:
        return asked(port, "GET", "/readyz")[0] == 200
    except ConnectionRefusedError:
        return False


def asked(port: int, method: str, path: str, told: object = None, token: str = "") -> tuple[int, dict[str, object]]:
    """Status and body of one answer."""
    status, body = sent(port, method, path, told, token)
    return status, json.loads(body)


def sent(port: int, method: str, path: str, told: object = None, token: str = "") -> tuple[int, bytes]:
    """Status and body as they came."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, None if told is None else json.dumps(told), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_command_serves_what_the_scorer_says_to_the_bit_until_it_is_told_to_end(shop: Shop, tmp_path: Path) -> None:
    kept, port = tmp_path / "tokens", free()
    text = str(token(kept, "shop", ["decide", "append", "read"])["token"])
    with serving("--store", shop.store, "--models", shop.models, "--tokens", kept, port=port) as process:
        scorer, before = OverLedger.of(shop.ledger, read_models(shop.models), policy_at("default")), FIRST
        disputes = scorer.ledger.facts["disputes"]
        for i in (0, len(disputes) // 2, len(disputes) - 1):
            at = (EPOCH + timedelta(hours=1, microseconds=int(disputes.at[i]))).isoformat()
            case = {"ask_id": disputes.strings("dispute_id")[i].as_py(), "at": at}
            status, record = asked(port, "POST", "/v1/decide", case, text)
            assert (status, record["previous"]) == (200, before)
            batch = json.loads(json.dumps(dict(scorer.decide(case))))
            assert {name: told for name, told in record.items() if name not in CHAINED} == {
                name: told for name, told in batch.items() if name not in CHAINED
            }
            assert asked(port, "GET", f"/v1/decisions/{record['decision_id']}", token=text)[1] == record
            before = str(record["hash"])
        lines = sent(port, "GET", "/metrics", token=text)[1].decode().splitlines()
        absent = [line for line in lines if line.startswith("redress_absent_signals_total{")]
        assert all(
            line.partition('"')[2].partition('"')[0] in {one.name for one in dictionary(QUESTION)} for line in absent
        )
        assert len(absent) > 0
        assert {float(line.rpartition(" ")[2]) for line in absent} <= {1.0, 2.0, 3.0}
        order = {"order_id": "new", "at": "2020-01-01T00:00:00Z", "buyer_id": "b", "seller_id": "s", "amount": 1}
        assert asked(port, "POST", "/v1/events", {"facts": {"orders": [order]}}, text) == (
            200,
            {"taken": 1, "repeated": 0, "late": 1},
        )
        assert asked(port, "POST", "/v1/decide", case)[0] == 401
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGTERM)
    said = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert (said[0]["event"], said[-1]["event"]) == ("start", "stop")
    assert [one["status"] for one in said if one["event"] == "request"] == [200] * 8 + [401]


def test_facts_and_cases_that_come_at_once_are_all_answered(shop: Shop, tmp_path: Path) -> None:
    kept, port = tmp_path / "tokens", free()
    text = str(token(kept, "shop", ["decide", "append"])["token"])
    began = datetime.now(UTC)
    at = [(began + timedelta(microseconds=i)).isoformat() for i in range(60)]
    soon = [(began + timedelta(minutes=4, microseconds=i)).isoformat() for i in range(60)]

    def tells(i: int) -> tuple[int, dict[str, object]]:
        order = {"order_id": f"o-{i}", "at": at[i], "buyer_id": f"b-{i % 3}", "seller_id": "s", "amount": 100}
        dispute = {"dispute_id": f"d-{i}", "at": at[i], "order_id": f"o-{i}", "reason": "quality", "claimed": 100}
        return asked(port, "POST", "/v1/events", {"facts": {"orders": [order], "disputes": [dispute]}}, text)

    def asks(i: int) -> tuple[int, dict[str, object]]:
        return asked(port, "POST", "/v1/decide", {"ask_id": f"d-{i % 10}", "at": soon[i]}, text)

    with serving("--store", shop.store, "--models", shop.models, "--tokens", kept, port=port):
        for i in range(10):
            assert tells(i)[1]["taken"] == 2
        with ThreadPoolExecutor(8) as pool:
            found = [*pool.map(tells, range(10, 60)), *pool.map(asks, range(60))]
            both = [pool.submit(one, i) for i in range(60) for one in (tells, asks)]
            found += [one.result() for one in both]
    assert [told for status, told in found if status != 200] == []
    assert sum(int(str(told.get("taken", 0))) for _, told in found) == 2 * 50


def test_an_open_service_wants_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "example.org", "::"):
        with pytest.raises(RedressError, match=r"want --host 127\.0\.0\.1"):
            serve(Served("s", "m", "default", host, 8000, None), said=print)
    assert capsys.readouterr().out == ""


def test_a_killed_process_loses_nothing_that_was_acknowledged(shop: Shop, tmp_path: Path) -> None:
    ledger, place, kept, port = Ledger.open(shop.ledger), tmp_path / "store", tmp_path / "tokens", free()
    with closing(Store.create(place, name=ledger.fingerprint())) as store:
        store.fill(ledger)
    text, case = str(token(kept, "shop", ["decide", "append"])["token"]), a_case(ledger)
    done = list[dict[str, object]]()
    taken = 0
    with serving("--store", place, "--models", shop.models, "--tokens", kept, port=port) as process:
        for i in range(30):
            order = {
                "order_id": f"new-{i}",
                "at": "2020-01-01T00:00:00Z",
                "buyer_id": "b",
                "seller_id": "s",
                "amount": i,
            }
            taken += int(str(asked(port, "POST", "/v1/events", {"facts": {"orders": [order]}}, text)[1]["taken"]))
            at = (datetime.fromisoformat(str(case["at"])) + timedelta(seconds=i)).isoformat()
            done.append(asked(port, "POST", "/v1/decide", case | {"at": at}, text)[1])
        process.kill()
    with closing(Store.open(place)) as store:
        orders = store.ledger().facts["orders"].strings("order_id").to_pylist()
        assert taken == sum(str(name).startswith("new-") for name in orders) == 30
        assert [store.decision(str(one["decision_id"])) for one in done] == done
        assert list(chained(done)) == []


def test_over_postgresql_the_answers_are_the_same_and_a_server_that_went_away_is_waited_for(
    shop: Shop, postgres: Server
) -> None:
    ledger, url = Ledger.open(shop.ledger), postgres.empty()
    with closing(Store.create(url, name=ledger.fingerprint())) as store:
        store.fill(ledger)
    environ = {"REDRESS_STORE": url, "REDRESS_MODELS": str(shop.models), "REDRESS_OPEN": "1"}
    clock = Clock(lambda: time.time_ns() // 1_000, time.perf_counter)
    found = service(environ | {"REDRESS_MILLISECONDS": "20000"}, clock, lambda told: None)
    assert not found.near
    case = a_case(ledger)
    with closing(Client(application(found))) as ask, closing(found.store):
        record = ask.post("/v1/decide", case).json
        batch = OverLedger.of(shop.ledger, read_models(shop.models), policy_at("default")).decide(case)
        assert {name for name in record if record[name] != json.loads(json.dumps(batch[name]))} <= set(CHAINED)
        postgres.stop()
        try:
            assert [ask.get("/readyz").problem["status"], ask.post("/v1/decide", case).problem["status"]] == [503, 503]
            assert ask.get("/healthz").status == 200
        finally:
            postgres.start()
        assert ask.get("/readyz").json["status"] == "ready"
        assert ask.post("/v1/decide", case).json == record


def a_case(ledger: Ledger) -> dict[str, object]:
    """The last dispute of a ledger, an hour after it was opened."""
    disputes = ledger.facts["disputes"]
    at = EPOCH + timedelta(hours=1, microseconds=int(disputes.at[-1]))
    return {"ask_id": disputes.strings("dispute_id")[-1].as_py(), "at": at.isoformat()}


@pytest.mark.parametrize(
    "words",
    [
        "serve --models m --open",
        "serve --store s --open",
        "serve --store s --models m",
        "serve --store s --models m --open --tokens t",
        "serve --new-token shop --tokens t",
        "serve --new-token shop --scope read",
        "serve --new-token shop --scope write --tokens t",
    ],
)
def test_words_that_do_not_go_together_are_wrong_usage(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words.split())
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "REDRESS_STORE: want a place"),
        ({"REDRESS_STORE": "s"}, "REDRESS_MODELS: want a place"),
        ({"REDRESS_STORE": "s", "REDRESS_MODELS": "m"}, r"REDRESS_TOKENS: want a file .* got neither"),
        (
            {"REDRESS_STORE": "s", "REDRESS_MODELS": "m", "REDRESS_TOKENS": "t", "REDRESS_OPEN": "1"},
            r"REDRESS_TOKENS: want a file .* got both",
        ),
        ({"REDRESS_STORE": "s", "REDRESS_MODELS": "m", "REDRESS_TOKENS": "nowhere"}, "nowhere: want a readable file"),
        ({"REDRESS_STORE": "s", "REDRESS_MODELS": "m", "REDRESS_RATE": "0"}, "REDRESS_RATE: want a whole number"),
    ],
)
def test_an_environment_that_lacks_something_is_told_in_a_sentence(environ: dict[str, str], says: str) -> None:
    with pytest.raises(RedressError, match=says):
        service(environ, Clock(lambda: 0, lambda: 0.0), print)


def test_the_environment_sets_limits_and_policy(shop: Shop) -> None:
    told = {"REDRESS_STORE": str(shop.store), "REDRESS_MODELS": str(shop.models), "REDRESS_OPEN": "1"}
    found = service(told | {"REDRESS_POLICY": "strict", "REDRESS_CASES": "7"}, Clock(lambda: 0, lambda: 0.0), print)
    assert (found.limits, found.tokens, found.near) == (Limits(cases=7), None, True)
    assert found.scorer.value.policy.name == "strict"
    found.store.close()


def test_every_model_is_asked_before_the_first_request_comes(shop: Shop) -> None:
    models = read_models(shop.models)
    model = models["malicious_dispute"]
    others = {name: replace(model, card=dict(model.card) | {"question": name}) for name in ASKED}
    none = {name: replace(other, trees="", signals=(), bags=(), rival=None) for name, other in others.items()}
    assert warmed(models | none, policy_at("default")) == len(ASKED)


def test_a_server_that_cannot_begin_says_why_in_one_sentence() -> None:
    words = [sys.executable, "-m", "uvicorn", "serve:app", "--factory"]
    environ = {name: told for name, told in os.environ.items() if not name.startswith("REDRESS_")}
    ended = subprocess.run(words, env=environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "redress: REDRESS_STORE: want a place, got none; set it\n"


def test_a_new_token_is_told_once_and_kept_as_its_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "tokens"
    words = ["serve", "--new-token", "shop", "--scope", "decide", "--scope", "append", "--tokens", str(kept), "--json"]
    assert main([*words, "--expires", "2027-01-01T00:00:00Z"]) == 0
    text = json.loads(capsys.readouterr().out)["token"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert text not in kept.read_text()
    end = moment("2027-01-01T00:00:00Z")
    assert end is not None
    one = found(read(kept), text, end - 1)
    assert one is not None
    assert (one.name, sorted(one.scopes)) == ("shop", ["append", "decide"])
    assert found(read(kept), text, end) is None
    assert found(read(kept), text[:-1], 0) is None
    assert main(words) == 1
    assert "want a new name, got shop again" in capsys.readouterr().err
    assert main([*words, "--expires", "soon"]) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("shop decide never", "want name, scopes, expiry and hash, got 3 words"),
        (f"sh/op decide never sha256:{'0' * 64}", "want a name of letters"),
        (f"shop decide,write never sha256:{'0' * 64}", "want scopes among append, decide, read"),
        (f"shop decide 2027-01-01 sha256:{'0' * 64}", "want an RFC 3339 time"),
        (f"shop decide never md5:{'0' * 32}", "want sha256: and 64 hex digits"),
    ],
)
def test_a_line_that_keeps_no_token_is_told_by_its_number(tmp_path: Path, line: str, says: str) -> None:
    kept = tmp_path / "tokens"
    kept.write_text(f"# ours\n\n{line}\n")
    with pytest.raises(RedressError, match=f"^tokens:3: {says}"):
        read(kept)


def test_two_tokens_of_one_name_are_refused(tmp_path: Path) -> None:
    line = made("shop", ["read"], "never", bytes(32))[1]
    (tmp_path / "tokens").write_text(f"{line}\n{line}\n")
    with pytest.raises(RedressError, match="want each name once, got shop again"):
        read(tmp_path / "tokens")
