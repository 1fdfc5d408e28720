"""The service over HTTP: the only door to FastAPI. Who may ask, how much, how often and how long; then the endpoint."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service import tokens
from service.document import document
from service.endpoints import ENDPOINTS, Asked, Endpoint, answered, where
from service.problems import JSON, Reply, problem
from service.service import Service
from service.tokens import ANYONE, Token

Headers = Mapping[bytes, bytes]
_AGAIN: Final = (("Retry-After", "1"),)


class Documented(FastAPI):
    """An application whose OpenAPI document is made from the ledger's declarations."""

    def openapi(self) -> dict[str, object]:
        """The document."""
        return document()


class Door:
    """One endpoint as an ASGI application."""

    def __init__(self, service: Service, endpoint: Endpoint, run: "Runner") -> None:
        self._service, self._endpoint, self._run = service, endpoint, run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, and writes down what it was and how long it took."""
        service, endpoint = self._service, self._endpoint
        began = service.clock.ticks()
        headers: Headers = dict(scope["headers"])
        token = self._token(scope, headers) if endpoint.scope else ANYONE
        reply = token if isinstance(token, Reply) else await self._reply(token, scope, headers, receive)
        if reply is None:  # who asked is gone
            return
        await answer(reply, scope["method"], send)
        seconds = service.clock.ticks() - began
        service.metrics.latency.labels(endpoint.path, reply.status).observe(seconds)
        if endpoint.scope:
            name = "" if isinstance(token, Reply) else token.name
            told = {"route": endpoint.path, "status": reply.status, "ms": round(1e3 * seconds, 3), "token": name}
            service.log({"event": "request", "method": scope["method"], **told, "bytes": len(reply.body)})

    def _token(self, scope: Scope, headers: Headers) -> Token | Reply:
        """Who asks, or why he may not."""
        service = self._service
        if service.tokens is None:
            if local(scope):
                return ANYONE
            return problem("forbidden", "an open service answers its own machine alone; give it tokens")
        kind, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        found = (
            tokens.found(service.tokens.value, text.strip(), service.clock.now()) if kind.lower() == "bearer" else None
        )
        if found is None:
            told = (("WWW-Authenticate", 'Bearer realm="redress"'),)
            return problem("unauthorized", "Authorization: want Bearer and a valid token; ask for one", headers=told)
        if self._endpoint.scope not in found.scopes:
            scope_wanted = self._endpoint.scope
            told = (("WWW-Authenticate", f'Bearer error="insufficient_scope", scope="{scope_wanted}"'),)
            return problem("forbidden", f"token: want one with the scope {scope_wanted}; use another", headers=told)
        return found

    async def _reply(self, token: Token, scope: Scope, headers: Headers, receive: Receive) -> Reply | None:
        service, endpoint = self._service, self._endpoint
        if endpoint.scope and (wait := service.buckets.wait(token.name, service.clock.ticks())):
            told = (("Retry-After", str(int(wait) + 1)),)
            return problem("often", f"want at most {service.limits.rate} requests a second; come again", headers=told)
        body = b"" if endpoint.method == "GET" else await read(headers, receive, service)
        if not isinstance(body, bytes):
            return body
        key = headers.get(b"idempotency-key")
        asked = Asked(
            token, None if key is None else key.decode("latin-1"), scope["path_params"].get("decision_id", ""), body
        )
        if endpoint.takes == "instant":
            return answered(service, endpoint, asked)
        if service.near and endpoint.takes == "short":
            return await self._run.here(service, endpoint, asked)
        return await self._run(service, endpoint, asked)


class Runner:
    """Answers in threads what takes its time, so that it holds up neither the loop nor the clock.

    A case over a store on this machine is answered by the loop itself: it takes less time than a thread is given before
    another may run, and handing it over made the slowest answers twice as slow. Whatever waits for another host, and what
    takes many rows, would keep /healthz and every time limit waiting; it is answered in threads.
    """

    def __init__(self, threads: int, waiting: int, milliseconds: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "redress")
        self._waiting, self._seconds, self._under_way = waiting, milliseconds / 1e3, 0
        self._turn = asyncio.Lock()

    async def here(self, service: Service, endpoint: Endpoint, asked: Asked) -> Reply:
        """The answer by the loop itself: one in each of its rounds, in the order in which they were asked for.

        Those that came together would be answered in one round otherwise, and sent after it, and who asks meanwhile would
        wait for that round and for all of the next. Who would have waited too long is told so at his turn, and nothing is done.
        """
        if self._under_way >= self._waiting:
            return self._busy()
        loop, self._under_way = asyncio.get_running_loop(), self._under_way + 1
        until = loop.time() + self._seconds
        try:
            async with self._turn:
                await asyncio.sleep(0)
                return answered(service, endpoint, asked) if loop.time() <= until else self._late()
        finally:
            self._under_way -= 1

    async def __call__(self, service: Service, endpoint: Endpoint, asked: Asked) -> Reply:
        """The answer, or that there are too many under way, or that it takes too long."""
        if self._under_way >= self._waiting:
            return self._busy()
        self._under_way += 1
        done = asyncio.get_running_loop().run_in_executor(self._pool, answered, service, endpoint, asked)
        done.add_done_callback(self._ended)
        found, _ = await asyncio.wait((done,), timeout=self._seconds)
        if not found:  # it goes on, and what it records stays: asked again, the same is answered
            return self._late()
        return done.result()

    def _busy(self) -> Reply:
        return problem("busy", f"want at most {self._waiting} requests under way; come again", headers=_AGAIN)

    def _late(self) -> Reply:
        return problem("late", f"want an answer within {self._seconds:g} s, got none yet; come again", headers=_AGAIN)

    def _ended(self, _: "asyncio.Future[Reply]") -> None:
        self._under_way -= 1

    def close(self) -> None:
        """Waits for what is under way."""
        self._pool.shutdown(wait=True)


async def answer(reply: Reply, method: str, send: Send) -> None:
    """Sends an answer; of a HEAD nothing but its headers."""
    headers = [(b"content-type", reply.media.encode()), (b"content-length", str(len(reply.body)).encode())]
    headers += [(name.lower().encode(), told.encode()) for name, told in reply.headers]
    headers += [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})


async def read(headers: Headers, receive: Receive, service: Service) -> bytes | Reply | None:
    """The body of a request, or why it is not read; None where who asked is gone."""
    limits = service.limits
    media = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if media != JSON:
        return problem("media", f"Content-Type: want {JSON}, got another; say it in JSON")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        return problem("media", "Content-Encoding: want identity, got another; send it as it is")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:20]) > limits.body_bytes:
        return _large(limits.body_bytes)
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(limits.body_milliseconds / 1e3):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes:
                    return _large(limits.body_bytes)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return problem(
            "slow", f"body: want it within {limits.body_milliseconds / 1e3:g} s, got part of it; send it again"
        )


def _large(most: int) -> Reply:
    return problem("large", f"body: want at most {most:,} bytes, got more; send it in parts")


def local(scope: Scope) -> bool:
    """Whether a request comes from the machine itself."""
    client = scope.get("client")
    return client is not None and _loopback(client[0])


@lru_cache(maxsize=1024)
def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(service: Service) -> Callable[[Request, Exception], Response]:
    """What is said where there is no such path, or no such method of it."""

    def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        name, detail = {
            404: ("unknown", "path: want one of the OpenAPI document's, got another; see /docs"),
            405: ("method", "method: want one that the path has, got another; see /docs"),
        }.get(status, ("failed", "the service failed; try again"))
        reply = problem(name, detail)
        service.log({"event": "request", "route": "", "status": reply.status})
        allow = (error.headers or {}) if isinstance(error, HTTPException) else {}
        return Response(reply.body, reply.status, dict(allow), reply.media)

    return refused


async def _often(seconds: float, do: Callable[[], object], service: Service) -> None:
    """Does something now and then, aside from the loop; what fails is logged and tried again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(do)
        except Exception as error:
            service.log({"event": "failure", "route": "", "outcome": type(error).__name__, "where": where(error)})


