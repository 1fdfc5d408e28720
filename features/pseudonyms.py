"""Pseudonyms: ids of persons replaced by a keyed hash before a store sees them; one key always gives the same.

Which ids these are is read off the declarations: all but those by which the platform names cases and things, which are the
keys of tables and what points to them. They are left as they came, so answers, records and later facts name cases in the
caller's own words, and lead to a person by the platform's own books alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final

import pyarrow as pa

from features.columns import ARROW, encode
from features.errors import RedressError
from features.homes import Value
from features.ledger import Ledger
from features.receiving import Submitted
from features.tables import TABLES

LEAST: Final = 32
"""Bytes that a key must have at least: what is shorter can be tried out."""
ERASED: Final = "erased-"
"""What a name begins with that was given to someone who was erased, and that no key changes."""
_PARTIES: Final = tuple(TABLES[name].key[0] for name in ("buyers", "sellers"))
_CASES: Final = {
    *(table.key[0] for table in TABLES.values()),
    *(column for table in TABLES.values() for column, _ in table.references),
} - set(_PARTIES)
PERSONAL: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(c.name for c in table.columns if c.kind == "id" and c.name not in _CASES)
    for name, table in TABLES.items()
}
"""The columns of each table that hold ids of persons, of what they use and of what they show."""
Name = Callable[[str, str], str]
"""Gives the new name of an id in a column."""


@dataclass(frozen=True, repr=False)
class Key:
    """A secret, and the names that it gives.

    >>> key = Key(bytes(32))
    >>> name = key.name("buyer_id", "b1")
    >>> len(name), name == key.name("device_id", "b1"), key.name("buyer_id", name) == name
    (41, False, True)
    """

    secret: bytes

    @classmethod
    def read(cls, path: str | Path) -> "Key":
        """The key that a file's bytes are; RedressError for one that is too short or cannot be read."""
        try:
            found = Path(path).read_bytes()
        except OSError as error:
            raise RedressError(f"{path}: want a readable file with a key, got {error.strerror}; name another") from None
        if len(found) < LEAST:
            raise RedressError(f"{path}: want a key of at least {LEAST} random bytes, got {len(found)}; make one")
        return cls(found)

    @cached_property
    def _short(self) -> bytes:
        return blake2b(self.secret, person=b"redress-key").digest()

    @cached_property
    def mark(self) -> str:
        """What names of this key begin with, which tells one key from another and nothing of either."""
        return blake2b(b"mark", key=self._short, digest_size=4).hexdigest()

    def name(self, column: str, name: str) -> str:
        """The pseudonym of an id in a column; one that was given before stays, so that what was exported can come back."""
        if name.startswith((f"{self.mark}-", ERASED)):
            return name
        return f"{self.mark}-{hashed(self._short, column, name)}"

    def submitted(self, told: Sequence[Submitted]) -> list[Submitted]:
        """Facts at the door with pseudonyms in place of ids."""
        return [replace(one, values=renamed(one.table, one.values, self.name)) for one in told]

    def ledger(self, found: Ledger) -> Ledger:
        """A ledger's good rows with pseudonyms in place of ids."""
        tables = {
            name: pa.table(
                {
                    c.name: self._column(c.name, of.column(c.name)) if c.name in PERSONAL[name] else of.column(c.name)
                    for c in of.table.columns
                    if of.has(c.name)
                }
            )
            for name, of in found.facts.items()
        }
        return Ledger.good(tables)

    def _column(self, column: str, found: pa.ChunkedArray) -> pa.ChunkedArray:
        codes = encode(found)
        names = pa.array([self.name(column, str(one)) for one in codes.values.to_pylist()], ARROW["id"])
        return pa.chunked_array([names.take(pa.array(codes.codes, mask=codes.codes < 0))])


def hashed(secret: bytes, column: str, name: str) -> str:
    """The hash of an id in a column under a secret of 64 bytes at most, as 32 hex digits."""
    return blake2b(f"{column}:{name}".encode("utf-8", "surrogatepass"), key=secret, digest_size=16).hexdigest()


def renamed(table: str, values: tuple[Value, ...], name: Name) -> tuple[Value, ...]:
    """The columns of a fact with new names for ids of persons.

    >>> renamed("buyers", ("b1", 5, "de", None), lambda column, name: f"{column} {name}")
    ('buyer_id b1', 5, 'de', None)
    """
    columns = TABLES[table].columns
    return tuple(
        name(column.name, value) if isinstance(value, str) and column.name in PERSONAL[table] else value
        for column, value in zip(columns, values, strict=True)
    )


def judged(key: Key | None, mark: str, where: str) -> Key | None:
    """The key that facts come in by; RedressError unless it is that of the store, whose mark is empty if it has none."""
    if (key.mark if key else "") != mark:
        want = "the key that its ids of persons are hashed by" if mark else "no key, as its ids are not hashed"
        raise RedressError(
            f"{where}: want {want}, got {'another' if key and mark else 'one' if key else 'none'}; give that of its loading"
        )
    return key


def known_as(key: Key | None, column: str, name: str) -> str:
    """The name that a store knows an id by."""
    return name if key is None else key.name(column, name)
