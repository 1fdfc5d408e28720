"""The endpoints: from who asks and what he says to the answer, without HTTP's library."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from traceback import extract_tb
from typing import Final, Literal, NoReturn

from features import RedressError
from features.requests import facts
from models.advised import plain
from models.advising import QUESTIONS
from models.deciding import QUESTION
from models.records import FIRST
from service.cases import case, weighed
from service.metrics import MEDIA
from service.problems import Reply, invalid, problem, said
from service.replies import checked
from service.service import Record, Service
from service.tokens import Token


@dataclass(frozen=True)
class Asked:
    """A request that may be answered: who asks, by which Idempotency-Key if any, about which id, and what is said."""

    token: Token
    key: str | None = None
    name: str = ""
    body: bytes = b""


Answer = Callable[[Service, Asked], Reply]


def parsed(body: bytes) -> object:
    """What a body says in JSON; RedressError for what is none, by the strict letter of RFC 8259, or cannot be kept.

    >>> parsed(b'{"a": [1, "b"]}')
    {'a': [1, 'b']}
    >>> parsed(b"NaN")
    Traceback (most recent call last):
    features.errors.RedressError: body: want JSON, got NaN; correct it
    """
    try:
        text = body.decode("utf-8")
        found: object = json.loads(text, parse_constant=_constant, parse_float=_finite)
    except RecursionError:
        raise RedressError("body: want JSON, got some nested too deeply; say it flatter") from None
    except UnicodeDecodeError:
        raise RedressError("body: want JSON in UTF-8, got other bytes; encode it") from None
    except RedressError:
        raise
    except ValueError as error:
        why = f"{error.msg} at {error.pos}" if isinstance(error, json.JSONDecodeError) else "a number too long"
        raise RedressError(f"body: want JSON, got {why}; correct it") from None
    if "\\u" in text or "\0" in text:
        _judge_texts(found)
    return found


def _constant(name: str) -> NoReturn:
    raise RedressError(f"body: want JSON, got {name}; correct it")


def _finite(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise RedressError("body: want numbers that a float can hold, got a larger one; correct it")
    return found


def _judge_texts(found: object) -> None:
    """Raises RedressError where a text holds half a character, or one that no database keeps."""
    text = json.dumps(found, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise RedressError("body: want whole characters, got half of a surrogate pair; correct it") from None
    if "\\u0000" in text:
        raise RedressError("body: want texts without the character U+0000, got one; leave it out")


def _object(body: bytes, name: str) -> Mapping[str, object]:
    found = parsed(body)
    if not isinstance(found, dict) or list(found) != [name]:
        raise RedressError(f"body: want an object with {name} and nothing else; say it so")
    return found


def events(service: Service, asked: Asked) -> Reply:
    """Takes facts; those that were sent before are told and not taken again, messages without a name by the key."""
    told = facts(_object(asked.body, "facts")["facts"], service.limits.facts)
    key = checked(asked.key)
    request = "" if key is None else f"{asked.token.name}/{key}"
    found = service.store.append(told, arrived=service.clock.now(), request=request)
    service.metrics.appended(taken=found.taken, repeated=found.repeated, late=found.late)
    return said({"taken": found.taken, "repeated": found.repeated, "late": found.late})


def decide(service: Service, asked: Asked) -> Reply:
    """Decides one case, once for each Idempotency-Key."""

    def answer() -> Reply:
        one = case(parsed(asked.body), service.limits.facts, service.clock.now())
        if "facts" in one and "append" not in asked.token.scopes:
            return problem(
                "forbidden", "case.facts: want a token with the scope append; use another", field="case.facts"
            )
        return said(_counted(service, service.scorer.value.decide(one)))

    return _once(service, asked, answer)


def decide_many(service: Service, asked: Asked) -> Reply:
    """Decides several cases; where one cannot be, none is answered."""

    def answer() -> Reply:
        some, limits = _object(asked.body, "cases")["cases"], service.limits
        if not isinstance(some, list) or not 0 < len(some) <= limits.cases:
            raise RedressError(f"cases: want a list of 1 to {limits.cases} cases, got another; send them in parts")
        now = service.clock.now()
        told = [case(one, limits.facts, now, f"cases[{i}]") for i, one in enumerate(some)]
        if any("facts" in one for one in told) and "append" not in asked.token.scopes:
            return problem("forbidden", "facts: want a token with the scope append; use another", field="cases")
        records = service.scorer.value.decide_many(told)
        return said({"decisions": [_counted(service, one) for one in records]})

    return _once(service, asked, answer)


def evidence(service: Service, asked: Asked) -> Reply:
    """Says what evidence is worth obtaining for a case, and with a chargeback the answer to it; nothing is kept."""

    def answer() -> Reply:
        one = weighed(parsed(asked.body), service.clock.now())
        try:
            return said(plain(service.scorer.value.evidence(one)))
        except RedressError as error:
            raise _of_case(error, str(one["ask_id"]), QUESTIONS[str(one["kind"])]) from error.__cause__

    return _once(service, asked, answer)


def _of_case(error: RedressError, ask_id: str, question: str) -> RedressError:
    """What the command says of a case and its model, in the words of a request, which names a field.

    >>> str(_of_case(RedressError("d1: want one that is open, got another; give an earlier --as-of"), "d1", "dispute_outcome"))
    'case.ask_id: want one that is open, got another; give an earlier at'
    """
    told = str(error).replace("--as-of", "at")
    for about in (f"{ask_id}: ", f"case {ask_id[:60]}: "):
        if told.startswith(about):
            return RedressError(f"case.ask_id: {told.removeprefix(about)}")
    return RedressError(f"case.kind: {told}") if told.startswith(f"{question}: ") else error


def _once(service: Service, asked: Asked, answer: Callable[[], Reply]) -> Reply:
    key = checked(asked.key)
    if key is None:
        return answer()
    return service.replies.once((asked.token.name, key), asked.body, service.clock.now(), answer)


def _counted(service: Service, record: Record) -> dict[str, object]:
    """A decision's record as JSON holds it; it is counted."""
    told = record.get("probabilities")
    probability = told.get("malicious") if isinstance(told, Mapping) else None
    service.metrics.decided(QUESTION, str(record["action"]), probability if isinstance(probability, float) else None)
    return dict(record)


