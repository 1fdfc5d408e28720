"""Whatever is sent, the service says what is wrong with it: 10,000 odd bodies, and odd headers."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from naive_service import CASE, SECRETS, Client, embedded, world
from odd import nearly, odd, spoiled

from features.tables import TABLES
from service.http import application
from service.limits import Limits
from service.tokens import NEVER, SCOPES, made

BODIES: Final = 10_000
PATHS: Final = ("/v1/events", "/v1/decide", "/v1/decide/batch", "/v1/evidence")
RAW: Final = (
    *(b"", b" ", b"{", b"}", b"[]", b"null", b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"{}{}", b"{'a': 1}", b'{"a": 01}'),
    *(b"[" * 5_000, b'{"a":' * 5_000, b"[" * 5_000 + b"]" * 5_000, b'{"cases": ' + b"[" * 900 + b"]" * 900 + b"}"),
    *(b"1" * 100_000, b'{"at": 1e400}', b'{"at": -Infinity}', b'"\\ud800"', b'{"\\u0000": 1}', b'{"a": 1, "a": 2}'),
)
"""Bodies that are no JSON, hardly any, or nested beyond measure."""


def body(draw: random.Random, path: str) -> bytes:
    """A body that is odd from the outside, or in one place within."""
    if draw.random() < 0.1:
        return draw.choice(RAW)
    if draw.random() < 0.1:
        whole = json.dumps(whole_body(draw, path)).encode()
        cut = draw.randrange(len(whole))
        return (
            whole[:cut]
            + bytes(draw.randrange(256) for _ in range(draw.randrange(3)))
            + whole[cut + draw.randrange(3) :]
        )
    told = odd(draw) if draw.random() < 0.2 else whole_body(draw, path)
    return json.dumps(told, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def whole_body(draw: random.Random, path: str) -> object:
    """A body of the right shape with something odd in it."""
    if path == "/v1/events":
        names = draw.sample(list(TABLES), draw.randrange(1, 4))
        return {
            "facts": {name: [spoiled(draw, nearly(draw, name)) for _ in range(draw.randrange(1, 3))] for name in names}
        }
    if path == "/v1/evidence":
        return spoiled(draw, {**CASE, "kind": "dispute"})
    case = spoiled(draw, CASE | {"question": "malicious_dispute", "evidence_asked": False})
    return case if path == "/v1/decide" else {"cases": [CASE, case]}


@pytest.fixture(params=["naive", "embedded"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A client that may ask as often as it likes, of a service over each store."""
    limits = Limits(rate=10**9, burst=10**9, milliseconds=60_000)
    service = world(tmp_path, limits).service if request.param == "naive" else embedded(tmp_path)
    with (
        closing(service.store),
        closing(Client(application(service), made("all", SCOPES, NEVER, SECRETS["all"])[0])) as found,
    ):
        yield found


def test_ten_thousand_odd_bodies_are_refused_with_a_problem_and_none_fails(client: Client) -> None:
    draw, seen = random.Random(0), dict[int, int]()
    for i in range(BODIES):
        path = PATHS[i % len(PATHS)]
        told = body(draw, path)
        found = client.post(path, told)
        seen[found.status] = seen.get(found.status, 0) + 1
        if found.status != 200:  # what was spoiled may still be whole: an optional field that another value may have
            assert found.problem["status"] in (400, 403, 413, 422), told
    assert seen[400] > BODIES // 20
    assert seen[422] > BODIES // 2
    assert seen[200] < BODIES // 5
    assert client.get("/readyz").json["status"] == "ready"


def test_odd_headers_fail_nothing(client: Client) -> None:
    draw = random.Random(1)
    for _ in range(500):
        name = draw.choice(("authorization", "content_type", "content_length", "idempotency_key", "content_encoding"))
        value = "".join(chr(draw.randrange(0x20, 0x100)) for _ in range(draw.randrange(40)))
        found = client.post("/v1/decide", CASE, **{name: draw.choice((value, "9" * 5_000, "-1", "Bearer " + value))})
        assert found.status == 200 or found.problem["status"] in (401, 413, 415, 422)
