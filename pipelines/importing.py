"""Import: a ledger from anyone's CSV and Parquet files, through a mapping written as DuckDB views."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import Final

import duckdb

from features.errors import LedgerError, RedressError
from features.tables import TABLES, WANT, Column, Kind, Table

INTEGERS: Final = "U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER"
STORED: Final[dict[Kind, tuple[str, str, str]]] = {
    "id": ("VARCHAR", "VARCHAR", "CAST(… AS VARCHAR)"),
    "text": ("VARCHAR", "VARCHAR|ENUM.*", "CAST(… AS VARCHAR)"),
    "time": (
        "TIMESTAMPTZ",
        "TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ_NS",
        "CAST(… AS TIMESTAMP) AT TIME ZONE 'UTC', or its clock's own zone",
    ),
    "cents": ("BIGINT", INTEGERS, "CAST(round(100 * …) AS BIGINT)"),
    "grams": ("BIGINT", INTEGERS, "CAST(round(…) AS BIGINT)"),
    "count": ("BIGINT", INTEGERS, "CAST(… AS BIGINT)"),
    "flag": ("BOOLEAN", "BOOLEAN", "CAST(… AS BOOLEAN)"),
    "share": ("DOUBLE", f"DOUBLE|FLOAT|DECIMAL.*|{INTEGERS}", "CAST(… AS DOUBLE)"),
}
"""How a kind is stored, the types a view may give it, as a pattern, and what to write about any other."""

_CREATED: Final = re.compile(
    r"\bCREATE\s[\w\s]*?\b(?:VIEW|TABLE|MACRO|FUNCTION)\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"]+)", re.IGNORECASE
)
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_NO_COLUMN: Final = re.compile(r'column (?:named )?"([^"]+)"(?: not found| does not exist| in EXCLUDE|$)', re.M | re.I)
_NO_TABLE: Final = re.compile(r'Table with name "?(.+?)"? does not exist')


@dataclass(frozen=True)
class Imported:
    """What an import did: rows by table in the order of `TABLES`, and a sentence for each view or column left out."""

    rows: dict[str, int]
    left_out: tuple[str, ...]


def _silent(line: str) -> None:
    """Takes a line of progress and says nothing."""


def import_ledger(mapping: Path, source: Path, out: Path, *, said: Callable[[str], None] = _silent) -> Imported:
    """Writes to `out` the ledger that `mapping` makes of the files in `source`; on any error nothing is left there.

    `said` is given one line a step. Raises RedressError for a wrong path, LedgerError for anything in the mapping or
    the data that keeps its views from being a ledger. What a ledger has no place for is left out and named.
    """
    sql, files = _sql(mapping), _files(source)
    _vacant(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch, duckdb.connect() as con:
        con.execute(f"SET TimeZone = 'UTC'; SET temp_directory = {_text(f'{scratch}/spill')}")
        _show(con, files, Path(scratch))
        said(f"source: {len(files)} files")
        _run(con, mapping.name, sql)
        types = _views(con, mapping.name)
        stored = {name: _stored(con, table, types[name]) for name, table in TABLES.items() if name in types}
        ledger = Path(scratch, "ledger")
        ledger.mkdir()
        rows = {}
        for name, columns in stored.items():
            rows[name] = _write(con, TABLES[name], columns, ledger / f"{name}.parquet")
            said(f"{name}: {rows[name]:,} rows")
        if out.exists():
            out.rmdir()
        ledger.rename(out)
    return Imported(rows, tuple(_left_out(types)))


def _sql(mapping: Path) -> str:
    if not mapping.is_file():
        raise RedressError(f"{mapping}: want a file of DuckDB SQL, got no such file; check the path")
    try:
        return mapping.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RedressError(f"{mapping}: want SQL in UTF-8, got other bytes; save the file as UTF-8") from None


def _files(source: Path) -> list[Path]:
    """The CSV and Parquet files of a directory, no two of one name without ending."""
    if not source.is_dir():
        raise RedressError(
            f"{source}: want a directory of CSV and Parquet files, got no such directory; check the path"
        )
    files: dict[str, Path] = {}
    for path in sorted(path for path in source.iterdir() if path.suffix.lower() in (".csv", ".parquet")):
        other = files.setdefault(path.stem.lower(), path)
        if other != path:
            raise RedressError(
                f"{source}: want one file of a name, got {other.name} and {path.name}; rename one of them"
            )
    if not files:
        raise RedressError(f"{source}: want CSV or Parquet files, got none; name the directory that holds them")
    return list(files.values())


def _vacant(out: Path) -> None:
    """Raises unless `out` is new or an empty directory, so that two ledgers never mix."""
    held = sorted(path.name for path in out.iterdir()) if out.is_dir() else [out.name] if out.exists() else []
    if held:
        raise RedressError(f"{out}: want a new or empty directory, got one that holds {held[0]}; name another")


def _show(con: duckdb.DuckDBPyConnection, files: list[Path], scratch: Path) -> None:
    """Makes each file a view of the schema `source`; a CSV file is parsed once, its types found on all of its rows."""
    con.execute("CREATE SCHEMA source")
    for path in files:
        seen = path
        try:
            if path.suffix.lower() == ".csv":
                seen = scratch / f"{path.stem}.parquet"
                con.execute(
                    f"COPY (FROM read_csv({_text(path)}, sample_size = -1)) TO {_text(seen)} (FORMAT parquet)"
                ).fetchall()
            con.execute(f"CREATE VIEW source.{_name(path.stem)} AS FROM read_parquet({_text(seen)})")
        except duckdb.Error as error:
            raise LedgerError(f"{path}: {_clause(error)}; repair the file or take it out of the directory") from None


def _run(con: duckdb.DuckDBPyConnection, mapping: str, sql: str) -> None:
    """Runs the mapping's statements in turn."""
    try:
        statements = con.extract_statements(sql)
    except duckdb.Error as error:
        line = re.search(r"^LINE (\d+)", str(error), re.MULTILINE)
        raise LedgerError(
            f"{mapping}{f', line {line[1]}' if line else ''}: {_clause(error)}; correct the SQL"
        ) from None
    for number, statement in enumerate(statements, start=1):
        try:
            con.execute(statement).fetchall()
        except duckdb.Error as error:
            text = _COMMENT.sub(" ", statement.query).replace('"', "")
            created = _CREATED.search(text)
            where = created[1] if created else f"statement {number}"
            raise LedgerError(f"{mapping}, {where}: {_fault(con, text, error)}") from None


