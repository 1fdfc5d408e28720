"""Ordered keys in a table of PostgreSQL, for several machines: the same law as in a directory, a round trip for each call.

The first call of a snapshot takes its `begin` along, that of a batch its lock too, and a write goes with what comes after
it. Nobody waits for the `commit` that ends a snapshot. A connection that was lost is opened anew once, where nothing was read
or written yet.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from threading import get_ident
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGresult

from features.errors import RedressError
from features.keys import FORKED, TOGETHER, Entry, end, portions
from features.wire import ALONE, BELOW, COMMIT, DELETE, FLUSH, MANY, PUT, READING, ROLLBACK, SPAN, WRITING, Line, Order

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
DURABLE: Final = (
    "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
)
QUICK: Final = "set synchronous_commit = off"

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
        self.ended(self._connected(create=create))

    def reading(self) -> "_View":
        """What stands from the first call to the end of the `with`."""
        return _View(self, READING)

    def writing(self) -> "_Writes":
        """One writer at a time on all machines: commits at the end of the `with`, or leaves nothing on an exception."""
        return _Writes(self, WRITING, ALONE)

    def sync(self) -> None:
        """Flushes to disk what was committed: the log is written in order, so a durable commit takes all before along."""
        with self.writing() as flushing:
            flushing.flush()

    def close(self) -> None:
        """Closes the connections that nobody uses; those in use close when they are given back."""
        self._closed = True
        if self._process == os.getpid():
            self._forget()

    def usable(self) -> None:
        """RedressError where it was closed, or another process opened it."""
        if self._closed:
            raise RedressError(f"{self.where}: want an open store, got one that was closed; open it again")
        if self._process != os.getpid():
            raise RedressError(f"{self.where}: {FORKED}")

    def begun(self, orders: Sequence[Order]) -> tuple[Line, list[PGresult]]:
        """A connection on which a transaction began, and what its first queries found; one round trip."""
        self.usable()
        if (line := self._spare()) is not None:
            with suppress(psycopg.Error):
                return line, line.ask(*orders)
            self._forget()  # it was lost while nobody used it, and so are the others
        line = self._connected()
        try:
            return line, line.ask(*orders)
        except psycopg.Error as error:
            raise self.told(error) from error

    def ended(self, line: Line) -> None:
        """Takes a connection back, or closes it where it is of no more use."""
        if self._closed or line.closed or len(self._idle) >= IDLE:
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

    def _spare(self) -> Line | None:
        """A connection that nobody uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _forget(self) -> None:
        while (line := self._spare()) is not None:
            line.close()

    def _connected(self, *, create: bool = False) -> Line:
        """A new connection; RedressError where there is no store, unless it is to be created."""
        try:
            made = psycopg.connect(self.info, autocommit=True)
            try:
                made.execute(self._setting)
                if create:
                    made.execute(CREATE)
                if made.execute(EXISTS).fetchone() == (True,):
                    return Line(made)
            except psycopg.Error:
                made.close()
                raise
        except psycopg.Error as error:
            raise self.told(error) from error
        made.close()
        raise RedressError(f"{self.where}: want a store, got no table redress_keys; load a ledger into it")


class _View:
    """A transaction that begins with its first call; errors of PostgreSQL leave it as sentences."""

    def __init__(self, keys: Postgres, *unsent: str) -> None:
        self._keys = keys
        self._line: Line | None = None
        self._unsent: list[Order] = [(query,) for query in unsent]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end(error)
        if isinstance(error, psycopg.Error):
            raise self._keys.told(error) from error

    def _end(self, _: BaseException | None) -> None:
        """Sends a commit without waiting for its answer, which the next user of the connection takes."""
        if self._line is not None:
            with suppress(psycopg.Error):
                self._line.send((COMMIT,))
            self._keys.ended(self._line)

    def many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, None where there is none."""
        if not keys:
            return []
        found = self._asked(MANY, keys)
        return [found.get_value(i, 0) for i in range(found.ntuples)]

    def below(self, edges: Sequence[tuple[bytes, bytes]]) -> list[Entry | None]:
        """For each (prefix, edge) the last entry whose key begins so and is strictly below: a descent for each edge."""
        if not edges:
            return []
        above = [min(edge, end(prefix)) for prefix, edge in edges]
        return _entries(self._asked(BELOW, [prefix for prefix, _ in edges], above))

    def span(self, lo: bytes, hi: bytes) -> Iterator[Entry]:
        """All entries with lo <= key < hi in order, read some at a time, so that writes on the way do not disturb it."""
        while some := [one for one in _entries(self._asked(SPAN, lo, hi, TOGETHER)) if one is not None]:
            yield from some
            if len(some) < TOGETHER:
                return
            lo = some[-1][0] + b"\0"

    def _asked(self, *order: *Order) -> PGresult:
        """What a query finds, after those that were not sent yet."""
        return self._send(order)[-1]

    def _send(self, *more: Order) -> list[PGresult]:
        orders, self._unsent = [*self._unsent, *more], []
        if self._line is not None:
            return self._line.ask(*orders)
        self._line, found = self._keys.begun(orders)
        return found


class _Writes(_View):
    """A transaction that writes, which waits before its first call until no other does."""

    def __enter__(self) -> Self:
        self._keys.usable()
        self._me = get_ident(), self._keys.info
        if self._me in _WRITERS:
            raise RedressError(f"{self._keys.where}: want one batch at a time, got a second within it; end the first")
        _WRITERS.add(self._me)
        return self

    def _end(self, error: BaseException | None) -> None:
        """Commits what was written, and waits until it stands."""
        _WRITERS.discard(self._me)
        try:
            if error is None and self._line is None and self._writes():
                self._send()
            if self._line is not None:
                self._send((COMMIT,)) if error is None else self._line.ask((ROLLBACK,))
        except psycopg.Error as fault:
            if error is None:
                raise self._keys.told(fault) from fault
        finally:
            if self._line is not None:
                self._keys.ended(self._line)

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

    def _told(self, *order: *Order) -> None:
        """Takes a write, which is sent with what comes after it."""
        if self._writes():
            self._send()
        self._unsent.append(order)

    def _writes(self) -> bool:
        """Whether there are writes that were not sent."""
        return bool(self._unsent) and self._unsent[-1][0] != ALONE


def _entries(found: PGresult) -> list[Entry | None]:
    """Rows of a key and a value."""
    value = found.get_value
    pairs = ((value(i, 0), value(i, 1)) for i in range(found.ntuples))
    return [None if key is None or kept is None else (key, kept) for key, kept in pairs]


def _first(error: Exception) -> str:
    """The first line of what PostgreSQL says."""
    return (str(error).splitlines() or [type(error).__name__])[0]