def application(service: Service) -> FastAPI:
    """The service as an ASGI application; with its lifespan it reads anew what changes, also on SIGHUP, and ends in order."""
    run = Runner(service.limits.threads, service.limits.waiting, service.limits.milliseconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop, renewing = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def renew() -> None:
            task = loop.create_task(asyncio.to_thread(service.renew))
            renewing.add(task)
            task.add_done_callback(renewing.discard)

        with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):  # not in a thread, not on Windows
            loop.add_signal_handler(signal.SIGHUP, renew)
        limits = service.limits
        watching = [
            loop.create_task(_often(limits.reload_seconds, service.renew_changed, service)),
            loop.create_task(_often(limits.flush_milliseconds / 1e3, service.store.sync, service)),
        ]
        service.log({"event": "start", "models": sorted(service.scorer.value.models)})
        yield
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, *renewing, return_exceptions=True)
        run.close()
        service.store.close()
        service.log({"event": "stop"})

    app = Documented(title="redress", version="1", redoc_url=None, lifespan=lifespan, redirect_slashes=False)
    for one in ENDPOINTS:
        app.router.routes.append(Route(one.path, Door(service, one, run), methods=[one.method]))
    for which in (404, 405, Exception):
        app.add_exception_handler(which, _refused(service))
    return app
