"""Which rows of a table are bad, and why: values, then references, then keys, judged by rows no later than their own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pandera.pandas as pap
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.columns import Codes, Source, encode
from features.kernel import Flag, Int
from features.tables import CASES, LARGEST, NUMBERS, Column, Table

LATEST: Final = int(pd.Timestamp("2100-01-01", tz="UTC").value // 1000)
"""First moment after the last that `at` may hold, in microseconds since 1970."""
_BATCH: Final = 1_000_000


class Bad:
    """Bad rows of one table by position, a reason for each, and the identical copies that are collapsed into one."""

    def __init__(self, rows: int) -> None:
        self.mask: Flag = np.zeros(rows, np.bool_)
        self.copies: Flag = np.zeros(rows, np.bool_)
        self._told: list[tuple[Int, list[str]]] = []

    def __len__(self) -> int:
        return int(self.mask.sum())

    def add(self, positions: Int, reasons: str | list[str]) -> None:
        """Marks rows as bad; a row that has a reason keeps it."""
        told = [reasons] * len(positions) if isinstance(reasons, str) else reasons
        new = ~self.mask[positions]
        self._told.append((positions[new], [reason for reason, fresh in zip(told, new, strict=True) if fresh]))
        self.mask[positions] = True

    def reasons(self) -> "pd.Series[str]":
        """Reason by position, in the order of the rows."""
        positions = np.concatenate([np.zeros(0, np.int64), *(p for p, _ in self._told)])
        return pd.Series([r for _, rs in self._told for r in rs], index=positions, dtype=object).sort_index()

    def good(self) -> Int:
        """Positions of the rows that stay."""
        return np.flatnonzero(~self.mask & ~self.copies)


def _checks(column: Column) -> list[pap.Check]:
    if column.vocabulary:
        return [pap.Check.isin(column.vocabulary, error="is not in the vocabulary")]
    if column.kind == "cents":
        return [pap.Check.in_range(0, LARGEST, error=f"is negative or above {LARGEST}")]
    if column.kind in NUMBERS:
        return [pap.Check.ge(0, error="is negative")]
    if column.kind == "share":
        return [pap.Check.in_range(0, 1, error="is outside [0, 1]")]
    if column.name == "at":
        return [pap.Check.in_range(0, LATEST, include_max=False, error="is outside 1970-2100")]
    return []


def schema(table: Table) -> pap.DataFrameSchema:
    """The value rules of a table as a pandera schema over times as int64 microseconds, numbers and words as they are."""
    columns = {}
    for column in table.columns:
        known = column.required and (column.name == "at" or column.name in table.key)
        columns[column.name] = pap.Column(None, _checks(column), nullable=not known, required=False)
    return pap.DataFrameSchema(columns)


def _frames(source: Source) -> Iterator[pd.DataFrame]:
    """The columns that have value rules, a batch of rows at a time, times as int64 microseconds."""
    names = [c.name for c in source.table.columns if _checks(c) and c.name in source.names]
    for batch in source.batches(names, _BATCH):
        yield pd.DataFrame({name: _plain(found) for name, found in batch.items()})


def _plain(found: pa.ChunkedArray) -> "pd.Series[Any]":
    if pa.types.is_timestamp(found.type):
        found = found.cast(pa.int64())
    if pa.types.is_large_string(found.type):
        found = found.dictionary_encode()
    return pd.Series(found.to_pandas())


def judge_values(source: Source, bad: Bad, seen: Callable[[int], object]) -> None:
    """Marks rows with an impossible value; of several broken rules the first found speaks. `seen` hears of rows done."""
    table = source.table
    rules, offset = schema(table), 0
    for frame in _frames(source):
        try:
            rules.validate(frame, lazy=True)
        except pap.errors.SchemaErrors as broken:
            cases = broken.failure_cases.drop_duplicates("index")
            told = zip(cases["column"], cases["check"], cases["failure_case"], strict=True)
            reasons = [_reason(table, str(column), str(check), came) for column, check, came in told]
            bad.add(cases["index"].to_numpy(np.int64) + offset, reasons)
        offset += len(frame)
        seen(len(frame))


def _reason(table: Table, column: str, check: str, came: object) -> str:
    if check == "not_nullable":
        return f"{table.name}.{column} is null"
    plain = int(came) if isinstance(came, float) and came.is_integer() else came
    return f"{table.name}.{column} {check}: {plain}"


def locate(ids: pa.Array, among: pa.Array) -> Int:
    """Position of each of the distinct `ids` in the distinct `among`, -1 where it is not there; the smaller is hashed.

    >>> locate(pa.array(["b", "x"]), pa.array(["a", "b", "c"])).tolist()
    [1, -1]
    """
    if len(ids) >= len(among):
        return np.array(pc.index_in(ids, value_set=among).fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    met = np.array(pc.index_in(among, value_set=ids).fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    where = np.full(len(ids), -1, np.int64)
    found = np.flatnonzero(met >= 0)
    where[met[found]] = found
    return where


Parent = tuple[pa.Array, Int]
"""Ids and `at` of the good rows of a table that others point to."""


def _point(ids: Codes, at: Int, parent: Parent | None) -> Int:
    """Row of the parent that each id names, -1 where it has none at `at` or before."""
    if parent is None:
        return np.full(at.size, -1, np.int64)
    row = np.append(locate(ids.values, parent[0]), -1)[ids.codes]
    return np.where((row >= 0) & (np.append(parent[1], 0)[row] <= at), row, -1)


def judge_references(source: Source, at: Int, parents: Mapping[str, Parent], bad: Bad) -> dict[str, Int]:
    """Marks rows that point to nothing; returns the row pointed to (n,), -1 for none, by table."""
    points: dict[str, Int] = {}
    table = source.table
    for column, target in table.references:
        if column not in source.names:
            continue
        ids = encode(source.column(column))
        targets = list(CASES.values()) if target == "case_kind" else [target]
        declared = table.column(column)
        if target != "case_kind" and target not in parents and declared is not None and not declared.required:
            continue  # what a row may do without points to a table that the ledger does without
        met = {name: _point(ids, at, parents.get(name)) for name in targets}
        if target == "case_kind":
            _keep_kind(source, met, bad)
        lost = (np.max(list(met.values()), axis=0) < 0) & (ids.codes >= 0)
        bad.add(np.flatnonzero(lost), f"{table.name}.{column} names no row of {' or '.join(targets)} known by then")
        points |= met
    return points


def _keep_kind(source: Source, met: dict[str, Int], bad: Bad) -> None:
    """Leaves only the table that `case_kind` names; an id found in two tables needs one."""
    kinds = source.column("case_kind")
    for kind, target in CASES.items():
        met[target][np.array(pc.not_equal(kinds, kind).fill_null(False).to_numpy(), np.bool_)] = -1
    twice = np.sum([row >= 0 for row in met.values()], axis=0) > 1
    bad.add(np.flatnonzero(twice), f"{source.table.name}.case_id is in several tables; say which in case_kind")


def judge_keys(source: Source, at: Int, bad: Bad) -> None:
    """Marks rows whose key is unknown or another row's: the earliest stays, unless different rows share its moment."""
    table = source.table
    if not all(name in source.names for name in table.key):
        return
    keys = {name: at if name == "at" else encode(source.column(name)).codes for name in table.key}
    for column in table.columns:
        if column.required and column.name in table.key and column.name != "at":
            bad.add(np.flatnonzero(keys[column.name] < 0), f"{table.name}.{column.name} is null")
    rows = _repeated(keys, bad)
    if rows.size:
        _judge_repeated(source, rows, at[rows], bad)


