"""The ledger read, checked and put in time order: what every command starts from."""

import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from features.columns import ARROW, Codes, Held, Source, encode, numbers
from features.errors import LedgerError
from features.kernel import Flag, Int
from features.rows import Bad, Parent, judge_keys, judge_references, judge_values
from features.tables import CASES, TABLES, Table

POINTED: Final = {target for table in TABLES.values() for _, target in table.references} | set(CASES.values())
"""Tables that rows of others point to."""


def _files(folder: Path, name: str) -> list[str]:
    """The Parquet files of a table: `NAME.parquet` or all in `NAME/`."""
    single = folder / f"{name}.parquet"
    return [str(single)] if single.is_file() else sorted(str(p) for p in (folder / name).glob("*.parquet"))


def _dataset(file: str) -> ds.Dataset:
    try:
        return ds.dataset(file, format="parquet")
    except (pa.ArrowInvalid, OSError) as error:
        raise LedgerError(f"{file}: want readable Parquet, got {str(error).splitlines()[0]}; write it again") from None


def _digest(part: ds.Dataset, update: Callable[[bytes], None]) -> None:
    if isinstance(part, ds.FileSystemDataset):
        for path in part.files:
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    update(block)
        return
    sink = pa.BufferOutputStream()
    pq.write_table(part.to_table(), sink)
    update(sink.getvalue().to_pybytes())


def _quiet(_: object) -> None:
    """Hears and says nothing."""


class Facts:
    """The good rows of one table in time order; a column is read when it is first asked for, ids as codes, and kept."""

    def __init__(self, source: Source, rows: Int, at: Int, points: Mapping[str, Int]) -> None:
        self.table, self.at, self.points = source.table, at, points
        self._source, self._rows = source, rows
        self._codes: dict[str, Codes] = {}
        self._numbers: dict[str, tuple[Int, Flag]] = {}

    def __len__(self) -> int:
        return int(self.at.size)

    def has(self, column: str) -> bool:
        """Whether the table came with the column and its type, even if every value in it is unknown."""
        return self._source.typed(column)

    def codes(self, column: str) -> Codes:
        """An id or word column as codes."""
        if column not in self._codes:
            found = encode(self._source.column(column))
            self._codes[column] = Codes(found.codes[self._rows], found.values)
        return self._codes[column]

    def strings(self, column: str) -> pa.Array:
        """An id or word column as strings."""
        return self.column(column).combine_chunks()

    def column(self, name: str) -> pa.ChunkedArray:
        """A column in its declared type."""
        return self._source.column(name).take(pa.array(self._rows))

    def numbers(self, column: str) -> tuple[Int, Flag]:
        """A number, time or flag column as int64, 0 where unknown, and where it is known."""
        if column not in self._numbers:
            found, known = numbers(self._source.column(column))
            self._numbers[column] = found[self._rows], known[self._rows]
        return self._numbers[column]


