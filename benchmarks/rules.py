"""The ledger's rules as DuckDB SQL: what a data team would write, and the peer of `redress check`.

Run as `python -m benchmarks.rules LEDGER` it prints, as JSON, the good rows, bad rows and collapsed copies of each table and
how many buyers share each placeholder.
"""

import json
import sys
from pathlib import Path
from typing import Final

import duckdb

from features.tables import LARGEST, NUMBERS, TABLES, Column, Table

LINKS: Final = ("instrument_id", "device_id", "address_id", "email_id", "ip_id")
CROWD: Final = 200
"""Buyers above which an id that they share is a placeholder."""


def judged(ledger: Path) -> dict[str, dict[str, int]]:
    """Counts by table: good, bad, copies; and under `placeholders` the buyers of each."""
    found: dict[str, dict[str, int]] = {}
    with duckdb.connect() as con:
        con.execute("SET enable_progress_bar = false")
        for table in TABLES.values():
            if files := _files(ledger, table.name):
                con.execute(f"CREATE VIEW {table.name} AS SELECT * FROM read_parquet({files})")
                found[table.name] = _table(con, table)
        found["placeholders"] = _placeholders(con)
    return found


def _files(ledger: Path, name: str) -> list[str]:
    single = ledger / f"{name}.parquet"
    return [str(single)] if single.exists() else sorted(map(str, (ledger / name).glob("*.parquet")))


def _columns(con: duckdb.DuckDBPyConnection, table: Table) -> dict[str, Column]:
    names = [str(row[0]) for row in con.execute(f"DESCRIBE {table.name}").fetchall()]
    return {name: column for name in names if (column := table.column(name))}


def _value(column: Column, key: tuple[str, ...]) -> str | None:
    """What is wrong with a value, as SQL that is NULL or false where nothing is."""
    name = f'"{column.name}"'
    if column.name == "at":
        return f"{name} IS NULL OR {name} < '1970-01-01 00:00:00+00' OR {name} >= '2100-01-01 00:00:00+00'"
    if column.name in key and column.required:
        return f"{name} IS NULL"
    if column.vocabulary:
        return f"{name} NOT IN ({', '.join(repr(word) for word in column.vocabulary)})"
    if column.kind in NUMBERS:
        return f"{name} < 0" + (f" OR {name} > {LARGEST}" if column.kind == "cents" else "")
    return f"{name} < 0 OR {name} > 1" if column.kind == "share" else None


def _reference(column: str, target: str) -> str:
    """Whether a row points to nothing that was known by then."""
    theirs = f'p."{TABLES[target].key[0]}" = t."{column}" AND p."at" <= t."at"'
    return f't."{column}" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM good_{target} AS p WHERE {theirs})'


def _table(con: duckdb.DuckDBPyConnection, table: Table) -> dict[str, int]:
    """Judges one table, and leaves its good rows as a view that others may point to.

    A key that rows share stays with the earliest, unless different rows share that moment too.
    """
    name, key, columns = table.name, ", ".join(f'"{column}"' for column in table.key), _columns(con, table)
    wrong = [f"({rule})" for column in columns.values() if (rule := _value(column, table.key))]
    wrong += [f"({_reference(c, target)})" for c, target in table.references if c in columns and target != "case_kind"]
    for view in (
        f"VIEW sound_{name} AS SELECT * FROM {name} AS t WHERE NOT coalesce({' OR '.join(wrong)}, false)",
        f"TABLE repeated_{name} AS SELECT {key} FROM sound_{name} GROUP BY ALL HAVING count(*) > 1",
        f"TABLE twice_{name} AS SELECT * FROM sound_{name} WHERE ({key}) IN (FROM repeated_{name})",
        f'VIEW first_{name} AS SELECT DISTINCT * FROM twice_{name} QUALIFY rank() OVER (PARTITION BY {key} ORDER BY "at") = 1',
        f"TABLE kept_{name} AS SELECT * FROM first_{name} QUALIFY count(*) OVER (PARTITION BY {key}) = 1",
        f"VIEW good_{name} AS FROM sound_{name} WHERE ({key}) NOT IN (FROM repeated_{name}) UNION ALL FROM kept_{name}",
    ):
        con.execute(f"CREATE {view}")
    same = f'(SELECT count(*) FROM twice_{name} WHERE ({key}, "at") IN (SELECT ({key}, "at") FROM kept_{name}))'
    counts = [f"(SELECT count(*) FROM {part}{name})" for part in ("", "sound_", "twice_", "kept_")]
    rows, sound, twice, kept, alike = con.execute(f"SELECT {', '.join([*counts, same])}").fetchall()[0]
    return {"good": sound - twice + kept, "bad": rows - sound + twice - alike, "copies": alike - kept}


def _placeholders(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Buyers of each id that more of them share than one person's would be."""
    found: dict[str, int] = {}
    there = _columns(con, TABLES["orders"])
    for link in (link for link in LINKS if link in there):
        buyers = f"SELECT {link}, count(DISTINCT buyer_id) AS n FROM good_orders WHERE {link} IS NOT NULL"
        found |= {
            f"{link} {name}": int(n) for name, n in con.execute(f"{buyers} GROUP BY 1 HAVING n > {CROWD}").fetchall()
        }
    return found


if __name__ == "__main__":
    print(json.dumps(judged(Path(sys.argv[1]))))
