"""The ledger read, checked and put in time order: what every command starts from."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from features.columns import Codes, encode, fits, numbers, read, type_error
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


def _dataset(files: list[str]) -> ds.Dataset:
    try:
        return ds.dataset(files, schema=pa.unify_schemas([pq.read_schema(f) for f in files]), format="parquet")
    except (pa.ArrowInvalid, OSError) as error:
        raise LedgerError(
            f"{files[0]}: want readable Parquet, got {str(error).splitlines()[0]}; write it again"
        ) from None


def _digest(data: ds.Dataset, update: Callable[[bytes], None]) -> None:
    if isinstance(data, ds.FileSystemDataset):
        for path in data.files:
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    update(block)
        return
    sink = pa.BufferOutputStream()
    pq.write_table(data.to_table(), sink)
    update(sink.getvalue().to_pybytes())


def _quiet(_: object) -> None:
    """Hears and says nothing."""


class Facts:
    """The good rows of one table in time order; a column is read when it is first asked for, ids as codes, and kept."""

    def __init__(self, table: Table, data: ds.Dataset, rows: Int, at: Int, points: Mapping[str, Int]) -> None:
        self.table, self.at, self.points = table, at, points
        self._data, self._rows = data, rows
        self._codes: dict[str, Codes] = {}
        self._numbers: dict[str, tuple[Int, Flag]] = {}

    def __len__(self) -> int:
        return int(self.at.size)

    def has(self, column: str) -> bool:
        """Whether the table came with the column, even if every value in it is unknown."""
        return column in self._data.schema.names and not pa.types.is_null(self._data.schema.field(column).type)

    def codes(self, column: str) -> Codes:
        """An id or word column as codes."""
        if column not in self._codes:
            found = encode(read(self.table, self._data, column))
            self._codes[column] = Codes(found.codes[self._rows], found.values)
        return self._codes[column]

    def strings(self, column: str) -> pa.Array:
        """An id or word column as strings."""
        return read(self.table, self._data, column).take(pa.array(self._rows)).combine_chunks()

    def numbers(self, column: str) -> tuple[Int, Flag]:
        """A number, time or flag column as int64, 0 where unknown, and where it is known."""
        if column not in self._numbers:
            found, known = numbers(read(self.table, self._data, column))
            self._numbers[column] = found[self._rows], known[self._rows]
        return self._numbers[column]


class Ledger:
    """A platform's facts, checked: `facts` and `bad` by table, and `warnings` about what was left out.

    Made from Parquet by `Ledger.open(path)` or from Arrow tables by `Ledger.of(tables)`; raises LedgerError when a table
    cannot be used at all. Times are int64 microseconds since 1970 UTC.
    """

    def __init__(
        self,
        sources: Mapping[str, ds.Dataset],
        name: str = "ledger",
        said: Callable[[str], object] = _quiet,
        seen: Callable[[int], object] = _quiet,
    ) -> None:
        self.name, self.sources = name, dict(sources)
        self.facts: dict[str, Facts] = {}
        self.bad: dict[str, Bad] = {}
        self.warnings: list[str] = []
        if "orders" not in sources:
            raise LedgerError(f"{name}: want a table orders, got {', '.join(sources) or 'none'}; import or write one")
        if not sources["orders"].count_rows():
            raise LedgerError(f"{name}: want at least one order, got a table orders without rows; import or write some")
        parents: dict[str, Parent] = {}
        for table in TABLES.values():
            if table.name in sources:
                said(f"checking {table.name}")
                self._take(table, sources[table.name], parents, seen)

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
        sources = {name: _dataset(files) for name in TABLES if (files := _files(folder, name))}
        ledger = cls(sources, str(path), said, seen)
        strange = [p.stem for p in sorted(folder.glob("*.parquet")) if p.stem not in TABLES]
        ledger.warnings += [f"{stem}.parquet is no table of a ledger; left out" for stem in strange]
        return ledger

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table]) -> "Ledger":
        """Checks a ledger that is in memory."""
        return cls({name: ds.InMemoryDataset(table) for name, table in tables.items()})

    @property
    def last_at(self) -> int:
        """The last `at` of all facts."""
        return max(int(facts.at[-1]) for facts in self.facts.values() if len(facts))

    def fingerprint(self) -> str:
        """A hash of the tables as they came, file by file."""
        digest = hashlib.blake2b(digest_size=16)
        for name, data in self.sources.items():
            digest.update(name.encode())
            _digest(data, digest.update)
        return digest.hexdigest()

    def quarantine(self) -> dict[str, Path]:
        """Writes the bad rows of each table, with their reasons, to `quarantine/` in the ledger's directory, anew."""
        folder = Path(self.name) / "quarantine"
        shutil.rmtree(folder, ignore_errors=True)
        written = {}
        for name, bad in self.bad.items():
            reasons = bad.reasons()
            if len(reasons):
                folder.mkdir(exist_ok=True)
                rows = self.sources[name].take(pa.array(reasons.index.to_numpy()))
                written[name] = folder / f"{name}.parquet"
                pq.write_table(rows.append_column("reason", pa.array(reasons, pa.string())), written[name])
        return written

    def _take(self, table: Table, data: ds.Dataset, parents: dict[str, Parent], seen: Callable[[int], object]) -> None:
        self._judge_types(table, data)
        at = numbers(read(table, data, "at"))[0]
        bad = Bad(at.size)
        judge_values(table, data, bad, seen)
        points = judge_references(table, data, at, parents, bad)
        judge_keys(table, data, at, bad)
        rows = bad.good()
        if np.any(np.diff(at[rows]) < 0):
            rows = rows[np.argsort(at[rows], kind="stable")]
        facts = Facts(table, data, rows, at[rows], {name: row[rows] for name, row in points.items()})
        self.facts[table.name], self.bad[table.name] = facts, bad
        if table.name in POINTED:
            parents[table.name] = facts.strings(table.key[0]), facts.at

    def _judge_types(self, table: Table, data: ds.Dataset) -> None:
        for column in table.columns:
            found = data.schema.field(column.name).type if column.name in data.schema.names else None
            if found is None and column.required:
                raise LedgerError(
                    f"{table.name}: want a column {column.name}, got {', '.join(data.schema.names)}; add it"
                )
            if found is not None and not fits(column.kind, found):
                raise type_error(table, column, found)
        strange = [name for name in data.schema.names if table.column(name) is None]
        self.warnings += [f"{table.name}.{name} is no column of a ledger; left out" for name in strange]
