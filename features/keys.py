"""Ordered keys with values, all bytes: what the online store is built on, and the one place that opens them.

Two doors have the same law: LMDB in a directory of one machine (`features.embedded`), and a table of PostgreSQL for several
machines (`features.postgres`). Keys have 1 to 511 bytes and are ordered byte by byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from features.errors import RedressError

Entry = tuple[bytes, bytes]
"""A key and its value."""
LONGEST: Final = 511
"""Bytes of the longest key."""
TOGETHER: Final = 4096
"""Entries that are written, or read in order, at a time."""

FORKED: Final = "want a store that this process opened, got its parent's; fork first, then open it"
"""What a child hears that goes on with what its parent opened: locks and connections are not inherited."""


class Snapshot(Protocol):
    """What stood at one moment, whatever others write meanwhile."""

    def many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, None where there is none; one round trip for all."""

    def below(self, edges: Sequence[tuple[bytes, bytes]]) -> list[Entry | None]:
        """For each (prefix, edge) the last entry whose key begins so and is strictly below; one round trip for all."""

    def span(self, lo: bytes, hi: bytes) -> Iterator[Entry]:
        """All entries with lo <= key < hi in order; what is deleted on the way does not disturb it."""


class Batch(Snapshot, Protocol):
    """Writes that stand together or not at all; its reads see them before anyone else does."""

    def put(self, entries: Iterable[Entry]) -> None:
        """Writes entries over what stood under their keys, the last of equal keys; fastest in order."""

    def delete(self, keys: Iterable[bytes]) -> None:
        """Takes keys away; those that are not there are no fault."""


class Keys(Protocol):
    """An open door. Threads may share it; processes open their own, each after its fork."""

    @property
    def where(self) -> str:
        """Where it leads to, as errors tell it: without a password."""

    def reading(self) -> AbstractContextManager[Snapshot]:
        """What stands at the first call at the latest, to the end of the `with`."""

    def writing(self) -> AbstractContextManager[Batch]:
        """One writer at a time, on all machines: commits at the end of the `with`, or leaves nothing on an exception."""

    def sync(self) -> None:
        """Flushes to disk what was committed through a door that is not durable."""

    def close(self) -> None:
        """Gives back what it holds; it may be called again."""


def opened(where: str | Path, *, create: bool = False, durable: bool = True) -> Keys:
    """The keys at a directory or a postgresql:// address; RedressError where nothing is, unless it is to be created.

    A commit is on disk when `writing` returns. Not durable, it takes microseconds and outlives a killed process, but not a
    power cut before the next `sync`.
    """
    if str(where).startswith(("postgresql://", "postgres://")):
        try:
            from features.postgres import Postgres
        except ImportError:
            raise RedressError(
                "a store in PostgreSQL: want psycopg, which is not installed; pip install 'redress[postgres]'"
            ) from None
        return Postgres(str(where), create=create, durable=durable)
    from features.embedded import Embedded

    return Embedded(Path(where), create=create, durable=durable)


def end(prefix: bytes) -> bytes:
    """What is above all keys that begin with a prefix and not above any other that is above them.

    >>> end(b"ab"), end(b"a" + bytes([255]))
    (b'ac', b'b')
    >>> end(bytes([255])) > bytes([255]) * LONGEST
    True
    """
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b"\xff" * (LONGEST + 1)


def portions(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries to write, some at a time, each in order and with the last of equal keys; RedressError for a key too long.

    >>> list(portions([(b"b", b"1"), (b"a", b"2"), (b"b", b"3")]))
    [[(b'a', b'2'), (b'b', b'3')]]
    """
    left = iter(entries)
    while some := sorted(dict(islice(left, TOGETHER)).items()):
        for key, _ in some:
            if not 1 <= len(key) <= LONGEST:
                raise RedressError(
                    f"a key of the store: want 1 to {LONGEST} bytes, got {len(key)}; shorten the id in it"
                )
        yield some
