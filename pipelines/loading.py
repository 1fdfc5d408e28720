"""The job of loading: a new store from a ledger's good facts, whole or not at all."""

from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from features import Ledger
from features.entries import layouts
from features.kernel import DAY
from features.pseudonyms import Key
from features.retention import kept
from features.store import Store
from pipelines.opening import Said, moment, opened


def load(
    ledger: Path, store: str, *, name: str, horizon: int, keep: int | None, key: Path | None, said: Said
) -> dict[str, object]:
    """Makes a store called `name` and fills it; RedressError where there is one with facts.

    What is older than `keep` microseconds before the ledger's last fact is left out, with all about orders that old. With a
    file of a `key`, ids of persons go in as pseudonyms.
    """
    secret, found = None if key is None else Key.read(key), opened(ledger, said)
    bad, gone = sum(len(one) for one in found.bad.values()), dict[str, int]()
    if keep is not None:
        since = found.last_at - keep
        found, gone = kept(found, since)
        said(f"left out what is older than {moment(since)}")
    with closing(Store.create(store, name=name, horizon=horizon, key=secret)) as made:
        said(f"filling {made.where}")
        facts = _filled(made, found)
        lacks = made.meta.lacks
    told: dict[str, object] = {"facts": facts, "orders": len(found.facts["orders"]), "bad rows left out": bad}
    if keep is not None:
        told["too old, left out"] = _told(gone)
    told |= {"horizon": f"{horizon / DAY:g} days", "known until": moment(found.last_at), "unknown": _lacking(lacks)}
    return told | {
        "ids": "as they came" if secret is None else f"hashed by the key {secret.mark}",
        "name": name,
        "store": made.where,
    }


def _filled(store: Store, found: Ledger) -> int:
    with tqdm(
        desc="filling", total=len(layouts()), unit=" kinds of history", delay=2, disable=None, leave=False
    ) as bar:
        return store.fill(found, bar.update)


def _told(gone: dict[str, int]) -> str:
    """How many rows of each table went.

    >>> _told({"orders": 1200, "scans": 3}), _told({})
    ('1,203 facts: 1,200 orders, 3 scans', '0 facts')
    """
    each = ", ".join(f"{rows:,} {name}" for name, rows in gone.items())
    return f"{sum(gone.values()):,} facts" + (f": {each}" if each else "")


def _lacking(lacks: tuple[str, ...]) -> str:
    """What a store lacks, without the columns of tables that it lacks themselves, and `happened_at`, which any may lack.

    >>> _lacking(("blocks", "blocks.cause", "orders.ip_id")), _lacking(())
    ('blocks, orders.ip_id', 'nothing')
    """
    tables = {one for one in lacks if "." not in one}
    columns = (one for one in lacks if one.partition(".")[0] not in tables and not one.endswith(".happened_at"))
    return ", ".join([*sorted(tables), *columns]) or "nothing"
