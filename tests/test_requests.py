"""Facts in a request: what is refused, in which words, and that schema, check and store agree about each value."""

import random
from datetime import UTC, datetime

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_store import NaiveStore
from odd import nearly, odd

from features import RedressError
from features.requests import fact_schema, facts, facts_schema, holds, moment, schema
from features.tables import TABLES, Column

SENDERS = "buyer, seller, platform"
COLUMNS = [(name, column) for name, table in TABLES.items() for column in table.columns]


def says(told: object, most: int = 100) -> str:
    """What is wrong with facts, nothing if they are taken."""
    try:
        facts(told, most)
    except RedressError as error:
        return str(error)
    return ""


@given(st.sampled_from(COLUMNS), st.integers(0, 2**32))
def test_the_schema_and_the_check_say_the_same_of_any_value(which: tuple[str, Column], seed: int) -> None:
    draw, (name, column) = random.Random(seed), which
    came = draw.choice((odd(draw), True, nearly(draw, name).get(column.name), *column.vocabulary))
    valid = jsonschema.Draft202012Validator(schema(column)).is_valid(came)
    if isinstance(came, str) and halved(came):
        assert not holds(column, came)  # no schema knows half a character, which no UTF-8 has
    elif isinstance(came, float) and came.is_integer() and column.kind in ("cents", "grams", "count"):
        assert not holds(column, came)  # 5.0 is an integer to a schema; money is none by accident
    elif column.kind == "time" and valid:
        assert holds(column, came) or not real(str(came))  # no schema knows how long February is
    else:
        assert holds(column, came) == valid


def halved(text: str) -> bool:
    """Whether a text holds half of a surrogate pair."""
    return any("\ud800" <= one <= "\udfff" for one in text)


def real(text: str) -> bool:
    """Whether there is such a moment from 1970 on."""
    try:
        return datetime.fromisoformat(text) >= datetime(1970, 1, 1, tzinfo=UTC)
    except ValueError:
        return False


@given(st.sampled_from(list(TABLES)), st.integers(0, 2**32))
def test_the_schema_and_the_check_say_the_same_of_any_fact(name: str, seed: int) -> None:
    draw = random.Random(seed)
    fact = nearly(draw, name)
    change = draw.randrange(4)
    if change == 0:
        fact.pop(draw.choice(list(fact)))
    elif change == 1:
        fact[draw.choice(list(fact))] = None
    elif change == 2:
        fact["strange"] = 1
    assert jsonschema.Draft202012Validator(fact_schema(TABLES[name])).is_valid(fact) == (not says({name: [fact]}))


@given(st.sampled_from(list(TABLES)), st.integers(0, 2**32))
def test_a_store_takes_every_value_that_a_request_may_bring(name: str, seed: int) -> None:
    draw = random.Random(seed)
    fact = nearly(draw, name)
    column = draw.choice(TABLES[name].columns)
    fact[column.name] = draw.choice((odd(draw), fact.get(column.name)))
    if not says({name: [fact]}):
        try:
            NaiveStore().append({name: [fact]}, arrived=2**52)
        except RedressError as error:
            says_why = str(error)
        else:
            says_why = "known by then"
        assert "known by then" in says_why  # nothing else may be wrong with it


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "facts: want facts by table, such as {'orders': […]}, got null; give some"),
        ({}, "facts: want facts by table, such as {'orders': […]}, got an object; give some"),
        ({"weather": []}, "facts.weather: want a table of the ledger, got none of that name; leave it out"),
        ({"orders": 1}, "facts.orders: want a list of facts, got 1; put them into one"),
        ({"orders": [[]]}, "orders[0]: want a fact, an object with columns of orders, got a list; give one"),
        ({"orders": [{}]}, "orders[0].order_id: want a string of 1 to 256 characters, got none; give it"),
        ({"orders": [{"order_id": None}]}, "orders[0].order_id: want a string of 1 to 256 characters, got null; correct it"),
        ({"findings": [{"malicious": 1}]}, "findings[0].malicious: want bool, got 1; correct it"),
        ({"decisions": [{"propensity": 1.1}]}, "decisions[0].propensity: want float in [0, 1], got 1.1; correct it"),
        ({"messages": [{"sender": "x" * 99}]}, f"messages[0].sender: want one of {SENDERS}, got {'x' * 60}…; correct it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_sentence(told: object, words: str) -> None:
    assert says(told) == words


def test_what_may_be_unknown_may_be_null_or_left_out() -> None:
    assert says({"orders": [{"order_id": "o", "at": "2025-01-01T00:00:00Z", "amount": None}]}) == ""


def test_facts_are_counted_over_all_tables() -> None:
    order, buyer = {"order_id": "o", "at": "2025-01-01T00:00:00Z"}, {"buyer_id": "b", "at": "2025-01-01T00:00:00Z"}
    assert says({"orders": [order], "buyers": [buyer]}, most=2) == ""
    assert says({"orders": [order], "buyers": [buyer]}, most=1).startswith("facts: want at most 1 facts at once")


@pytest.mark.parametrize(
    ("text", "t"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01T00:00:00+00:01", None),
        ("2099-12-31T23:59:59.999999Z", 4_102_444_799_999_999),
        ("2099-12-31T23:59:59-00:01", None),
        ("2025-01-01T00:00:00", None),
        ("2025-01-01", None),
        ("2025-01-01t00:00:00z", None),
        ("2025-01-01T00:00:00.1234567Z", None),
        ("2025-02-29T00:00:00Z", None),
        ("\uff12025-01-01T00:00:00Z", None),  # a wide two, which is a digit to Python
        (" 2025-01-01T00:00:00Z", None),
        (1_735_689_600, None),
    ],
)
def test_a_moment_is_rfc_3339_from_1970_to_2100(text: object, t: int | None) -> None:
    assert moment(text) == t


def test_the_schema_of_facts_names_every_table() -> None:
    told = facts_schema(7)["properties"]
    assert isinstance(told, dict)
    assert list(told) == list(TABLES)
    assert told["orders"] == {"type": "array", "items": {"$ref": "#/components/schemas/orders"}, "maxItems": 7}