def _fault(con: duckdb.DuckDBPyConnection, text: str, error: duckdb.Error) -> str:
    """What is wrong with a statement: the column or table it misses and those there are, else what DuckDB says."""
    tables = {
        table: ", ".join(c if c.isidentifier() else _name(c) for c in types) for table, types in _tables(con).items()
    }
    if column := _NO_COLUMN.search(str(error)):
        there = [f"{name} has {columns}" for name, columns in tables.items() if _mentions(text, name)]
        return f"want a column {column[1]}, got none of that name; {' and '.join(there) or 'correct the SQL'}"
    if table := _NO_TABLE.search(str(error)):
        name = f"source.{table[1]}" if _mentions(text, f"source.{table[1]}") else table[1]
        return f"want a table {name}, got none of that name; there are {', '.join(tables)}"
    return f"{_clause(error)}; correct the SQL"


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Types by column of every table and view, by its name as a mapping writes it, all names in lower case."""
    found = con.execute(
        "SELECT lower(if(table_schema = 'main', '', table_schema || '.') || table_name), lower(column_name), data_type "
        "FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position"
    )
    tables: dict[str, dict[str, str]] = {}
    for table, column, data_type in found.fetchall():
        tables.setdefault(table, {})[column] = data_type
    return tables


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _views(con: duckdb.DuckDBPyConnection, mapping: str) -> dict[str, dict[str, str]]:
    """Types by column of the mapping's views outside any schema of their own; raises where none is `orders`."""
    views = {name: types for name, types in _tables(con).items() if "." not in name}
    if "orders" not in views:
        got = ", ".join(views) or "no view"
        raise LedgerError(f"{mapping}: want a view orders, got {got}; write CREATE VIEW orders AS SELECT …")
    return views


def _left_out(views: dict[str, dict[str, str]]) -> Iterable[str]:
    """A sentence for each column no table has, and for each view that looks like a misspelt table without a view."""
    for view, types in views.items():
        if table := TABLES.get(view):
            unknown = (name for name in types if not table.column(name))
            yield from (f"{view}.{name} is no column of a ledger and is left out" for name in unknown)
        elif (meant := get_close_matches(view, TABLES, n=1, cutoff=0.8)) and meant[0] not in views:
            yield f"view {view} is no table of a ledger and is left out; name it {meant[0]} if it is meant as one"


