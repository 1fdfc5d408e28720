"""What the service answers: a status and a body, and where it refuses, a problem document (RFC 9457)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its body, what that is, and headers besides."""

    status: int
    body: bytes
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of problem: the status it has and what it is called."""

    status: int
    title: str


KINDS: Final[Mapping[str, Kind]] = {
    "malformed": Kind(400, "The body is no JSON"),
    "unauthorized": Kind(401, "A valid token is wanted"),
    "forbidden": Kind(403, "The token does not open this"),
    "unknown": Kind(404, "There is none"),
    "method": Kind(405, "Another method is wanted"),
    "slow": Kind(408, "The body came too slowly"),
    "unfinished": Kind(409, "The first request of this key is not answered yet"),
    "large": Kind(413, "The body is too large"),
    "media": Kind(415, "The body is to be JSON"),
    "invalid": Kind(422, "The request says something that cannot be taken"),
    "reused": Kind(422, "The key was used for another request"),
    "often": Kind(429, "Too many requests"),
    "failed": Kind(500, "The service failed"),
    "busy": Kind(503, "The service is busy"),
    "late": Kind(503, "The answer took too long"),
    "unready": Kind(503, "The service is not ready"),
}
"""Every problem by the last word of its `type`."""
TYPE: Final = "urn:redress:problem:"
SCHEMA: Final[Mapping[str, object]] = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "properties": {
        "type": {"enum": [f"{TYPE}{name}" for name in KINDS]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "The field that is at fault, such as orders[3].amount."},
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
}


def said(told: object, *, status: int = 200) -> Reply:
    """An answer in JSON.

    >>> said({"taken": 1}).body
    b'{"taken":1}'
    """
    return Reply(status, json.dumps(told, separators=(",", ":")).encode())


def problem(name: str, detail: str, *, field: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """A problem document.

    >>> problem("unknown", "want a decision, got none of that id").status
    404
    """
    kind = KINDS[name]
    told: dict[str, object] = {"type": f"{TYPE}{name}", "title": kind.title, "status": kind.status, "detail": detail}
    body = json.dumps(told | ({"field": field} if field else {}), separators=(",", ":")).encode()
    return Reply(kind.status, body, PROBLEM, headers)


def invalid(error: ValueError) -> Reply:
    """The problem that a RedressError tells; its first words name the field.

    >>> invalid(ValueError("orders[3].amount: want int64 cents, got -5; correct it")).body[-27:]
    b'"field":"orders[3].amount"}'
    """
    detail = str(error)
    where, colon, _ = detail.partition(":")
    return problem("invalid", detail, field=where if colon and " " not in where else "")
