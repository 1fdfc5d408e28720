"""The job of erasing: one buyer of a store made nobody."""

from contextlib import closing
from pathlib import Path

from features.pseudonyms import Key
from features.store import Store
from pipelines.opening import Said


def erase(store: str, buyer: str, secret: bytes, *, key: Path | None, said: Said) -> dict[str, object]:
    """Gives a buyer's ids fresh names of which no mapping is kept; RedressError where the store knows nothing of him.

    `secret` is 32 random bytes drawn for this once. `key` is the file of the key that ids of persons are hashed by.
    """
    with closing(Store.open(store, key=None if key is None else Key.read(key))) as opened:
        said(f"erasing a buyer from {opened.where}")
        found = opened.erase(buyer, secret)
    return {
        "orders of his": found.orders,
        "facts under fresh names": found.facts,
        "histories written anew": found.histories,
        "decision records emptied": found.records,
        "store": opened.where,
    }