def _repeated(keys: Mapping[str, NDArray[np.signedinteger]], bad: Bad) -> Int:
    """Positions of rows, not bad so far, whose whole key is known and stands on another such row."""
    known = ~bad.mask & np.all([codes >= 0 for codes in keys.values()], axis=0)
    rows = np.flatnonzero(known)
    only = next(iter(keys.values()))[rows]
    if len(keys) == 1 and rows.size and np.bincount(only).max() == 1:
        return np.zeros(0, np.int64)
    repeats = pd.DataFrame({name: codes[rows] for name, codes in keys.items()}).duplicated(keep=False)
    return np.asarray(rows[repeats.to_numpy()], np.int64)


def _judge_repeated(source: Source, rows: Int, at: Int, bad: Bad) -> None:
    table = source.table
    names = [c.name for c in table.columns if c.name in source.names]
    which = pa.array(rows)
    codes = pd.DataFrame({n: encode(source.column(n).take(which).cast(pa.large_string())).codes for n in names})
    key = codes.groupby(list(table.key)).ngroup().to_numpy()
    same = codes.groupby(names).ngroup()
    moment = pd.Series(at)
    late = (moment > moment.groupby(key).transform("min")).to_numpy()
    clash = same.where(~late).groupby(key).transform("nunique").to_numpy() > 1
    said = f"{table.name}: {' + '.join(table.key)}"
    bad.add(rows[late], f"{said} is the key of an earlier row")
    bad.add(rows[clash & ~late], f"{said} is the key of a different row of the same moment")
    kept = np.flatnonzero(~late & ~clash)
    bad.copies[rows[kept[pd.Series(key[kept]).duplicated().to_numpy()]]] = True