def _stored(con: duckdb.DuckDBPyConnection, table: Table, types: dict[str, str]) -> dict[Column, str]:
    """The expression that stores each known column of a view; a column of the wrong type is only let pass all null."""
    for column in table.columns:
        if column.required and column.name not in types:
            null = "" if column.name in (*table.key, "at") else f", as NULL AS {column.name} where it is unknown"
            raise LedgerError(f"{_wanted(table, column)}, got no such column; add it to the view{null}")
    columns = [column for column in table.columns if column.name in types]
    odd = [column for column in columns if not re.fullmatch(STORED[column.kind][1], types[column.name])]
    if odd:
        known = _ask(con, table, f"SELECT {', '.join(f'count({_name(c.name)})' for c in odd)} FROM {table.name}")[0]
        for column in (column for column, count in zip(odd, known, strict=True) if count):
            raise LedgerError(f"{_wanted(table, column)}, got {types[column.name]}; write {STORED[column.kind][2]}")
    return {column: f"CAST({_name(column.name)} AS {STORED[column.kind][0]})" for column in columns}


def _wanted(table: Table, column: Column) -> str:
    return f"{table.name}.{column.name}: want {WANT[column.kind]}"


def _write(con: duckdb.DuckDBPyConnection, table: Table, columns: dict[Column, str], path: Path) -> int:
    """Writes a table in the order of `at`, key and the rest, and returns its rows; raises if it is not a ledger's."""
    stored = ", ".join(f"{expression} AS {_name(column.name)}" for column, expression in columns.items())
    order = sorted(columns, key=lambda column: (column.name != "at", column.name not in table.key))
    query = f"SELECT {stored} FROM {table.name} ORDER BY {', '.join(_name(column.name) for column in order)}"
    rows = _ask(con, table, f"COPY ({query}) TO {_text(path)} (FORMAT parquet, COMPRESSION zstd)")[0][0]
    if table.name == "orders" and not rows:
        raise LedgerError("orders: want at least one row, got none; look at the view's joins and conditions")
    for column in columns:
        _closed(con, table, column, path)
    return int(str(rows))


def _closed(con: duckdb.DuckDBPyConnection, table: Table, column: Column, path: Path) -> None:
    """Raises where a column holds words outside its vocabulary, naming the three most frequent."""
    if not column.vocabulary:
        return
    name, words = _name(column.name), ", ".join(map(_text, column.vocabulary))
    others = f"FROM {_text(path)} WHERE {name} NOT IN ({words}) GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT 3"
    got = [
        f"{_text(shorten(word, 40))} in {n:,} rows"
        for word, n in con.execute(f"SELECT {name}, count(*) {others}").fetchall()
    ]
    if got:
        want, where = ", ".join(column.vocabulary), f"{table.name}.{column.name}"
        raise LedgerError(f"{where}: want one of {want}, got {', '.join(got)}; map with CASE, or to NULL where unknown")


def _ask(con: duckdb.DuckDBPyConnection, table: Table, query: str) -> list[tuple[object, ...]]:
    """The answer to a query on a table's view; what fails while the view runs is told of the view."""
    try:
        return con.execute(query).fetchall()
    except duckdb.Error as error:
        remedy = "correct the view, with TRY_CAST where such a value means unknown"
        raise LedgerError(f"{table.name}: {_clause(error)}; {remedy}") from None


def _clause(error: duckdb.Error) -> str:
    """What DuckDB says, as one clause: without its class, its hints, and its pictures of the query and the file."""
    said = re.sub(r"\nOriginal Line:.*", "", str(error).partition("Error: ")[2] or str(error))
    said = re.split(r"\n\s*\n|\n(?:LINE|Candidate|Did you|Possible)", said)[0].strip()
    return shorten(re.sub(r"[.!:]*\s*\n\s*|[.!]\s+(?=[A-Z])", ", ", said).rstrip(".!"), 300, placeholder=" …")


def _name(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _text(word: str | Path) -> str:
    return "'" + str(word).replace("'", "''") + "'"
