"""The OpenAPI document of the service, made from the ledger's declarations: `python -m service.document` writes it to docs."""

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final

from features.requests import fact_schema, facts_schema
from features.tables import TABLES
from models.advised import SCHEMA as ADVICE
from models.records import EMPTIED
from models.records import SCHEMA as RECORD
from service import cases
from service.limits import PREFIX, Limits
from service.problems import JSON, KINDS, PROBLEM
from service.problems import SCHEMA as PROBLEM_SCHEMA
from service.replies import LOOKS

FILE: Final = Path(__file__).parents[1] / "docs" / "openapi.json"
PAGE: Final = FILE.with_name("service.md")
MARK: Final = "<!-- the limits, by make docs -->"
END: Final = "<!-- end -->"
Json = dict[str, object]
ALWAYS: Final = ("unauthorized", "forbidden", "often", "failed", "busy", "unready")
"""Problems of everything that wants a token."""
SENT: Final = ("malformed", "slow", "large", "media", "invalid")
"""Problems of everything that is sent."""
NOTHING: Final = ("failed",)
ABOUT: Final = """Decisions about marketplace disputes, and the facts they rest on.

Everything under /v1 wants a bearer token with the scope that is named. What is refused is a problem document (RFC 9457) whose
`field` names what is at fault. Times are RFC 3339 with a zone, money is in cents, weight in grams."""


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**told: Mapping[str, object]) -> Json:
    return {"type": "object", "properties": told, "required": list(told), "additionalProperties": False}


def _content(schema: Json, media: str = JSON) -> Json:
    return {media: {"schema": schema}}


def _responses(says: str, schema: Json, problems: tuple[str, ...]) -> Json:
    found: Json = {"200": {"description": says, "content": _content(schema)}}
    for status in sorted({KINDS[name].status for name in problems}):
        titles = "; ".join(KINDS[name].title for name in problems if KINDS[name].status == status)
        found[str(status)] = {"description": titles, "content": _content(_ref("problem"), PROBLEM)}
    return found


def _sent(says: str, scope: str, body: Json, found: Json, *problems: str) -> Json:
    """An operation that something is sent to."""
    key: Json = {"name": "Idempotency-Key", "in": "header", "required": False}
    key |= {"description": "A name of this request: sent again with it, it is answered as it was.", "schema": _key()}
    return {
        "summary": says,
        "description": f"Wants the scope `{scope}`.",
        "security": [{"token": []}],
        "parameters": [key],
        "requestBody": {"required": True, "content": _content(body)},
        "responses": _responses(says, found, (*ALWAYS, *SENT, *problems)),
    }


def _key() -> Json:
    return {"type": "string", "pattern": f"^{LOOKS}$"}


def _read(says: str, found: Json, problems: tuple[str, ...], scope: str = "") -> Json:
    """An operation that something is read by."""
    wants: Json = {"description": f"Wants the scope `{scope}`.", "security": [{"token": []}]} if scope else {}
    return {"summary": says} | wants | {"responses": _responses(says, found, problems)}


def _paths() -> Json:
    count: Json = {"type": "integer", "minimum": 0}
    text: Json = {"type": "string"}
    decided: Json = {"anyOf": [_ref("record"), _ref("emptied")]}
    many: Json = {"type": "array", "minItems": 1, "maxItems": Limits().cases, "items": _ref("case")}
    one = _read("The record of a decision.", decided, (*ALWAYS, "unknown", "invalid", "late"), "read")
    one["parameters"] = [{"name": "decision_id", "in": "path", "required": True, "schema": text}]
    state = _object(status=text, reload={"enum": ["done", "failed"]}, models={"type": "object"})
    state["properties"] = {**_known(state), "detail": text}
    numbers = _read("What Prometheus reads.", text, (*ALWAYS, "late"), "read")
    numbers["responses"] = {
        **_known(numbers, "responses"),
        "200": {"description": "Metrics.", "content": _content(text, "text/plain")},
    }
    twice = ("unfinished", "reused", "late")
    return {
        "/v1/events": {
            "post": _sent(
                "Takes facts, all or none; what was sent before is not taken again.",
                "append",
                _object(facts=_ref("facts")),
                _object(taken=count, repeated=count, late=count),
                "late",
            )
        },
        "/v1/decide": {"post": _sent("Decides a case.", "decide", _ref("case"), decided, *twice)},
        "/v1/decide/batch": {
            "post": _sent(
                "Decides several cases; where one cannot be, none is answered.",
                "decide",
                _object(cases=many),
                _object(decisions={"type": "array", "items": decided}),
                *twice,
            )
        },
        "/v1/evidence": {
            "post": _sent(
                "What evidence is worth obtaining for a dispute or a chargeback, and the answer to the latter.",
                "decide",
                cases.weighed_schema(),
                _ref("advice"),
                *twice,
            )
        },
        "/v1/decisions/{decision_id}": {"get": one},
        "/healthz": {"get": _read("Whether the process answers.", _object(status=text), NOTHING)},
        "/readyz": {"get": _read("Whether a case would be answered.", state, (*NOTHING, "busy", "late", "unready"))},
        "/metrics": {"get": numbers},
    }


def _known(of: Mapping[str, object], name: str = "properties") -> Json:
    found = of[name]
    assert isinstance(found, dict)
    return found


def document() -> Json:
    """The whole document."""
    schemas: Json = {name: fact_schema(table) for name, table in TABLES.items()}
    schemas |= {"facts": facts_schema(Limits().facts), "case": cases.schema(), "problem": dict(PROBLEM_SCHEMA)}
    schemas["advice"] = dict(ADVICE)
    schemas["record"] = {name: told for name, told in RECORD.items() if not name.startswith("$")}
    schemas["emptied"] = dict(EMPTIED)
    return {
        "openapi": "3.1.0",
        "info": {"title": "redress", "version": "1", "description": ABOUT},
        "paths": _paths(),
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def text() -> str:
    """The document as it stands in docs."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def limits() -> str:
    """The limits as a Markdown table."""
    rows = [f"| `{PREFIX}{one.name.upper()}` | {one.default:,} | {one.metadata['says']} |" for one in fields(Limits)]
    return "\n".join(["| limit | default | what it is |", "|---|---|---|", *rows])


def page(told: str) -> str:
    """A page with the limits in it made anew."""
    head, mark, rest = told.partition(MARK)
    return f"{head}{mark}\n{limits()}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Writes the document, and the limits into the page about the service."""
    FILE.write_text(text(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
