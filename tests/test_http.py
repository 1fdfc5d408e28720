"""The service over HTTP: every endpoint, every refusal as a problem that names the field, and who may ask what."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import sleep

import pytest
from naive_service import CASE, HOUR, NOW, Client, Got, World, dispute, embedded, hour, order, save_model, world
from prometheus_client.parser import text_string_to_metric_families

from features import RedressError
from models import Model
from models.advised import FIELDS
from models.linear import Linear
from models.terms import Term
from service.document import END, FILE, MARK, PAGE, page, text
from service.http import application
from service.limits import Limits, limits
from service.problems import Reply
from service.replies import Replies


@pytest.fixture
def shop(tmp_path: Path) -> World:
    """A service that knows one dispute about one order."""
    return world(tmp_path)


Asking = Callable[..., Client]


@pytest.fixture
def asking() -> Iterator[Asking]:
    """Makes clients that end with the test."""
    with ExitStack() as clients:
        yield lambda app, token="", client="127.0.0.1": clients.enter_context(closing(Client(app, token, client)))


@pytest.fixture
def ask(shop: World, asking: Asking) -> Client:
    """A client with a token for everything."""
    return asking(application(shop.service), shop.texts["all"])


def test_facts_are_taken_once(ask: Client, shop: World) -> None:
    facts = {"facts": {"orders": [order("o2", 50), order("o3", 39)]}}
    first, again = ask.post("/v1/events", facts), ask.post("/v1/events", facts)
    assert (first.status, first.json) == (200, {"taken": 2, "repeated": 0, "late": 2})
    assert again.json == {"taken": 0, "repeated": 2, "late": 0}
    assert [row["order_id"] for row in shop.store.stored["orders"]] == ["o1", "o3", "o2"]


def test_messages_without_an_id_are_recognised_by_the_key_of_their_request(
    ask: Client, shop: World, asking: Asking
) -> None:
    said = {"facts": {"messages": [{"order_id": "o1", "at": hour(50), "sender": "buyer", "kind": "text"}] * 2}}
    told = [ask.post("/v1/events", said, idempotency_key=key).json["taken"] for key in ("k1", "k1", "k2")]
    assert told == [2, 0, 2]
    other = asking(ask.app, shop.texts["append"])
    assert other.post("/v1/events", said, idempotency_key="k1").json["taken"] == 2  # another's key is another key


def test_a_case_is_decided_recorded_and_read_again(ask: Client) -> None:
    told = ask.post("/v1/decide", CASE)
    assert told.status == 200
    assert told.json["action"] == "review"
    assert told.json["case"]["dispute_id"] == "d1"
    again = ask.get(f"/v1/decisions/{told.json['decision_id']}")
    assert (again.status, again.json) == (200, told.json)


def test_what_to_obtain_for_a_dispute_is_told_and_nothing_of_it_kept(ask: Client, shop: World) -> None:
    """There is no model of rulings here, so that the rules say what to bring."""
    told = ask.post("/v1/evidence", CASE | {"kind": "dispute"}, idempotency_key="e")
    assert told.status == 200
    assert (told.json["kind"], told.json["recommended by"], told.json["answer"]) == ("dispute", "rules", None)
    assert (told.json["deadline"], told.json["at stake"]) == ("1970-01-07T16:00:00+00:00", 5_000)
    assert told.json["notes"][0].startswith("dispute_outcome: want its model")
    assert told.json["recommended"] == ["listing_copy", "product_photo"]
    assert set(FIELDS) | {"fair"} == set(told.json)
    assert shop.store.records == {}
    assert ask.post("/v1/evidence", CASE | {"kind": "dispute"}, idempotency_key="e").json == told.json


def test_over_a_store_in_a_directory_the_same_is_told(ask: Client, asking: Asking, tmp_path: Path) -> None:
    """All but in which words there is no model of rulings; both know of shipments, scans, refunds and evidence."""
    stored, case = embedded(tmp_path / "stored"), CASE | {"kind": "dispute"}
    about = {"order_id": "o1", "at": hour(50)}
    sent: dict[str, list[dict[str, object]]] = {
        "shipments": [{**about, "carrier": "c"}],
        "scans": [{**about, "kind": "delivered"}],
        "refunds": [{**about, "amount": 1, "funded_by": "seller"}],
        "evidence": [{"evidence_id": "e", "at": hour(51), "case_id": "d1", "party": "seller", "kind": "product_photo"}],
    }
    with closing(stored.store):
        other = asking(application(stored), ask.token)
        for one in (ask, other):
            assert one.post("/v1/events", {"facts": sent}).status == 200
        found, told = (one.post("/v1/evidence", case).json for one in (other, ask))
    assert told["recommended"] == ["listing_copy"]
    assert found["notes"].pop(0) == f"{told['notes'].pop(0)}; train it with redress train dispute_outcome"
    assert found == told


def test_a_chargeback_is_told_how_to_be_answered(ask: Client, shop: World) -> None:
    asked = {"chargeback_id": "c1", "at": hour(50), "order_id": "o1", "amount": 5_000, "reason_code": "13.1"}
    ask.post("/v1/events", {"facts": {"chargebacks": [asked | {"network": "visa"}]}})
    case = {"ask_id": "c1", "at": hour(60), "kind": "chargeback"}
    lacks = ask.post("/v1/evidence", case).problem
    assert (lacks["field"], lacks["detail"]) == ("case.kind", "case.kind: chargeback_win: want its model, got none")
    card = {"question": "chargeback_win", "horizon_days": 30.0, "trained_until": "1970-01-02T00:00:00+00:00"}
    line = Linear((Term(("case_items_correspondence",)),), (3.0,), (0.0,), -1.0)
    Model("", ("case_items_correspondence",), linear=line, card=card).save(shop.models / "chargeback_win")
    shop.service.renew()
    known = {"evidence_id": "e", "at": hour(55), "case_id": "d1", "party": "buyer", "kind": "other"}
    ask.post("/v1/events", {"facts": {"evidence": [known]}})
    told = ask.post("/v1/evidence", case).json
    assert (told["recommended"], told["answer"]["action"]) == (["correspondence"], "contest")
    assert told["probability with"] > told["probability without"] > 0
    assert told["advice"].startswith("Contest. Obtain correspondence by ")


def test_a_case_that_is_over_is_a_problem_that_names_a_field(ask: Client) -> None:
    late = ask.post("/v1/evidence", {"ask_id": "d1", "at": hour(40), "kind": "dispute"})
    assert late.status == 200
    closed = {"dispute_id": "d1", "at": hour(50), "outcome": "refused"}
    ask.post("/v1/events", {"facts": {"rulings": [closed]}})
    found = ask.post("/v1/evidence", CASE | {"kind": "dispute"}).problem
    assert (found["status"], found["field"]) == (422, "case.ask_id")
    assert found["detail"].startswith(
        "case.ask_id: want a case that is open at 1970-01-03T12:00:00+00:00 UTC, got one decided "
    )
    assert found["detail"].endswith("give an earlier at, or ask about another")


def test_several_cases_are_decided_as_one_by_one(ask: Client) -> None:
    cases = [CASE | {"at": hour(n)} for n in (60, 61)]
    told = ask.post("/v1/decide/batch", {"cases": cases})
    assert told.json["decisions"] == [ask.post("/v1/decide", case).json for case in cases]


def test_facts_of_a_case_are_taken_first_and_want_their_own_scope(ask: Client, shop: World, asking: Asking) -> None:
    facts = {"orders": [order("o2", 50)], "disputes": [dispute("d2", 55, "o2")]}
    case = {"ask_id": "d2", "at": hour(60), "facts": facts}
    other = asking(ask.app, shop.texts["decide"])
    for path, said in (("/v1/decide", case), ("/v1/decide/batch", {"cases": [case]})):
        assert other.post(path, said).problem["status"] == 403
    assert "d2" not in [row["dispute_id"] for row in shop.store.stored["disputes"]]
    assert ask.post("/v1/decide", case).json["case"]["dispute_id"] == "d2"


def test_a_key_gets_the_answer_it_got_even_when_all_has_changed(ask: Client, shop: World) -> None:
    first = ask.post("/v1/decide", CASE, idempotency_key="k")
    save_model(shop.models, weight=3.0)
    shop.service.renew()
    assert ask.post("/v1/decide", CASE, idempotency_key="k") == first
    assert ask.post("/v1/decide", CASE).json["decision_id"] != first.json["decision_id"]
    other = ask.post("/v1/decide", CASE | {"at": hour(61)}, idempotency_key="k").problem
    assert (other["status"], other["type"]) == (422, "urn:redress:problem:reused")


def test_a_key_is_not_used_up_by_what_was_refused(ask: Client) -> None:
    assert ask.post("/v1/decide", CASE | {"ask_id": "d9"}, idempotency_key="k").status == 422
    assert ask.post("/v1/decide", CASE, idempotency_key="k").status == 200


def test_a_key_is_not_used_up_by_a_token_that_opened_too_little(ask: Client, shop: World) -> None:
    facts = {"orders": [order("o2", 50)], "disputes": [dispute("d2", 55, "o2")]}
    case, header = {"ask_id": "d2", "at": hour(60), "facts": facts}, f"Bearer {shop.texts['decide']}"
    assert ask.post("/v1/decide", case, idempotency_key="k", authorization=header).status == 403
    shop.tokens.write_text(shop.tokens.read_text().replace("decide decide ", "decide decide,append "))
    shop.service.renew_changed()
    assert ask.post("/v1/decide", case, idempotency_key="k", authorization=header).status == 200


REFUSED: list[tuple[str, object, int, str | None]] = [
    ("/v1/events", {"facts": {"orders": [order("o2", 50), order("o3", 50, amount=-5)]}}, 422, "orders[1].amount"),
    ("/v1/events", {"facts": {"orders": [order("o2", 50, amount=1.5)]}}, 422, "orders[0].amount"),
    ("/v1/events", {"facts": {"orders": [order("o2", 50, amount=10**400)]}}, 422, "orders[0].amount"),
    ("/v1/events", {"facts": {"orders": [order("o2", 50, buyer_id="x" * 257)]}}, 422, "orders[0].buyer_id"),
    ("/v1/events", {"facts": {"orders": [order("o2", 50, colour="red")]}}, 422, "orders[0].colour"),
    ("/v1/events", {"facts": {"orders": [{"at": hour(50)}]}}, 422, "orders[0].order_id"),
    ("/v1/events", {"facts": {"orders": [order("o2", 50) | {"at": "1970-01-03T02:00:00"}]}}, 422, "orders[0].at"),
    ("/v1/events", {"facts": {"orders": [order("o2", 50) | {"at": "1970-02-30T02:00:00Z"}]}}, 422, "orders[0].at"),
    ("/v1/events", {"facts": {"orders": [order("o2", 100.1)]}}, 422, "orders[0].at"),
    ("/v1/events", {"facts": {"orders": [order("o1", 10, amount=7)]}}, 422, "orders[0].order_id"),
    ("/v1/events", {"facts": {"disputes": [dispute("d2", 50, "o9")]}}, 422, "disputes[0].order_id"),
    ("/v1/events", {"facts": {"disputes": [dispute("d2", 50, "o1") | {"reason": "mood"}]}}, 422, "disputes[0].reason"),
    ("/v1/events", {"facts": {"weather": []}}, 422, "facts.weather"),
    ("/v1/events", {"facts": {"orders": {}}}, 422, "facts.orders"),
    ("/v1/events", {"facts": {"orders": ["o2"]}}, 422, "orders[0]"),
    ("/v1/events", {"facts": {}}, 422, "facts"),
    ("/v1/events", {"fact": {}}, 422, "body"),
    ("/v1/events", [], 422, "body"),
    ("/v1/decide", {"at": hour(60)}, 422, "case.ask_id"),
    ("/v1/decide", {"ask_id": "d1"}, 422, "case.at"),
    ("/v1/decide", CASE | {"at": 60}, 422, "case.at"),
    ("/v1/decide", CASE | {"at": hour(100.1)}, 422, "case.at"),
    ("/v1/decide", CASE | {"ask_id": ""}, 422, "case.ask_id"),
    ("/v1/decide", CASE | {"question": "weather"}, 422, "case.question"),
    ("/v1/decide", CASE | {"question": ["malicious_dispute"]}, 422, "case.question"),
    ("/v1/decide", CASE | {"kind": {}}, 422, "case.kind"),
    ("/v1/decide", CASE | {"evidence_asked": 1}, 422, "case.evidence_asked"),
    ("/v1/decide", CASE | {"facts": {"orders": [order("o2", 50, amount=-1)]}}, 422, "orders[0].amount"),
    ("/v1/decide", CASE | {"mood": 1}, 422, "case.mood"),
    ("/v1/decide", "d1", 422, "case"),
    ("/v1/decide", CASE | {"ask_id": "d9"}, 422, "asks"),
    ("/v1/decide/batch", {"cases": [CASE, CASE | {"at": ""}]}, 422, "cases[1].at"),
    ("/v1/decide/batch", {"cases": []}, 422, "cases"),
    ("/v1/evidence", CASE, 422, "case.kind"),
    ("/v1/evidence", CASE | {"kind": "order"}, 422, "case.kind"),
    ("/v1/evidence", CASE | {"kind": ["dispute"]}, 422, "case.kind"),
    ("/v1/evidence", CASE | {"kind": "dispute", "facts": {}}, 422, "case.facts"),
    ("/v1/evidence", {"kind": "dispute", "ask_id": "", "at": hour(60)}, 422, "case.ask_id"),
    ("/v1/evidence", CASE | {"kind": "dispute", "ask_id": "nobody"}, 422, "case.ask_id"),
    ("/v1/evidence", CASE | {"kind": "dispute", "at": hour(101)}, 422, "case.at"),
    ("/v1/decide/batch", {"cases": [CASE] * 257}, 422, "cases"),
    ("/v1/decide", b"", 400, "body"),
    ("/v1/decide", b"{", 400, "body"),
    ("/v1/decide", b'{"ask_id": NaN}', 400, "body"),
    ("/v1/decide", b'{"ask_id": 1e999}', 422, "body"),
    ("/v1/decide", b'{"ask_id": "\xff"}', 400, "body"),
    ("/v1/decide", b'{"ask_id": "\\ud800", "at": "1970-01-03T00:00:00Z"}', 422, "body"),
    ("/v1/decide", b'{"ask_id": "\\u0000", "at": "1970-01-03T00:00:00Z"}', 422, "body"),
    ("/v1/decide", b"[" * 100_000, 400, "body"),
    ("/v1/decide", b'{"at": ' + b"9" * 5_000 + b"}", 400, "body"),
]


@pytest.mark.parametrize(("path", "told", "status", "field"), REFUSED)
def test_what_is_wrong_is_a_problem_that_names_the_field(
    ask: Client, shop: World, path: str, told: object, status: int, field: str
) -> None:
    found = ask.post(path, told).problem
    assert (found["status"], found["field"]) == (status, field)
    assert len(json.dumps(found)) < 1_500
    assert (len(shop.store.stored["orders"]), shop.store.records) == (1, {})


def test_a_request_whose_first_is_not_answered_yet_is_told_to_come_again_and_a_failure_is_forgotten() -> None:
    replies, met = Replies(10, HOUR), list[Reply]()

    def answer() -> Reply:
        met.append(replies.once(("shop", "k"), b"a", 1, lambda: Reply(200, b"second")))
        return Reply(200, b"first")

    def fails() -> Reply:
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        replies.once(("shop", "k"), b"a", 0, fails)
    assert replies.once(("shop", "k"), b"a", 0, answer).body == b"first"
    assert (met[0].status, met[0].headers) == (409, (("Retry-After", "1"),))
    assert replies.once(("other", "k"), b"b", 1, lambda: Reply(200, b"other")).body == b"other"


def test_the_oldest_answers_are_forgotten_first() -> None:
    replies = Replies(2, HOUR)

    def said(key: str, t: int, body: bytes) -> bytes:
        return replies.once(("shop", key), b"", t, lambda: Reply(200, body)).body

    assert [said(key, t, b"old") for t, key in enumerate("abc")] == [b"old"] * 3
    assert [said(key, 3, b"new") for key in "cbca"] == [b"old", b"old", b"old", b"new"]
    assert [said(key, HOUR + 2, b"newer") for key in "ac"] == [b"new", b"newer"]


def test_a_head_has_no_body_and_other_methods_are_refused(ask: Client) -> None:
    found = ask.ask("HEAD", "/healthz", b"", {})
    assert (found.status, found.body, found.headers["content-length"]) == (200, b"", str(len(b'{"status":"alive"}')))
    for method in ("OPTIONS", "PUT", "DELETE", "TRACE", "MOVE"):
        assert ask.ask(method, "/v1/decide", b"", {}).problem["status"] == 405


def test_a_key_that_is_none_is_refused(ask: Client) -> None:
    for key in ("", "k" * 256, "a b", "\xe9"):
        assert ask.post("/v1/decide", CASE, idempotency_key=key).problem["field"] == "Idempotency-Key"


def test_what_is_no_json_by_its_own_account_is_not_read(ask: Client) -> None:
    for media in ("", "text/plain", "application/x-www-form-urlencoded"):
        assert ask.post("/v1/decide", CASE, content_type=media).problem["status"] == 415
    assert ask.post("/v1/decide", CASE, content_encoding="gzip").problem["status"] == 415
    assert ask.post("/v1/decide", CASE, content_type="application/json; charset=utf-8").status == 200


def test_a_path_or_method_that_is_none_is_a_problem(ask: Client) -> None:
    assert ask.get("/v2/decide").problem["status"] == 404
    found = ask.get("/v1/decide")
    assert (found.problem["status"], found.headers["allow"]) == (405, "POST")
    assert ask.get("/v1/decisions/0123456789abcdef").problem["detail"].startswith("decision_id: want one of a recorded")


@pytest.mark.parametrize("came", ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer \xe9", "bearer redress_", "old"])
def test_a_wrong_or_expired_token_opens_nothing(ask: Client, shop: World, came: str) -> None:
    header = f"Bearer {shop.texts['old']}" if came == "old" else came
    for found in (
        ask.post("/v1/events", {"facts": {"orders": [order("o2", 50)]}}, authorization=header),
        ask.post("/v1/decide", CASE, authorization=header),
        ask.post("/v1/decide/batch", {"cases": [CASE]}, authorization=header),
        ask.get("/v1/decisions/0123456789abcdef", authorization=header),
        ask.get("/metrics", authorization=header),
    ):
        assert found.problem["status"] == 401
        assert found.headers["www-authenticate"] == 'Bearer realm="redress"'
    assert len(shop.store.stored["orders"]) == 1


def test_a_token_opens_until_its_last_moment(shop: World, ask: Client) -> None:
    shop.ticks.now = NOW - 1
    assert ask.get("/metrics", authorization=f"Bearer {shop.texts['old']}").status == 200


@pytest.mark.parametrize("scope", ["append", "decide", "read"])
def test_a_token_opens_what_its_scope_says_and_nothing_else(ask: Client, shop: World, scope: str) -> None:
    header = f"Bearer {shop.texts[scope]}"
    found = {
        "append": ask.post("/v1/events", {"facts": {"orders": [order("o2", 50)]}}, authorization=header).status,
        "decide": ask.post("/v1/decide", CASE, authorization=header).status,
        "read": ask.get("/metrics", authorization=header).status,
    }
    assert found == {name: 200 if name == scope else 403 for name in found}


def test_an_open_service_answers_its_own_machine_alone(tmp_path: Path, asking: Asking) -> None:
    app = application(world(tmp_path, opened=True).service)
    near, far = asking(app), asking(app, client="192.0.2.1")
    assert near.post("/v1/decide", CASE).status == 200
    assert far.post("/v1/decide", CASE).problem["status"] == 403


def test_who_asks_too_often_is_told_when_to_come_again_and_holds_up_nobody_else(tmp_path: Path, asking: Asking) -> None:
    shop = world(tmp_path, Limits(rate=2, burst=3))
    ask = asking(application(shop.service), shop.texts["all"])
    assert [ask.get("/metrics").status for _ in range(4)] == [200, 200, 200, 429]
    assert ask.get("/metrics").headers["retry-after"] == "1"
    assert ask.get("/metrics", authorization=f"Bearer {shop.texts['read']}").status == 200
    assert ask.get("/healthz").status == 200
    shop.ticks.seconds = 0.5
    assert [ask.get("/metrics").status for _ in range(2)] == [200, 429]


def test_a_body_that_is_too_large_is_not_read_whether_it_says_so_or_not(tmp_path: Path, asking: Asking) -> None:
    shop = world(tmp_path, Limits(body_bytes=100))
    ask = asking(application(shop.service), shop.texts["all"])
    assert ask.post("/v1/decide", b"x", content_length="101").problem["status"] == 413
    more = {"content-type": "application/json"}
    assert ask.runner.run(ask.sent("POST", "/v1/decide", [b"x" * 60, b"x" * 41, b"x"], more)).problem["status"] == 413
    assert ask.post("/v1/decide", b" " * (100 - len(body := json.dumps(CASE).encode())) + body).status == 200


def test_a_body_that_comes_too_slowly_is_not_waited_for(tmp_path: Path, asking: Asking) -> None:
    shop = world(tmp_path, Limits(body_milliseconds=20))
    ask = asking(application(shop.service), shop.texts["all"])

    async def never() -> Got:
        task = asyncio.create_task(ask.sent("POST", "/v1/decide", [], {"content-type": "application/json"}))
        return await task

    assert ask.runner.run(never()).problem["status"] == 408


def test_too_many_cases_or_facts_at_once_are_refused(tmp_path: Path, asking: Asking) -> None:
    shop = world(tmp_path, Limits(facts=2, cases=2))
    ask = asking(application(shop.service), shop.texts["all"])
    some = {"orders": [order("o2", 50), order("o3", 50)], "cancellations": [{"order_id": "o2", "at": hour(51)}]}
    assert "at most 2 facts" in ask.post("/v1/events", {"facts": some}).problem["detail"]
    assert "1 to 2 cases" in ask.post("/v1/decide/batch", {"cases": [CASE] * 3}).problem["detail"]


def test_an_answer_that_takes_too_long_is_not_waited_for_and_there_is_an_end_of_waiting(
    tmp_path: Path, asking: Asking
) -> None:
    shop = world(tmp_path, Limits(milliseconds=50, waiting=1, threads=1))
    slow = _Slow(shop)
    ask = asking(application(replace(shop.service, store=slow, near=False)), shop.texts["all"])
    first = ask.get("/v1/decisions/aa").problem
    assert (first["status"], first["type"]) == (503, "urn:redress:problem:late")
    busy = ask.get("/v1/decisions/aa").problem
    assert (busy["status"], busy["type"]) == (503, "urn:redress:problem:busy")
    assert ask.get("/healthz").status == 200
    slow.go.set()


class _Slow:
    """A store that answers when it is told to."""

    def __init__(self, shop: World) -> None:
        self.go, self.append = Event(), shop.store.append
        self.sync, self.close, self.where = shop.store.sync, shop.store.close, "/srv/store"

    def decision(self, decision_id: str) -> None:
        self.go.wait(10)


class _Rounds(_Slow):
    """A store that notes in which round of the loop it was asked for what."""

    def __init__(self, shop: World) -> None:
        super().__init__(shop)
        self.asked, self.round = list[str](), 0

    def decision(self, decision_id: str) -> None:
        self.asked.append(f"{decision_id} {self.round}")

    async def counted(self) -> None:
        while len(self.asked) < 3:
            self.round += 1
            await asyncio.sleep(0)


def test_what_is_asked_at_once_is_answered_in_turn_and_the_loop_goes_round_between(shop: World, asking: Asking) -> None:
    store = _Rounds(shop)
    ask = asking(application(replace(shop.service, store=store)), shop.texts["all"])

    async def at_once() -> None:
        sent = [ask.sent("GET", f"/v1/decisions/{name}", [b""], {}) for name in ("a", "b", "c")]
        await asyncio.gather(*sent, store.counted())

    ask.runner.run(at_once())
    names, rounds = zip(*(one.split() for one in store.asked), strict=True)
    assert names == ("a", "b", "c")
    assert len(set(rounds)) == 3


class _Tired(_Slow):
    """A store that takes its time."""

    def decision(self, decision_id: str) -> None:
        sleep(0.15)


def test_of_those_who_wait_for_their_turn_there_is_an_end_and_of_how_long_they_do(
    tmp_path: Path, asking: Asking
) -> None:
    shop = world(tmp_path, Limits(milliseconds=100, waiting=2))
    ask = asking(application(replace(shop.service, store=_Tired(shop))), shop.texts["all"])

    async def at_once() -> list[Got]:
        return await asyncio.gather(*(ask.sent("GET", f"/v1/decisions/{name}", [b""], {}) for name in "abc"))

    for _ in range(2):  # who was answered is under way no more
        told = [one.problem["type"].rpartition(":")[2] for one in ask.runner.run(at_once())]
        assert told == ["unknown", "late", "busy"]


class _Broken(_Slow):
    """A store that has gone."""

    def decision(self, decision_id: str) -> None:
        raise ConnectionError("buyer b1 lives at the end of the road")


def test_what_fails_says_nothing_of_what_it_was_about(shop: World, asking: Asking) -> None:
    ask = asking(application(replace(shop.service, store=_Broken(shop))), shop.texts["all"])
    found = ask.get("/v1/decisions/aa")
    assert found.problem["status"] == 500
    assert ask.get("/readyz").problem["status"] == 503
    assert b"road" not in found.body
    assert "road" not in json.dumps(shop.log)
    told = next(one for one in shop.log if one["event"] == "failure")
    assert (told["outcome"], told["route"]) == ("ConnectionError", "/v1/decisions/{decision_id}")


class _Gone(_Slow):
    """A store whose disk or server has gone."""

    def decision(self, decision_id: str) -> None:
        if decision_id == "aa":
            raise RedressError("want a store that can be used, got b1") from OSError("b1")
        raise RedressError("/srv/store: want a moment in which no facts come, got b1")


def test_a_store_that_does_not_answer_is_no_fault_of_who_asks(shop: World, asking: Asking) -> None:
    ask = asking(application(replace(shop.service, store=_Gone(shop))), shop.texts["all"])
    for path in ("/v1/decisions/aa", "/readyz"):
        found = ask.get(path)
        assert (found.problem["type"], found.headers["retry-after"]) == ("urn:redress:problem:unready", "1")
        assert b"b1" not in found.body
        assert b"srv" not in found.body
    assert [one["outcome"] for one in shop.log if one["event"] == "store"] == ["OSError", "RedressError"]
    assert "b1" not in json.dumps(shop.log)


def test_readiness_says_what_answers(ask: Client, shop: World) -> None:
    version = shop.service.scorer.value.models["malicious_dispute"].version
    told = {"status": "ready", "reload": "done", "models": {"malicious_dispute": version}}
    assert (ask.get("/readyz").json, ask.get("/healthz").json) == (told, {"status": "alive"})


def test_a_model_that_is_broken_is_not_taken_and_the_old_one_goes_on(ask: Client, shop: World) -> None:
    before = ask.post("/v1/decide", CASE).json
    path = shop.models / "malicious_dispute" / "model.json"
    whole = path.read_text()
    path.write_text(whole[:-20])
    shop.service.renew_changed()
    assert ask.post("/v1/decide", CASE).json == before
    told = ask.get("/readyz").json
    assert (told["status"], told["reload"]) == ("ready", "failed")
    assert told["detail"] == "models could not be read anew; those of before go on"
    logged = [one for one in shop.log if one["event"] == "reload"]
    assert {one["what"]: str(one["outcome"]).partition(": ")[2][:14] for one in logged} == {
        "models": "want model.txt",
        "tokens": "",
    }
    assert metric(ask, "redress_reload_failed", what="models") == 1
    path.write_text(whole)
    shop.service.renew_changed()
    assert ask.get("/readyz").json["reload"] == "done"
    assert metric(ask, "redress_reload_failed", what="models") == 0


def test_another_model_answers_once_it_is_there_and_what_did_not_change_is_not_read(ask: Client, shop: World) -> None:
    before = ask.post("/v1/decide", CASE).json
    shop.service.renew_changed()
    assert [one for one in shop.log if one["event"] == "reload"] == []
    save_model(shop.models, weight=3.0)
    shop.service.renew_changed()
    after = ask.post("/v1/decide", CASE).json
    assert after["probabilities"] != before["probabilities"]
    assert after["models"] != before["models"]


def test_a_token_that_is_taken_away_opens_nothing_any_more(ask: Client, shop: World) -> None:
    lines = shop.tokens.read_text().splitlines()
    shop.tokens.write_text("\n".join(line for line in lines if not line.startswith("all ")))
    shop.service.renew_changed()
    assert ask.get("/metrics").status == 401


def metric(ask: Client, name: str, **labels: str) -> float | None:
    """The value of a metric."""
    found = ask.get("/metrics").body.decode()
    for family in text_string_to_metric_families(found):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


def test_metrics_count_latency_decisions_probabilities_facts_and_the_age_of_models(ask: Client) -> None:
    told = ask.post("/v1/decide", CASE).json
    ask.post("/v1/events", {"facts": {"orders": [order("o2", 70)]}})
    ask.post("/v1/decide", b"")
    assert metric(ask, "redress_decisions_total", action=told["action"]) == 1
    assert metric(ask, "redress_request_seconds_count", route="/v1/decide", status="200") == 1
    assert metric(ask, "redress_request_seconds_count", route="/v1/decide", status="400") == 1
    assert metric(ask, "redress_facts_total", fate="taken") == 1
    assert metric(ask, "redress_probability_count", question="malicious_dispute") == 1
    assert metric(ask, "redress_model_age_seconds", question="malicious_dispute") == (100 - 24) * 3600
    assert metric(ask, "redress_probability_drift") is None


def test_logs_tell_who_asked_what_and_how_it_went_and_nothing_about_anybody(ask: Client, shop: World) -> None:
    told = ask.post("/v1/decide", CASE, idempotency_key="buyer-b1").json
    ask.get(f"/v1/decisions/{told['decision_id']}")
    ask.post("/v1/events", {"facts": {"orders": [order("o2", 70, buyer_id="b1", amount=-1)]}})
    ask.get("/v1/decisions/b1", authorization="Bearer b1")
    whole = json.dumps(shop.log)
    assert [
        word for word in ("b1", "d1", "o1", "o2", "s1", told["decision_id"], shop.texts["all"]) if word in whole
    ] == []
    assert [(one["route"], one["status"], one["token"]) for one in shop.log] == [
        ("/v1/decide", 200, "all"),
        ("/v1/decisions/{decision_id}", 200, "all"),
        ("/v1/events", 422, "all"),
        ("/v1/decisions/{decision_id}", 401, ""),
    ]


def test_errors_tell_nothing_of_what_others_sent(ask: Client) -> None:
    ask.post("/v1/events", {"facts": {"orders": [order("o2", 70, buyer_id="secret", amount=123_457)]}})
    found = ask.post("/v1/events", {"facts": {"orders": [order("o2", 71, buyer_id="mine")]}})
    assert found.problem["status"] == 422
    assert not {"secret", "123457"} & set(found.body.decode().replace('"', " ").split())
    assert b"secret" not in found.body


def test_the_openapi_document_is_current_or_make_docs_makes_it_so(ask: Client) -> None:
    assert FILE.read_text(encoding="utf-8") == text()
    assert ask.get("/openapi.json").json == json.loads(text())
    assert ask.get("/docs").status == 200


def test_the_limits_in_the_page_are_current_or_make_docs_makes_them_so() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert told == page(told)
    assert "| `REDRESS_CASES` | 256 | most cases in one request |" in told
    assert page(f"a{MARK}\nold\n{END}\nb").startswith(f"a{MARK}\n| limit |")


def test_limits_come_from_the_environment_by_their_names() -> None:
    assert limits({"REDRESS_BODY_BYTES": "100", "OTHER": "x"}) == Limits(body_bytes=100)
    for told in ("0", "-1", "1e3", "", "\uff19", "9" * 30):
        with pytest.raises(RedressError, match=r"^REDRESS_CASES: want a whole number"):
            limits({"REDRESS_CASES": told})


def test_no_library_logs_past_us(ask: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask.post("/v1/decide", CASE)
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_time_stands_where_the_clock_says(ask: Client, shop: World) -> None:
    shop.ticks.now = NOW + HOUR
    assert ask.post("/v1/decide", CASE | {"at": hour(101)}).status == 200
