"""The service as servers start it: `uvicorn serve:app --factory`. Here alone the environment and the clocks are read."""

import gc
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from features import RedressError
from service import tokens
from service.current import Current, mark
from service.limits import limits
from service.opening import files, opened
from service.service import Clock, Log, Service, made
from service.warming import warmed

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def app() -> "ASGIApp":
    """The service that the environment describes: REDRESS_STORE, REDRESS_MODELS, REDRESS_POLICY, REDRESS_TOKENS, limits.

    REDRESS_KEY names the file of the key that ids of persons are hashed by.
    REDRESS_OPEN=1 in place of REDRESS_TOKENS opens it to its own machine. Ends with one sentence where it cannot begin.
    """
    from service.http import application

    clock = Clock(lambda: time.time_ns() // 1_000, time.perf_counter)
    try:
        return application(service(os.environ, clock, lines(clock)))
    except RedressError as error:
        raise SystemExit(f"redress: {error}") from None


def service(environ: Mapping[str, str], clock: Clock, log: Log) -> Service:
    """The service that an environment describes; RedressError for what is missing or wrong."""
    where, models = (_told(environ, name) for name in ("REDRESS_STORE", "REDRESS_MODELS"))
    policy, kept = environ.get("REDRESS_POLICY") or "default", limits(environ)
    held = _tokens(environ)
    writer = f"{gethostname()}.{os.getpid()}.{clock.now()}"
    store, scorer = opened(where, models, policy, writer, environ.get("REDRESS_KEY") or None)
    current = Current(scorer, lambda: mark(*files(models, policy)))
    warmed(current.value.models, current.value.policy)
    gc.collect()
    gc.freeze()  # what stands now, libraries and models, is not looked through again at every collection
    return made(store, current, held, limits=kept, clock=clock, log=log, near="://" not in where)


def lines(clock: Clock) -> Log:
    """Writes what is told as a line of JSON to standard error, with its time."""

    def log(told: Mapping[str, object]) -> None:
        sys.stderr.write(json.dumps({"at": clock.now(), **told}) + "\n")
        sys.stderr.flush()

    return log


def _told(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise RedressError(f"{name}: want a place, got none; set it")
    return environ[name]


def _tokens(environ: Mapping[str, str]) -> Current[tuple[tokens.Token, ...]] | None:
    told, is_open = environ.get("REDRESS_TOKENS"), environ.get("REDRESS_OPEN") == "1"
    if bool(told) == is_open:
        raise RedressError(
            f"REDRESS_TOKENS: want a file of tokens, or REDRESS_OPEN=1 and none, got {'both' if told else 'neither'}; "
            "make a token with redress serve --new-token"
        )
    path = Path(str(told))
    return None if is_open else Current(lambda: tokens.read(path), lambda: mark(path))
