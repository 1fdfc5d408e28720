import datetime as dt
import hashlib
import os
from pathlib import Path

import duckdb
import pytest

from features.errors import LedgerError, RedressError
from features.tables import NUMBERS, TABLES
from pipelines.importing import Imported, import_ledger

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("REDRESS_DATA", ROOT.parent / "shared" / "data"))
EXAMPLES = ("cloudwalk", "handbook", "tsa", "olist", "online_retail")
STORED = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "time": "TIMESTAMP WITH TIME ZONE",
    "cents": "BIGINT",
    "grams": "BIGINT",
    "count": "BIGINT",
    "flag": "BOOLEAN",
    "share": "DOUBLE",
}

SALES = """sale,moment,client,shop,euros,note
1,2024-03-01T10:00:00Z,7,a,1000.00,late
2,2024-03-01T09:00:00Z,8,b,0.29,
3,2024-03-01T10:00:00Z,7,a,12.34,odd
"""
COLUMNS = {
    "order_id": "CAST(sale AS VARCHAR)",
    '"at"': "moment",
    "buyer_id": "CAST(client AS VARCHAR)",
    "seller_id": "shop",
    "amount": "CAST(round(100 * euros) AS BIGINT)",
}


def orders(change: str = "", to: str = "", *, rest: str = "") -> str:
    """The view `orders`, with one column left out, changed or added."""
    columns = {**COLUMNS, change: to}
    shown = ", ".join(f"{expression} AS {name}" for name, expression in columns.items() if expression)
    return f"CREATE VIEW orders AS SELECT {shown} FROM source.sales {rest};\n"


DISPUTES = """CREATE VIEW disputes AS
SELECT order_id AS dispute_id, "at" + INTERVAL 1 DAY AS "at", order_id, 'damaged' AS reason, amount AS claimed
FROM orders;
"""


