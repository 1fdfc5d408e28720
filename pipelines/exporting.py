"""The job of exporting: a store's facts as a ledger, or all that it holds of one buyer."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from tqdm import tqdm

from features.homes import Fact
from features.pseudonyms import Key
from features.store import Store
from pipelines.opening import Said
from pipelines.simulate import whole

RECORDS: Final = "records.jsonl"
"""The file of decision records beside the tables of one buyer."""


def export(store: str, out: Path, *, buyer: str | None, key: Path | None, said: Said) -> dict[str, object]:
    """Writes the tables of a ledger, whole or not at all; of one buyer with the records of decisions in full, one a line.

    RedressError where there is a ledger, and for a buyer of whom the store knows nothing. `key` is the file of the key that
    ids of persons are hashed by, which a buyer is found with.
    """
    secret = None if key is None else Key.read(key)
    with closing(Store.open(store, key=secret)) as opened, whole(out) as folder:
        said(f"exporting {opened.where}")
        if buyer is None:
            with tqdm(
                opened.facts(), "exporting", opened.meta.arrivals, unit=" facts", delay=2, disable=None, leave=False
            ) as facts:
                rows = opened.export(folder, facts)
        else:
            rows = _of_buyer(folder, opened, *opened.of_buyer(buyer))
    told: dict[str, object] = {name: f"{count:,} rows" for name, count in rows.items() if count}
    return told | {"ledger": str(out)}


def _of_buyer(
    folder: Path, store: Store, facts: Sequence[Fact], records: Sequence[Mapping[str, object]]
) -> dict[str, int]:
    """Writes the tables that say something of a buyer, and the records; how many rows each has."""
    rows = store.export(folder, facts)
    for name in [name for name, count in rows.items() if not count]:
        (folder / f"{name}.parquet").unlink()
    lines = (json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n" for one in records)
    (folder / RECORDS).write_text("".join(lines), encoding="utf-8")
    return rows | {"records in full": len(records)}