def decision(service: Service, asked: Asked) -> Reply:
    """The record of a decision, by its id."""
    found = service.store.decision(asked.name)
    if found is None:
        return problem(
            "unknown", "decision_id: want one of a recorded decision, got another; look it up where it was told"
        )
    return said(dict(found))


def healthy(service: Service, asked: Asked) -> Reply:
    """Says that the process answers."""
    return said({"status": "alive"})


def ready(service: Service, asked: Asked) -> Reply:
    """Says that a case would be answered: the store is read, and models, policy and tokens are there."""
    service.store.decision(FIRST)
    failed = [what for what, one in service.read_anew().items() if one.failed]
    told: dict[str, object] = {"status": "ready", "reload": "failed" if failed else "done"}
    if failed:
        told["detail"] = f"{' and '.join(failed)} could not be read anew; those of before go on"
    scorer = service.scorer.value
    return said(told | {"models": {name: model.version for name, model in scorer.models.items()}})


def metrics(service: Service, asked: Asked) -> Reply:
    """What Prometheus reads."""
    return Reply(200, service.metrics.text(), MEDIA)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: its method, path and answer, the scope that it wants, and how long it takes.

    What is "instant" waits for nothing; what is "short" reads and writes a few rows of the store; the rest is "long".
    """

    method: str
    path: str
    answer: Answer
    scope: str = ""
    takes: Literal["instant", "short", "long"] = "long"


ENDPOINTS: Final = (
    Endpoint("POST", "/v1/events", events, "append"),
    Endpoint("POST", "/v1/decide", decide, "decide", "short"),
    Endpoint("POST", "/v1/decide/batch", decide_many, "decide"),
    Endpoint("POST", "/v1/evidence", evidence, "decide"),
    Endpoint("GET", "/v1/decisions/{decision_id}", decision, "read", "short"),
    Endpoint("GET", "/healthz", healthy, takes="instant"),
    Endpoint("GET", "/readyz", ready),
    Endpoint("GET", "/metrics", metrics, "read"),
)


def answered(service: Service, endpoint: Endpoint, asked: Asked) -> Reply:
    """An endpoint's answer; what was told wrongly, and what fails, is a problem that says no more than it should."""
    try:
        return endpoint.answer(service, asked)
    except RedressError as error:
        if error.__cause__ is not None or str(error).startswith(f"{service.store.where}: "):
            return _unready(service, endpoint, error.__cause__ or error)  # not what was asked is at fault
        unread = str(error).startswith("body: want JSON")
        return problem("malformed", str(error), field="body") if unread else invalid(error)
    except Exception as error:
        if endpoint.answer is ready:
            return _unready(service, endpoint, error)
        _logged(service, "failure", endpoint, error)
        return problem("failed", "the service failed, which its log tells; try again, or tell whoever runs it")


def _unready(service: Service, endpoint: Endpoint, error: BaseException) -> Reply:
    _logged(service, "store", endpoint, error)
    again = (("Retry-After", "1"),)
    return problem("unready", "store: want it to answer, got an error, which the log tells; come again", headers=again)


def _logged(service: Service, event: str, endpoint: Endpoint, error: BaseException) -> None:
    service.log({"event": event, "route": endpoint.path, "outcome": type(error).__name__, "where": where(error)})


def where(error: BaseException) -> list[str]:
    """Through which lines of code an error came; what it says may be about somebody, and stays out of logs."""
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)][-5:]
