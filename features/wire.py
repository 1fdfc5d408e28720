"""Wire: connections to PostgreSQL over which what a store asks goes out several queries at a time."""

from collections.abc import Sequence
from select import POLLIN, POLLOUT, poll
from struct import pack
from typing import Final

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

Order = tuple[str, *tuple[bytes | int | Sequence[bytes], ...]]
"""A query and what it is given."""

READING: Final = "begin isolation level repeatable read read only"
WRITING: Final = "begin isolation level read committed read write"
ALONE: Final = "select pg_advisory_xact_lock('redress_keys'::regclass::oid::int, 0)"
MANY: Final = """
    select (select value from redress_keys found where found.key = asked.key)
    from unnest($1::bytea[]) with ordinality asked(key, place) order by place
"""
BELOW: Final = """
    select found.key, found.value
    from unnest($1::bytea[], $2::bytea[]) with ordinality asked(lo, hi, place) left join lateral (
        select key, value from redress_keys one where one.key >= asked.lo and one.key < asked.hi order by one.key desc limit 1
    ) found on true order by place
"""
SPAN: Final = (
    "select key, value from redress_keys where key >= $1::bytea and key < $2::bytea order by key limit $3::bigint"
)
PUT: Final = """
    insert into redress_keys select * from unnest($1::bytea[], $2::bytea[])
    on conflict (key) do update set value = excluded.value
"""
DELETE: Final = "delete from redress_keys where key = any($1::bytea[])"
FLUSH: Final = "select set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'redress', '')"
COMMIT: Final = "commit"
ROLLBACK: Final = "rollback"
PREPARED: Final = {
    query: b"%d" % place
    for place, query in enumerate((READING, WRITING, ALONE, MANY, BELOW, SPAN, PUT, DELETE, FLUSH, COMMIT, ROLLBACK))
}
"""All that is asked once a connection stands, and by which names."""
_BYTEA: Final = 17
"""PostgreSQL's number of the type of keys and values."""


class Line:
    """A connection over which queries go out several at a time; it is closed once one fails, or is not waited for."""

    def __init__(self, made: psycopg.Connection[tuple[object, ...]]) -> None:
        self._made, self._pg, self._heard = made, made.pgconn, poll()
        self._heard.register(self._pg.socket, POLLIN)
        self._owed = 0
        self._pg.enter_pipeline_mode()
        for query, name in PREPARED.items():
            self._pg.send_prepare(name, query.encode())
        self._sync()

    def ask(self, *orders: Order) -> list[PGresult]:
        """What queries find; one round trip for all. Raises psycopg.Error at the first that fails."""
        try:
            self.send(*orders)
            while self._owed > 1:
                self._answer()
            return self._answer()
        except BaseException:
            self.close()
            raise

    def send(self, *orders: Order) -> None:
        """Sends queries, whose answers whoever asks next takes."""
        for query, *given in orders:
            values, formats = [_binary(one) for one in given], [Format.BINARY] * len(given)
            self._pg.send_query_prepared(PREPARED[query], values, formats, Format.BINARY)
        self._sync()

    @property
    def closed(self) -> bool:
        """Whether it is of no more use."""
        return self._made.closed

    def close(self) -> None:
        """Ends the connection, and what was not committed."""
        self._made.close()

    def _sync(self) -> None:
        self._pg.pipeline_sync()
        self._owed += 1
        while self._pg.flush():
            self._wait(POLLIN | POLLOUT)

    def _answer(self) -> list[PGresult]:
        """What the queries found that were sent first of those not answered yet."""
        found = list[PGresult]()
        while (one := self._next()).status != ExecStatus.PIPELINE_SYNC:
            if one.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
                raise error_from_result(one)
            found.append(one)
        self._owed -= 1
        return found

    def _next(self) -> PGresult:
        """The next answer; none is said after each, and for ever once the connection is lost."""
        while (one := self._result()) is None:
            if self._pg.status == ConnStatus.BAD:
                raise psycopg.OperationalError(self._pg.get_error_message())
        return one

    def _result(self) -> PGresult | None:
        while self._pg.is_busy():
            self._wait(POLLIN)
        return self._pg.get_result()

    def _wait(self, until: int) -> None:
        """Waits until something is heard, or may be said, and takes in what is."""
        self._heard.modify(self._pg.socket, until)
        if any(event & ~POLLOUT for _, event in self._heard.poll()):
            self._pg.consume_input()


def _binary(one: bytes | int | Sequence[bytes]) -> bytes:
    """A value in PostgreSQL's binary form; of an array its dimensions, that none is unknown, the type, how many, and from 1.

    >>> _binary([b"k"]).hex(" ", -4)
    '00000001 00000000 00000011 00000001 00000001 00000001 6b'
    """
    if isinstance(one, bytes):
        return one
    if isinstance(one, int):
        return one.to_bytes(8, "big")
    parts = (part for key in one for part in (len(key).to_bytes(4, "big"), key))
    return b"".join([pack("!5i", 1, 0, _BYTEA, len(one), 1), *parts])
