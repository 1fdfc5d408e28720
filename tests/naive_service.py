"""The service over the naive store, with one dispute about one order, in this process or, by `app`, in one of its own."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from naive_store import NaiveScorer, NaiveStore
from starlette.types import ASGIApp, Message

from features.store import Store
from models import Model
from models.linear import Linear
from models.policy import opened as policy_at
from models.terms import Term
from service import tokens
from service.application import lines
from service.current import Current, mark
from service.http import application
from service.limits import Limits
from service.overstore import OverStore
from service.scorer import read
from service.service import Clock, Deciding, Service, made

HOUR: Final = 3_600_000_000
NOW: Final = 100 * HOUR
"""What the time is: four o'clock on the fifth of January 1970."""
SECRETS: Final = {name: bytes([i]) * 32 for i, name in enumerate(("all", "append", "decide", "read", "old"))}


def hour(n: float) -> str:
    """The n-th hour of 1970."""
    return f"1970-01-{1 + int(n // 24):02d}T{int(n % 24):02d}:{int(n * 60 % 60):02d}:00Z"


def order(name: str, n: float, **more: object) -> dict[str, object]:
    """An order of the n-th hour."""
    return {"order_id": name, "at": hour(n), "buyer_id": "b1", "seller_id": "s1", "amount": 5_000} | more


def dispute(name: str, n: float, about: str) -> dict[str, object]:
    """A dispute of the n-th hour."""
    return {"dispute_id": name, "at": hour(n), "order_id": about, "reason": "quality", "claimed": 5_000}


CASE: Final = {"ask_id": "d1", "at": hour(60)}


def save_model(models: Path, weight: float = 0.5) -> None:
    """Writes a model of malice that goes by the order's amount."""
    told = {"question": "malicious_dispute", "horizon_days": 30.0, "trained_until": "1970-01-02T00:00:00+00:00"}
    line = Linear((Term(("order_amount",)),), (weight,), (0.0,), -1.0)
    Model("", ("order_amount",), linear=line, card=told).save(models / "malicious_dispute")


def save_tokens(path: Path) -> dict[str, str]:
    """Writes a token of each scope, one of all, and one that has expired; gives what they are, by name."""
    texts, told = dict[str, str](), ["# who may ask"]
    for name, random in SECRETS.items():
        scopes = tokens.SCOPES if name in ("all", "old") else (name,)
        texts[name], line = tokens.made(name, scopes, hour(100) if name == "old" else tokens.NEVER, random)
        told.append(line)
    path.write_text("\n".join(told) + "\n", encoding="utf-8")
    return texts


def stocked() -> NaiveStore:
    """A store that knows one order and a dispute about it."""
    store = NaiveStore()
    store.append({"orders": [order("o1", 10)], "disputes": [dispute("d1", 40, "o1")]}, arrived=40 * HOUR)
    return store


@dataclass
class Ticks:
    """A clock that stands still until it is told to go on."""

    now: int = NOW
    seconds: float = 0.0

    def clock(self) -> Clock:
        """As the service reads it."""
        return Clock(lambda: self.now, lambda: self.seconds)


@dataclass
class World:
    """A service, all that it logged, and where its models and tokens lie."""

    service: Service
    store: NaiveStore
    models: Path
    tokens: Path
    texts: Mapping[str, str]
    ticks: Ticks
    log: list[Mapping[str, object]] = field(default_factory=list)


def world(place: Path, limits: Limits | None = None, *, opened: bool = False) -> World:
    """A service in a folder."""
    models, kept, ticks, log = place / "models", place / "tokens", Ticks(), list[Mapping[str, object]]()
    save_model(models)
    texts, store = save_tokens(kept), stocked()
    limits = limits or Limits(milliseconds=60_000)  # some code is compiled when it is first called
    service = serving(store, models, None if opened else kept, limits, ticks.clock(), log)
    return World(service, store, models, kept, texts, ticks, log)