def run(folder: Path, sql: str, **files: str) -> Imported:
    """Imports CSV files, `sales` among them unless given, through a mapping."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for name, text in ({"sales": SALES} | files).items():
        (source / f"{name}.csv").write_text(text)
    (folder / "shop.sql").write_text(sql)
    return import_ledger(folder / "shop.sql", source, folder / "ledger")


def read(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as con:
        columns = [name for name, *_ in con.execute(f"DESCRIBE FROM '{path}'").fetchall()]
        shown = ", ".join(f'epoch_us("{name}")' if name == "at" else f'"{name}"' for name in columns)
        return con.execute(f"SELECT {shown} FROM '{path}'").fetchall()


def types(path: Path) -> dict[str, str]:
    with duckdb.connect() as con:
        return {str(row[0]): str(row[1]) for row in con.execute(f"DESCRIBE FROM '{path}'").fetchall()}


def micros(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1_000_000


def test_a_mapping_of_two_views_makes_two_tables_in_order_of_time_and_key(tmp_path: Path) -> None:
    assert run(tmp_path, orders() + DISPUTES) == Imported({"orders": 3, "disputes": 3}, ())
    assert read(tmp_path / "ledger" / "orders.parquet") == [
        ("2", micros("2024-03-01T09:00:00+00:00"), "8", "b", 29),
        ("1", micros("2024-03-01T10:00:00+00:00"), "7", "a", 100000),
        ("3", micros("2024-03-01T10:00:00+00:00"), "7", "a", 1234),
    ]
    assert read(tmp_path / "ledger" / "disputes.parquet") == [
        ("2", micros("2024-03-02T09:00:00+00:00"), "2", "damaged", 29),
        ("1", micros("2024-03-02T10:00:00+00:00"), "1", "damaged", 100000),
        ("3", micros("2024-03-02T10:00:00+00:00"), "3", "damaged", 1234),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger", "shop.sql", "source"]


def test_parquet_and_csv_files_stand_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT 'b' AS shop, 'Bee' AS brand) TO '{tmp_path}/source/the shops.parquet'").fetchall()
    sql = orders("channel", "brand", rest='JOIN source."the shops" USING (shop)')
    assert run(tmp_path, sql).rows == {"orders": 1}
    assert read(tmp_path / "ledger" / "orders.parquet")[0][-1] == "Bee"


def test_helper_views_macros_and_schemas_leave_no_trace(tmp_path: Path) -> None:
    helpers = "CREATE SCHEMA domain; CREATE VIEW domain.refunds AS SELECT 1 AS x; CREATE MACRO twice(x) AS 2 * x;\n"
    sql = helpers + "CREATE VIEW shops AS SELECT DISTINCT shop FROM source.sales;\n" + orders("quantity", "twice(4)")
    assert run(tmp_path, sql) == Imported({"orders": 3}, ())
    assert [path.name for path in (tmp_path / "ledger").iterdir()] == ["orders.parquet"]


def test_integers_of_any_width_and_null_columns_of_any_type_are_stored_as_declared(tmp_path: Path) -> None:
    odd = {"quantity": "sum(2) OVER ()", "promised_at": "CAST(NULL AS DATE[])", "channel": "CAST(NULL AS DOUBLE)"}
    extra = ", ".join(f"{expression} AS {name}" for name, expression in odd.items())
    run(tmp_path, orders("amount", f"{extra}, NULL"))
    found = types(tmp_path / "ledger" / "orders.parquet")
    assert found == {column.name: STORED[column.kind] for column in TABLES["orders"].columns if column.name in found}
    assert {"amount", *odd} < found.keys()


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    sums = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run(tmp_path / name, orders() + DISPUTES)
        sums.add(hashlib.sha256((tmp_path / name / "ledger" / "disputes.parquet").read_bytes()).hexdigest())
    assert len(sums) == 1


def test_clocks_of_a_mapping_are_utc_wherever_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    run(tmp_path, orders('"at"', "CAST('2024-07-01 12:00:00' AS TIMESTAMPTZ)"))
    assert read(tmp_path / "ledger" / "orders.parquet")[0][1] == micros("2024-07-01T12:00:00+00:00")


def test_ids_with_leading_zeros_keep_them(tmp_path: Path) -> None:
    run(tmp_path, orders("buyer_id", "client"), sales=SALES.replace(",7,", ",007,").replace(",8,", ",008,"))
    assert {row[2] for row in read(tmp_path / "ledger" / "orders.parquet")} == {"007", "008"}


def test_a_column_typed_late_in_a_long_file_is_still_read(tmp_path: Path) -> None:
    lines = [f"{i},2024-03-01T10:00:00Z,{'x' if i == 29_999 else i},a,1,n" for i in range(30_000)]
    assert (
        run(tmp_path, orders("buyer_id", "client"), sales=SALES.splitlines()[0] + "\n" + "\n".join(lines)).rows[
            "orders"
        ]
        == 30_000
    )


def test_progress_is_a_line_a_step(tmp_path: Path) -> None:
    run(tmp_path, orders())
    lines: list[str] = []
    import_ledger(tmp_path / "shop.sql", tmp_path / "source", tmp_path / "other", said=lines.append)
    assert lines == ["source: 1 files", "orders: 3 rows"]


def test_what_a_ledger_has_no_place_for_is_left_out_and_named(tmp_path: Path) -> None:
    sql = orders("colour", "'red'") + "".join(
        f"CREATE VIEW {name} AS SELECT 1 AS x;" for name in ("chargeback", '"order"', "lines")
    )
    imported = run(tmp_path, sql)
    assert imported.rows == {"orders": 3}
    assert imported.left_out == (
        "view chargeback is no table of a ledger and is left out; name it chargebacks if it is meant as one",
        "orders.colour is no column of a ledger and is left out",
    )
    assert "colour" not in types(tmp_path / "ledger" / "orders.parquet")


FAULTS = {
    "a syntax error says its line": (
        orders() + "\nCREATE VIEW refunds AS SELEKT 1;",
        'shop.sql, line 3: syntax error at or near "SELEKT"; correct the SQL',
    ),
    "a missing source column is named beside those there are": (
        orders("product_id", "colour"),
        "shop.sql, orders: want a column colour, got none of that name; "
        "source.sales has sale, moment, client, shop, euros, note",
    ),
    "so is one asked of an alias": (
        "-- CREATE VIEW x\nCREATE OR REPLACE VIEW orders AS SELECT s.colour FROM source.sales AS s",
        "shop.sql, orders: want a column colour, got none of that name; source.sales has sale,",
    ),
    "and one asked of a helper": (
        orders() + "CREATE VIEW refunds AS SELECT colour FROM orders",
        "shop.sql, refunds: want a column colour, got none of that name; orders has order_id, at,",
    ),
    "a missing file is named beside those there are": (
        "CREATE VIEW orders AS SELECT * FROM source.sails",
        "shop.sql, orders: want a table source.sails, got none of that name; there are source.sales",
    ),
    "a view made twice": (orders() + orders(), 'shop.sql, orders: View with name "orders" already exists; correct'),
    "a statement that makes nothing": ("SELECT nofun(1)", "shop.sql, statement 1: Scalar Function with name nofun"),
    "no orders": (
        "CREATE VIEW purchases AS SELECT 1 AS x; CREATE VIEW refunds AS SELECT 1 AS x",
        "shop.sql: want a view orders, got purchases, refunds; write CREATE VIEW orders AS SELECT …",
    ),
    "an empty mapping": ("-- nothing yet", "shop.sql: want a view orders, got no view; write"),
    "orders without rows": (orders(rest="WHERE euros < 0"), "orders: want at least one row, got none; look at"),
    "a required column that is missing": (
        orders("amount"),
        "orders.amount: want int64 cents, got no such column; "
        "add it to the view, as NULL AS amount where it is unknown",
    ),
    "a key that is missing can't be unknown": (
        orders('"at"'),
        "orders.at: want timestamp in microseconds with a time zone, got no such column; add it to the view",
    ),
    "money in floats": (
        orders("amount", "euros"),
        "orders.amount: want int64 cents, got DOUBLE; write CAST(round(100 * …) AS BIGINT)",
    ),
    "money in decimals": (
        orders("amount", "CAST(euros AS DECIMAL(9, 2))"),
        "orders.amount: want int64 cents, got DECIMAL(9,2); write CAST(round(100 * …) AS BIGINT)",
    ),
    "a naive timestamp": (
        orders('"at"', "CAST(moment AS TIMESTAMP)"),
        "orders.at: want timestamp in microseconds with a time zone, got TIMESTAMP; "
        "write CAST(… AS TIMESTAMP) AT TIME ZONE 'UTC'",
    ),
    "a naive timestamp in nanoseconds": (
        orders('"at"', "CAST('2024-01-01' AS TIMESTAMP_NS)"),
        "got TIMESTAMP_NS; write",
    ),
    "a date": (orders("promised_at", "CAST(moment AS DATE)"), "orders.promised_at: want timestamp in microseconds"),
    "a number for an id": (
        orders("buyer_id", "client"),
        "orders.buyer_id: want string ids, got BIGINT; write CAST(… AS VARCHAR)",
    ),
    "a number for a flag": (
        orders() + 'CREATE VIEW address_checks AS SELECT order_id, "at", 1 AS risky FROM orders',
        "address_checks.risky: want bool, got INTEGER; write CAST(… AS BOOLEAN)",
    ),
    "a float for a weight": (
        orders() + "CREATE VIEW listings AS SELECT 'p' AS product_id, shop AS seller_id, moment AS \"at\", "
        "euros AS unit_weight FROM source.sales",
        "listings.unit_weight: want int64 grams, got DOUBLE; write CAST(round(…) AS BIGINT)",
    ),
    "a value that can't be cast": (
        orders("quantity", "CAST(note AS BIGINT)"),
        "orders: Could not convert string 'late' to INT64 when casting from source column note; correct the view, "
        "with TRY_CAST where such a value means unknown",
    ),
    "a number too large to store": (
        orders("quantity", "CAST(1e20 AS HUGEINT)"),
        "orders: Type INT128 with value 100000000000000000000 can't be cast",
    ),
    "a word outside a vocabulary": (
        orders() + DISPUTES.replace("'damaged'", "CASE seller_id WHEN 'a' THEN 'broken' ELSE 'it''s late' END"),
        "disputes.reason: want one of not_received, short_quantity, not_as_described, quality, damaged, counterfeit, "
        "wrong_item, billing, service, other, got 'broken' in 2 rows, 'it''s late' in 1 rows; map with CASE, "
        "or to NULL where unknown",
    ),
    "more than three words outside a vocabulary": (
        orders() + DISPUTES.replace("'damaged'", "unnest(['u', 'v', 'w', 'x', 'damaged', NULL])"),
        "other, got 'u' in 3 rows, 'v' in 3 rows, 'w' in 3 rows; map",
    ),
}


@pytest.mark.parametrize(("sql", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_a_mapping_is_one_sentence_and_leaves_nothing_behind(
    tmp_path: Path, sql: str, sentence: str
) -> None:
    with pytest.raises(LedgerError) as raised:
        run(tmp_path, sql)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert ". " not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop.sql", "source"]


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("broken.parquet", b"not a Parquet file at all", "broken.parquet: No magic bytes found at end of file"),
        ("latin.csv", "a,b\n1,Müller\n".encode("latin-1"), "latin.csv: CSV Error on Line: 2, Invalid unicode"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str, content: bytes, sentence: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / file).write_bytes(content)
    with pytest.raises(LedgerError) as raised:
        run(tmp_path, orders())
    assert sentence in str(raised.value)
    assert str(raised.value).endswith("; repair the file or take it out of the directory")
    assert "\n" not in str(raised.value)


def test_a_column_that_is_no_word_is_shown_as_a_mapping_must_write_it(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r'source\.sales has "the sale", moment$'):
        run(tmp_path, "CREATE VIEW orders AS SELECT sale FROM source.sales", sales="the sale,moment\n1,2\n")


PATHS = {
    "no mapping": (
        "none.sql",
        "source",
        "new",
        "none.sql: want a file of DuckDB SQL, got no such file; check the path",
    ),
    "a mapping in Latin 1": ("latin.sql", "source", "new", "latin.sql: want SQL in UTF-8, got other bytes; save"),
    "no directory": (
        "shop.sql",
        "none",
        "new",
        "none: want a directory of CSV and Parquet files, got no such directory",
    ),
    "no files": ("shop.sql", "empty", "new", "empty: want CSV or Parquet files, got none; name the directory that"),
    "two files of one name": (
        "shop.sql",
        "two",
        "new",
        "two: want one file of a name, got A.parquet and a.csv; rename",
    ),
    "a ledger that is there": (
        "shop.sql",
        "source",
        "old",
        "old: want a new or empty directory, got one that holds orders",
    ),
    "a file in its place": (
        "shop.sql",
        "source",
        "shop.sql",
        "shop.sql: want a new or empty directory, got one that holds",
    ),
}


@pytest.mark.parametrize(("mapping", "source", "out", "sentence"), PATHS.values(), ids=PATHS)
def test_a_wrong_path_is_one_sentence(tmp_path: Path, mapping: str, source: str, out: str, sentence: str) -> None:
    for folder in ("source", "empty", "two", "old/orders"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("source/sales.csv", "two/a.csv", "two/A.parquet", "empty/notes.txt"):
        (tmp_path / file).write_text(SALES)
    (tmp_path / "shop.sql").write_text(orders())
    (tmp_path / "latin.sql").write_bytes("-- Müller".encode("latin-1"))
    with pytest.raises(RedressError) as raised:
        import_ledger(tmp_path / mapping, tmp_path / source, tmp_path / out)
    assert sentence in str(raised.value)
    assert not (tmp_path / "new").exists()


def test_an_empty_directory_may_become_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    assert run(tmp_path, orders()).rows == {"orders": 3}


def bad_rows(ledger: Path, name: str) -> dict[str, int]:
    """Rows of a table that break a rule of the ledger, by rule."""
    table, path = TABLES[name], ledger / f"{name}.parquet"
    columns = types(path)
    key = ", ".join(f'"{column}"' for column in table.key)
    rules = {f"{column.name} < 0": f"{column.name} < 0" for column in table.columns if column.kind in NUMBERS}
    rules = {rule: sql for rule, sql in rules.items() if rule.split()[0] in columns}
    rules["at outside 1970-2100"] = "\"at\" IS NULL OR \"at\" NOT BETWEEN '1970-01-01' AND '2099-12-31'"
    rules["key is null"] = " OR ".join(f'"{column}" IS NULL' for column in table.key)
    rules["key of another row"] = f"({key}) IN (SELECT ({key}) FROM '{path}' GROUP BY ALL HAVING count(*) > 1)"
    for column, other in table.references:
        theirs = f'b.{TABLES[other].key[0]} = a.{column} AND b."at" <= a."at"'
        there = f"SELECT 1 FROM '{ledger / other}.parquet' AS b WHERE {theirs}"
        rules[f"{column} not in {other}"] = f"{column} IS NOT NULL AND NOT EXISTS ({there})"
    with duckdb.connect() as con:
        counts = {
            rule: con.execute(f"SELECT count(*) FROM '{path}' AS a WHERE {sql}").fetchall()[0][0]
            for rule, sql in rules.items()
        }
    return {rule: int(count) for rule, count in counts.items() if count}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_makes_a_ledger_without_bad_rows_of_the_public_data(tmp_path: Path, name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"no public data: set REDRESS_DATA to a directory that holds {name}")
    imported = import_ledger(ROOT / "examples" / f"{name}.sql", DATA / name, tmp_path / "ledger")
    assert imported.left_out == ()
    assert all(imported.rows.values())
    for table in imported.rows:
        found = types(tmp_path / "ledger" / f"{table}.parquet")
        declared = {column.name: STORED[column.kind] for column in TABLES[table].columns}
        assert found == {column: declared[column] for column in found}
        assert bad_rows(tmp_path / "ledger", table) == {}
