"""A store on a disk that gets full: `full_disk.py FOLDER LEDGER MODELS` mounts a small one, and leaves with 77 if it cannot."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from trained import HORIZON

from benchmarks.parity import histories, in_order, told
from features import Ledger, RedressError
from features.store import Store
from models.deciding import QUESTION
from models.records import chained
from serve import Scorer

MEGABYTES = 64
REFUSED = "want room for what is written, got a full disk"


def fill(path: Path) -> None:
    """Writes until nothing more goes in."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def goes_on(disk: Path, ledger: Path, models: Path) -> None:
    """AssertionError unless writes are refused while the disk is full, reads go on, and all is well once it is not."""
    facts = in_order(Ledger.open(ledger))
    head, tail = facts[:500], facts[500:]
    ask_id = next(one.text("dispute_id") for one in head if one.table == "disputes")
    case = {"ask_id": ask_id, "at": pd.Timestamp(head[-1].at, unit="us", tz="UTC").isoformat()}
    with closing(Store.create(disk / "store", name="ab" * 16, horizon=HORIZON)) as store:
        store.append(told(head), arrived=head[-1].at)
        scorer = Scorer.open(disk / "store", models)
        score, before = scorer.score({**case, "question": QUESTION}), histories(store)
        fill(disk / "other")
        for _ in range(2):
            with pytest.raises(RedressError, match=REFUSED):
                store.append(told(tail), arrived=tail[-1].at)
            with pytest.raises(RedressError, match=REFUSED):
                scorer.decide(case)
            assert scorer.score({**case, "question": QUESTION}) == score
            assert histories(store) == before
        (disk / "other").unlink()
        record = scorer.decide(case)
        assert store.append(told(tail), arrived=tail[-1].at).taken == len(tail)
        assert scorer.decide(case) == record
        assert list(chained(store.decisions.chain("redress"))) == []
        store.export(disk / "exported")
        with closing(Store.create(disk / "filled", name="ab" * 16, horizon=HORIZON)) as filled:
            filled.fill(Ledger.open(disk / "exported"))
            assert histories(store) == histories(filled)
        scorer.close()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", where]).returncode:
        sys.exit(77)
    goes_on(where, *map(Path, sys.argv[2:]))