def serving(
    store: NaiveStore,
    models: Path,
    kept: Path | None,
    limits: Limits,
    clock: Clock,
    log: list[Mapping[str, object]] | None = None,
) -> Service:
    """The service over a store; logs to standard error unless it is given where to."""

    def scorer() -> Deciding:
        return NaiveScorer.open(store, models)

    held = None if kept is None else Current(lambda: tokens.read(kept), lambda: mark(kept))
    told = lines(clock) if log is None else log.append
    return made(store, Current(scorer, lambda: mark(models)), held, limits=limits, clock=clock, log=told)


def embedded(place: Path) -> Service:
    """The same service over a store in a directory."""
    models, kept = place / "models", place / "tokens"
    save_model(models)
    save_tokens(kept)
    store = Store.create(place / "store", name="0" * 32, horizon=30 * 24 * HOUR)
    store.append({"orders": [order("o1", 10)], "disputes": [dispute("d1", 40, "o1")]}, arrived=40 * HOUR)

    def scorer() -> Deciding:
        return OverStore(store, read(models), policy_at("default")).ready()

    held = Current(lambda: tokens.read(kept), lambda: mark(kept))
    limits = Limits(rate=10**9, burst=10**9, milliseconds=60_000)
    told = list[Mapping[str, object]]()
    return made(
        store, Current(scorer, lambda: mark(models)), held, limits=limits, clock=Ticks().clock(), log=told.append
    )


def app() -> ASGIApp:
    """The service in a process of its own, where the clock stands at NOW but for latency."""
    kept, models = Path(os.environ["REDRESS_TOKENS"]), Path(os.environ["REDRESS_MODELS"])
    clock = Clock(lambda: NOW, asyncio.get_running_loop().time)
    return application(serving(stocked(), models, kept, Limits(reload_seconds=1, rate=10**9, burst=10**9), clock))


@dataclass(frozen=True)
class Got:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """What the body says."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def problem(self) -> dict[str, Any]:
        """The problem that it is, which has the shape of one."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert self.json["type"].startswith("urn:redress:problem:")
        assert {"title", "detail"} <= self.json.keys() <= {"type", "title", "status", "detail", "field"}
        return self.json


class Client:
    """Asks an application in this process, as a server would on behalf of `client`."""

    def __init__(self, app: ASGIApp, token: str = "", client: str = "127.0.0.1") -> None:
        self.app, self.token, self.client = app, token, client
        self.runner = asyncio.Runner()

    def close(self) -> None:
        """Ends its event loop."""
        self.runner.close()

    def get(self, path: str, **more: str) -> Got:
        """Reads something."""
        return self.ask("GET", path, b"", more)

    def post(self, path: str, told: object, **more: str) -> Got:
        """Sends something: bytes as they are, all else as JSON; headers with _ for -."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return self.ask("POST", path, body, {"content_type": "application/json"} | more)

    def ask(self, method: str, path: str, body: bytes, more: Mapping[str, str]) -> Got:
        """Sends any request."""
        return self.runner.run(self.sent(method, path, [body], more))

    async def sent(self, method: str, path: str, parts: list[bytes], more: Mapping[str, str]) -> Got:
        """The same within a loop, its body in parts; without any it never comes."""
        headers = {"authorization": f"Bearer {self.token}"} | {k.replace("_", "-"): v for k, v in more.items()}
        told = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
        scope: dict[str, object] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
        }
        scope |= {"raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "headers": told}
        scope |= {"client": (self.client, 1), "server": ("127.0.0.1", 80)}
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if messages:
            messages[-1]["more_body"] = False
        heard = list[Message]()

        async def receive() -> Message:
            if not messages:
                await asyncio.sleep(3600)
            return messages.pop(0)

        async def send(message: Message) -> None:
            heard.append(message)

        await self.app(scope, receive, send)
        whole = b"".join(message.get("body", b"") for message in heard[1:])
        return Got(heard[0]["status"], {k.decode(): v.decode() for k, v in heard[0]["headers"]}, whole)
