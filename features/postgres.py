"""Ordered keys in a table of PostgreSQL, for several machines: the same law as in a directory, a round trip for each call.

The first call of a snapshot takes its `begin` along, and nobody waits for the `commit` that ends it. A connection that was
lost is opened anew once, where nothing was read or written yet.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from select import POLLIN, poll
from threading import get_ident
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from features.errors import RedressError
from features.keys import FORKED, TOGETHER, Entry, end, portions

Line = psycopg.Connection[tuple[object, ...]]
"""A connection."""
Rows = list[tuple[object, ...]]

PATIENCE: Final[dict[str, str | int]] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "application_name": "redress",
}
"""How long a server that says nothing is waited for, in s and ms, unless the address says otherwise."""
IDLE: Final = 8
"""Connections that are kept while nobody uses them."""

CREATE: Final = """
    begin; select pg_advisory_xact_lock(hashtext('redress_keys'));
    create table if not exists redress_keys (key bytea primary key, value bytea not null); commit
"""
EXISTS: Final = "select to_regclass('redress_keys') is not null"
READING: Final = "begin isolation level repeatable read read only"
WRITING: Final = "begin isolation level read committed read write"
ALONE: Final = "select pg_advisory_xact_lock('redress_keys'::regclass::oid::int, 0)"
MANY: Final = """
    select (select value from redress_keys found where found.key = asked.key)
    from unnest(%b::bytea[]) with ordinality asked(key, place) order by place
"""
BELOW: Final = """
    select found.key, found.value
    from unnest(%b::bytea[], %b::bytea[]) with ordinality asked(lo, hi, place) left join lateral (
        select key, value from redress_keys one where one.key >= asked.lo and one.key < asked.hi order by one.key desc limit 1
    ) found on true order by place
"""
SPAN: Final = "select key, value from redress_keys where key >= %b and key < %b order by key limit %b"
PUT: Final = """
    insert into redress_keys select * from unnest(%b::bytea[], %b::bytea[])
    on conflict (key) do update set value = excluded.value
"""
DELETE: Final = "delete from redress_keys where key = any(%b::bytea[])"
DURABLE: Final = (
    "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
)
QUICK: Final = "set synchronous_commit = off"
FLUSH: Final = "select set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'redress', '')"

_WRITERS: Final[set[tuple[int, str]]] = set()
"""Threads that write, and where: a second batch of one thread would wait for its own lock for ever."""


class Postgres:
    """The keys in a database; see `features.keys.Keys`."""

    def __init__(self, url: str, *, create: bool = False, durable: bool = True) -> None:
        try:
            given = {name: value for name, value in conninfo_to_dict(url).items() if isinstance(value, str | int)}
        except psycopg.Error as error:
            raise RedressError(f"a store in PostgreSQL: want postgresql://HOST/DATABASE, got {_first(error)}") from None
        self.info = make_conninfo("", **(PATIENCE | given))
        self.where = "postgresql://{host}/{dbname}".format_map({"host": "", "dbname": ""} | given)
        self._setting, self._process, self._closed = DURABLE if durable else QUICK, os.getpid(), False
        self._idle: list[Line] = []
        line = self._connected()
        try:
            if create:
                line.execute(CREATE)
            there = line.execute(EXISTS).fetchone()
        except psycopg.Error as error:
            line.close()
            raise self.told(error) from error
        if there != (True,):
            line.close()
            raise RedressError(f"{self.where}: want a store, got no table redress_keys; load a ledger into it")
        self.ended(line)

    def reading(self) -> "_View":
        """What stands from the first call to the end of the `with`."""
        return _View(self)

    def writing(self) -> "_Writes":
        """One writer at a time on all machines: commits at the end of the `with`, or leaves nothing on an exception."""
        return _Writes(self)

    def sync(self) -> None:
        """Flushes to disk what was committed: the log is written in order, so a durable commit takes all before along."""
        with _Writes(self) as flushing:
            flushing.flush()

    def close(self) -> None:
        """Closes the connections that nobody uses; those in use close when they are given back."""
        self._closed = True
        if self._process == os.getpid():
            self._forget()

    def begun(self, begin: str, query: str, *asked: object) -> tuple[Line, Rows]:
        """A connection on which a transaction began, and what its first query found; one round trip."""
        if self._closed:
            raise RedressError(f"{self.where}: want an open store, got one that was closed; open it again")
        if self._process != os.getpid():
            raise RedressError(f"{self.where}: {FORKED}")
        if self._idle:
            line = self._idle.pop()
            try:
                _settled(line)
                return line, _started(line, begin, query, asked)
            except psycopg.OperationalError:  # lost while nobody used it, and so are the others
                line.close()
                self._forget()
        line = self._connected()
        try:
            return line, _started(line, begin, query, asked)
        except psycopg.Error as error:
            line.close()
            raise self.told(error) from error

    def ended(self, line: Line) -> None:
        """Takes a connection back, or closes it where it is of no more use."""
        if line.closed or self._closed or len(self._idle) >= IDLE:
            line.close()
        else:
            self._idle.append(line)

    def told(self, error: psycopg.Error) -> RedressError:
        """An error of PostgreSQL as a sentence."""
        if isinstance(error, psycopg.errors.DiskFull):
            return RedressError(
                f"{self.where}: want room for what is written, got a full disk; free some, then write again"
            )
        if isinstance(error, psycopg.OperationalError):
            return RedressError(f"{self.where}: want a server that answers, got {_first(error)}; see whether it runs")
        return RedressError(f"{self.where}: want a store that can be used, got {_first(error)}; look at the database")

    def _forget(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _connected(self) -> Line:
        try:
            line = psycopg.connect(self.info, autocommit=True)
            line.execute(self._setting)
        except psycopg.Error as error:
            raise self.told(error) from error
        return line


class _View:
    """A transaction that begins with its first call; errors of PostgreSQL leave it as sentences."""

    def __init__(self, keys: Postgres) -> None:
        self._keys = keys
        self._line: Line | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._line is not None:
            _sent(self._line)
            self._keys.ended(self._line)
        if isinstance(error, psycopg.Error):
            raise self._keys.told(error) from error

    def many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, None where there is none."""
        return [_bytes(value) for (value,) in self._asked(MANY, list(keys))] if keys else []

    def below(self, edges: Sequence[tuple[bytes, bytes]]) -> list[Entry | None]:
        """For each (prefix, edge) the last entry whose key begins so and is strictly below: a descent for each edge."""
        if not edges:
            return []
        above = [min(edge, end(prefix)) for prefix, edge in edges]
        rows = self._asked(BELOW, [prefix for prefix, _ in edges], above)
        return [None if key is None else _entry(key, value) for key, value in rows]

    def span(self, lo: bytes, hi: bytes) -> Iterator[Entry]:
        """All entries with lo <= key < hi in order, read some at a time, so that writes on the way do not disturb it."""
        while some := [_entry(*row) for row in self._asked(SPAN, lo, hi, TOGETHER)]:
            yield from some
            if len(some) < TOGETHER:
                return
            lo = some[-1][0] + b"\0"

    def _asked(self, query: str, *asked: object) -> Rows:
        if self._line is not None:
            return _found(self._line, query, asked).fetchall()
        self._line, rows = self._keys.begun(READING, query, *asked)
        return rows