class Ledger:
    """A platform's facts, checked: `facts` and `bad` by table, and `warnings` about what was left out.

    Made from Parquet by `Ledger.open(path)` or from Arrow tables by `Ledger.of(tables)`; raises LedgerError when a table
    cannot be used at all. Times are int64 microseconds since 1970 UTC.
    """

    def __init__(
        self,
        tables: Mapping[str, Sequence[ds.Dataset]],
        name: str = "ledger",
        said: Callable[[str], object] = _quiet,
        seen: Callable[[int], object] = _quiet,
    ) -> None:
        self._begin(name)
        if "orders" not in tables:
            raise LedgerError(f"{name}: want a table orders, got {', '.join(tables) or 'none'}; import or write one")
        for table in TABLES.values():
            if table.name in tables:
                said(f"checking {table.name}")
                source = Source(table, tables[table.name])
                if table.name == "orders" and not source.rows:
                    raise LedgerError(
                        f"{name}: want at least one order, got a table orders without rows; import or write some"
                    )
                self._take(source, seen)

    def _begin(self, name: str) -> None:
        self.name, self.sources = name, dict[str, Source]()
        self.facts: dict[str, Facts] = {}
        self.bad: dict[str, Bad] = {}
        self.warnings: list[str] = []
        self._parents: dict[str, Parent] = {}

    @classmethod
    def open(
        cls, path: str | Path, said: Callable[[str], object] = _quiet, seen: Callable[[int], object] = _quiet
    ) -> "Ledger":
        """Reads and checks the ledger in a directory of `NAME.parquet` files or `NAME/` folders of them.

        `said` hears one line a table, `seen` how many more rows have been read.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise LedgerError(
                f"{path}: want a directory of Parquet tables, got {'a file' if folder.exists() else 'nothing'} there"
            )
        tables = {name: [_dataset(file) for file in files] for name in TABLES if (files := _files(folder, name))}
        ledger = cls(tables, str(path), said, seen)
        strange = [p.stem for p in sorted(folder.glob("*.parquet")) if p.stem not in TABLES]
        ledger.warnings += [f"{stem}.parquet is no table of a ledger; left out" for stem in strange]
        return ledger

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table]) -> "Ledger":
        """Checks a ledger that is in memory."""
        return cls({name: [ds.InMemoryDataset(table)] for name, table in tables.items()})

    @classmethod
    def trusted(cls, tables: Mapping[str, pa.Table], lacks: Collection[str] = ()) -> "Ledger":
        """A ledger of rows that were checked before, each table's in time order.

        Tables that are not there are empty, but for those that it `lacks`.
        """
        made = cls.__new__(cls)
        made._begin("ledger")
        for table in TABLES.values():
            if table.name in tables:
                made._trust(table, tables[table.name])
            elif table.name not in lacks:
                made._add(*_nothing(table))
        return made

    @classmethod
    def good(cls, tables: Mapping[str, pa.Table], name: str = "ledger") -> "Ledger":
        """The same, which lacks those that are not there."""
        made = cls.__new__(cls)
        made._begin(name)
        for table in TABLES.values():
            if table.name in tables:
                made._trust(table, tables[table.name])
        return made

    def whole(self) -> "Ledger":
        """The same ledger with every table, those that it lacks empty."""
        made = Ledger.__new__(Ledger)
        made._begin(self.name)
        made._parents |= self._parents
        for table in TABLES.values():
            if table.name in self.facts:
                made.sources[table.name], made.facts[table.name] = self.sources[table.name], self.facts[table.name]
            else:
                made._add(*_nothing(table))
        return made

    @property
    def last_at(self) -> int:
        """The last `at` of all good facts, 0 if there are none."""
        return max((int(facts.at[-1]) for facts in self.facts.values() if len(facts)), default=0)

    def fingerprint(self) -> str:
        """A hash of the tables as they came, file by file."""
        digest = hashlib.blake2b(digest_size=16)
        for name, source in self.sources.items():
            digest.update(name.encode())
            for part in source.parts:
                _digest(part, digest.update)
        return digest.hexdigest()

    def quarantine(self) -> dict[str, Path]:
        """Writes the bad rows of each table to `quarantine/` in the ledger's directory, anew, with a last column `reason`.

        In a table that has a reason of its own it is called `quarantine_reason`.
        """
        folder = Path(self.name) / "quarantine"
        shutil.rmtree(folder, ignore_errors=True)
        written = {}
        for name, bad in self.bad.items():
            reasons = bad.reasons()
            if len(reasons):
                folder.mkdir(exist_ok=True)
                rows = self.sources[name].take(reasons.index.to_numpy())
                why = "reason" if "reason" not in rows.column_names else "quarantine_reason"
                written[name] = folder / f"{name}.parquet"
                pq.write_table(rows.append_column(why, pa.array(reasons, pa.string())), written[name])
        return written

    def _take(self, source: Source, seen: Callable[[int], object]) -> None:
        name = source.table.name
        at = numbers(source.column("at"))[0]
        bad = Bad(at.size)
        judge_values(source, bad, seen)
        points = judge_references(source, at, self._parents, bad)
        judge_keys(source, at, bad)
        rows = bad.good()
        if np.any(np.diff(at[rows]) < 0):
            rows = rows[np.argsort(at[rows], kind="stable")]
        self._add(Facts(source, rows, at[rows], {target: row[rows] for target, row in points.items()}), source)
        self.bad[name] = bad
        self.warnings += [
            f"{name}.{c} is no column of a ledger; left out" for c in source.names if not source.table.column(c)
        ]

    def _trust(self, table: Table, rows: pa.Table) -> None:
        source = Held(table, rows)
        at = numbers(source.column("at"))[0]
        points = judge_references(source, at, self._parents, Bad(at.size))
        self._add(Facts(source, np.arange(at.size), at, points), source)

    def _add(self, facts: Facts, source: Source) -> None:
        name = source.table.name
        self.sources[name], self.facts[name] = source, facts
        if name in POINTED:
            self._parents[name] = facts.strings(source.table.key[0]), facts.at


@cache
def _nothing(table: Table) -> tuple[Facts, Source]:
    """A table without rows that has all its columns."""
    source = Held(table, pa.schema([(column.name, ARROW[column.kind]) for column in table.columns]).empty_table())
    none = np.zeros(0, np.int64)
    targets = [target for _, of in table.references for target in (CASES.values() if of == "case_kind" else [of])]
    return Facts(source, none, none, dict.fromkeys(targets, none)), source
