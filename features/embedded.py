"""Ordered keys in a directory of this machine: LMDB, a memory-mapped B-tree that several processes read while one writes.

A read copies nothing but the values asked for and waits for nobody. A directory is opened once in a process, however many
handles it has there, for LMDB's locks belong to a process and a file; so a process forks before it opens, not after.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from errno import EDQUOT, EFBIG, EIO, ENOSPC
from itertools import islice
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

import lmdb

from features.errors import RedressError
from features.keys import FORKED, TOGETHER, Entry, end, portions

ROOM: Final = 1 << 40
"""Bytes of address space that a store may grow to; the file is only as large as what was written."""
READERS: Final = 2048
"""Snapshots of all processes at a time."""
FULL: Final = {ENOSPC, EDQUOT, EFBIG, EIO}
"""What a system says when a file cannot grow; EIO is LMDB's word for a write that was cut short."""


@dataclass
class _Shared:
    """An environment of LMDB, and how many handles of the process that opened it use it."""

    env: lmdb.Environment
    durable: bool
    name: tuple[int, int, int]
    handles: int = 0


_OPEN: Final[dict[tuple[int, int, int], _Shared]] = {}
_OPENING: Final = Lock()


class Embedded:
    """The keys in a directory; see `features.keys.Keys`."""

    def __init__(self, where: Path, *, create: bool = False, durable: bool = True, room: int = ROOM) -> None:
        self._where, self.where = where, str(where)
        if not create and not (where / "data.mdb").is_file():
            raise RedressError(
                f"{where}: want a store, got no data.mdb; load a ledger into one, or name another directory"
            )
        try:
            where.mkdir(parents=True, exist_ok=True)
            self._shared: _Shared | None = _acquired(where, durable, room)
        except OSError as error:
            raise RedressError(f"{where}: want a directory for the store, got {error}; name another one") from error
        except lmdb.Error as error:
            raise _told(where, error) from error

    def reading(self) -> "_View":
        """What stands from here to the end of the `with`."""
        return _View(self._where, self._env(), write=False)

    def writing(self) -> "_Writes":
        """One writer at a time in all processes: commits at the end of the `with`, or leaves nothing on an exception."""
        env = self._env()
        env.reader_check()  # a killed reader would keep old pages from being used again
        return _Writes(self._where, env, write=True)

    def sync(self) -> None:
        """Flushes to disk what was committed."""
        try:
            self._env().sync(True)
        except lmdb.Error as error:
            raise _told(self._where, error) from error

    def close(self) -> None:
        """Closes the environment with its last handle."""
        shared, self._shared = self._shared, None
        if shared is not None and shared.name[0] == os.getpid():
            _release(shared)

    def _env(self) -> lmdb.Environment:
        """The environment, in the process that opened it."""
        if self._shared is None:
            raise RedressError(f"{self._where}: want an open store, got one that was closed; open it again")
        if self._shared.name[0] != os.getpid():
            raise RedressError(f"{self._where}: {FORKED}")
        return self._shared.env


class _View:
    """A transaction and its one cursor; errors of LMDB leave it as sentences."""

    __slots__ = ("_cursor", "_env", "_txn", "_where", "_write")

    def __init__(self, where: Path, env: lmdb.Environment, *, write: bool) -> None:
        self._where, self._env, self._write = where, env, write

    def __enter__(self) -> Self:
        try:
            self._txn = self._env.begin(write=self._write)
        except lmdb.Error as error:
            raise _told(self._where, error) from error
        self._cursor = self._txn.cursor()
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._txn.commit()
            else:
                self._txn.abort()
        except lmdb.Error as fault:
            raise _told(self._where, fault) from fault
        if isinstance(error, lmdb.Error):
            raise _told(self._where, error) from error

    def many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, None where there is none."""
        return [self._txn.get(key) for key in keys]

    def below(self, edges: Sequence[tuple[bytes, bytes]]) -> list[Entry | None]:
        """For each (prefix, edge) the last entry whose key begins so and is strictly below: a seek and a step back."""
        seek, back, last, item = self._cursor.set_range, self._cursor.prev, self._cursor.last, self._cursor.item
        found: list[Entry | None] = []
        for prefix, edge in edges:
            entry = item() if (back() if seek(edge) else last()) else None
            if entry and not entry[0].startswith(prefix):  # nothing of it, unless the edge is beyond all that begin so
                entry = self.below([(prefix, end(prefix))])[0] if entry[0] > prefix else None
            found.append(entry)
        return found

    def span(self, lo: bytes, hi: bytes) -> Iterator[Entry]:
        """All entries with lo <= key < hi in order, read some at a time, so that writes on the way do not disturb it."""
        while self._cursor.set_range(lo):
            some = list[Entry]()
            for entry in islice(self._cursor.iternext(), TOGETHER):
                if entry[0] >= hi:
                    break
                some.append(entry)
            yield from some
            if len(some) < TOGETHER:
                return
            lo = some[-1][0] + b"\0"


class _Writes(_View):
    """A transaction that writes."""

    __slots__ = ()

    def put(self, entries: Iterable[Entry]) -> None:
        """Writes entries over what stood under their keys; those after the last key are appended, which fills pages."""
        for some in portions(entries):
            after = not self._cursor.last() or self._cursor.key() < some[0][0]
            self._cursor.putmulti(some, append=after)

    def delete(self, keys: Iterable[bytes]) -> None:
        """Takes keys away; those that are not there are no fault."""
        for key in keys:
            self._txn.delete(key)


def _acquired(where: Path, durable: bool, room: int) -> _Shared:
    """The environment of a directory in this process, opened where no handle has it yet."""
    with _OPENING:
        name = _name(where)
        shared = _OPEN.get(name) if name else None
        if shared is None:
            env = lmdb.open(
                str(where),
                map_size=room,
                sync=durable,
                readahead=False,
                max_readers=READERS,
                max_spare_txns=1,
            )
            env.reader_check()
            name = _name(where)
            assert name is not None
            shared = _OPEN[name] = _Shared(env, durable, name)
        if shared.durable != durable:
            raise RedressError(f"{where}: want it durable or not, got both in one process; use two directories")
        shared.handles += 1
        return shared


def _release(shared: _Shared) -> None:
    with _OPENING:
        shared.handles -= 1
        if not shared.handles:
            del _OPEN[shared.name]
            shared.env.close()


def _name(where: Path) -> tuple[int, int, int] | None:
    """A process and a file, which is what LMDB's locks belong to; None where there is no file yet."""
    try:
        found = (where / "data.mdb").stat()
    except FileNotFoundError:
        return None
    return os.getpid(), found.st_dev, found.st_ino


def _told(where: Path, error: lmdb.Error) -> RedressError:
    """An error of LMDB as a sentence."""
    if isinstance(error, lmdb.MapFullError):
        return RedressError(
            f"{where}: want room for what is written, got a full store; erase some or open it with more room"
        )
    if isinstance(error, lmdb.DiskError) or error.code in FULL:
        return RedressError(
            f"{where}: want room for what is written, got a full disk ({error}); free some, then write again"
        )
    if isinstance(error, lmdb.InvalidError | lmdb.VersionMismatchError | lmdb.CorruptedError):
        return RedressError(f"{where}: want a store, got something else ({error}); name another directory")
    return RedressError(f"{where}: want a store that can be used, got {error}; look at the directory and its disk")