class _Writes(_View):
    """A transaction that writes, which waits at its start until no other does."""

    def __enter__(self) -> Self:
        self._me = get_ident(), self._keys.info
        if self._me in _WRITERS:
            raise RedressError(f"{self._keys.where}: want one batch at a time, got a second within it; end the first")
        self._line, _ = self._keys.begun(WRITING, ALONE)
        _WRITERS.add(self._me)
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _WRITERS.discard(self._me)
        line, self._line = self._line, None
        assert line is not None
        try:
            line.execute("commit" if error is None else "rollback")
        except psycopg.Error as fault:
            line.close()
            if error is None:
                raise self._keys.told(fault) from fault
        self._keys.ended(line)
        if isinstance(error, psycopg.Error):
            raise self._keys.told(error) from error

    def put(self, entries: Iterable[Entry]) -> None:
        """Writes entries over what stood under their keys, some at a time."""
        for some in portions(entries):
            self._told(PUT, [key for key, _ in some], [value for _, value in some])

    def delete(self, keys: Iterable[bytes]) -> None:
        """Takes keys away; those that are not there are no fault."""
        left = iter(keys)
        while some := list(islice(left, TOGETHER)):
            self._told(DELETE, some)

    def flush(self) -> None:
        """Makes the commit of this batch wait for the disk."""
        self._told(FLUSH)

    def _told(self, order: str, *given: object) -> None:
        assert self._line is not None
        _found(self._line, order, given)


def _started(line: Line, begin: str, query: str, asked: tuple[object, ...]) -> Rows:
    """Begins a transaction and asks its first query, both in one round trip."""
    with line.pipeline():
        line.execute(begin)
        cursor = _found(line, query, asked)
    return cursor.fetchall()


def _found(line: Line, query: str, asked: tuple[object, ...]) -> psycopg.Cursor[tuple[object, ...]]:
    return line.cursor(binary=True).execute(query, asked, prepare=True)


def _sent(line: Line) -> None:
    """Sends a commit without waiting for its answer, which the next user of the connection takes."""
    if not line.closed:
        line.pgconn.send_query(b"commit")
        line.pgconn.flush()


def _settled(line: Line) -> None:
    """Takes the answer to a commit that was only sent, and what a server that is gone said last."""
    heard = poll()
    heard.register(line.pgconn.socket, POLLIN)
    while heard.poll(None if line.pgconn.is_busy() else 0):
        line.pgconn.consume_input()
    while line.pgconn.get_result() is not None:
        pass


def _bytes(value: object) -> bytes | None:
    assert value is None or isinstance(value, bytes)
    return value


def _entry(key: object, value: object) -> Entry:
    assert isinstance(key, bytes)
    assert isinstance(value, bytes)
    return key, value


def _first(error: Exception) -> str:
    """The first line of what PostgreSQL says."""
    return (str(error).splitlines() or [type(error).__name__])[0]
