"""The job of simulating: a marketplace's ledger with its truth beside it, whole or not at all."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from features import LedgerError
from features.tables import TABLES
from pipelines.marketplace import Marketplace, happen
from pipelines.marketplace.ledger import tables
from pipelines.marketplace.names import Names
from pipelines.marketplace.truth import FOLDER, write_truth
from pipelines.opening import Said


def simulate(parameters: Marketplace, *, seed: int) -> dict[str, pa.Table]:
    """The ledger's tables as known at the end of the last day, in time order; the same seed gives the same bytes.

    >>> made = simulate(Marketplace(orders=100, days=30), seed=1)
    >>> len(made), made["orders"].num_rows
    (24, 100)
    """
    return tables(happen(parameters, seed=seed))


def simulate_ledger(parameters: Marketplace, out: Path, *, seed: int, said: Said) -> dict[str, object]:
    """Writes the ledger of a simulated marketplace to `out`, and its truth to `out`/truth/."""
    with whole(out) as folder, _bar() as bar:
        said(f"simulating {parameters.orders:,} orders over {parameters.days:g} days")
        events = happen(parameters, seed=seed)
        bar.update()
        names = Names(events)
        made = tables(events, names)
        bar.update()
        said(f"writing {len(made)} tables and the truth to {out}")
        write_truth(events, names, folder / FOLDER)
        for name, table in made.items():
            pq.write_table(table, folder / f"{name}.parquet")
            bar.update()
    rows = {name: f"{table.num_rows:,} rows" for name, table in made.items()}
    return {**rows, "ledger": str(out), "truth": f"{out / FOLDER}, for evaluation alone"}


def _bar() -> "tqdm[NoReturn]":
    return tqdm(total=2 + len(TABLES), desc="simulating", unit=" steps", delay=2, disable=None, leave=False)


def write_ledger(tables: Mapping[str, pa.Table], out: Path) -> None:
    """Writes `OUT/<table>.parquet` for every table, whole or not at all."""
    with whole(out) as folder:
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet")


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A folder beside what is to be in `out`, whose files take their names there once all are written, orders last.

    If anything fails nothing of it is left. Raises LedgerError when `out` holds a ledger, or one that another has just
    written, or cannot be written.
    """
    _free(out)
    try:
        missing = [path for path in (out, *out.parents) if not path.exists()]
        out.mkdir(parents=True, exist_ok=True)
        try:
            with TemporaryDirectory(dir=out, prefix=".partial-") as place:
                yield Path(place)
                _moved(Path(place), out)
        except BaseException:
            with suppress(OSError):
                for path in missing:
                    path.rmdir()
            raise
    except OSError as error:
        why = error.strerror or str(error).splitlines()[0]
        raise LedgerError(
            f"{out}: want a directory with room to write the ledger, got {why}; nothing was left there"
        ) from error


def _moved(folder: Path, out: Path) -> None:
    """Moves everything to `out`, where no name may be taken; takes back what was moved when one is."""
    taken: list[Path] = []
    try:
        for path in sorted(folder.iterdir(), key=lambda path: (path.name == "orders.parquet", path.name)):
            target = out / path.name
            try:  # claim the name: of two who write at once, one fails here
                target.mkdir() if path.is_dir() else target.open("x").close()
            except FileExistsError as error:
                raise _held(out, target.stem) from error
            taken.append(target)
            path.replace(target)
    except BaseException:
        for target in taken:
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        raise


def _free(out: Path) -> None:
    """Raises LedgerError when a directory holds a ledger, or the truth of one."""
    names = [out / name for name in (*TABLES, FOLDER)]
    held = [path.name for path in names if path.with_suffix(".parquet").exists() or path.exists()]
    if held:
        raise _held(out, held[0])


def _held(out: Path, name: str) -> LedgerError:
    return LedgerError(f"{out}: want a directory without a ledger, got one that holds {name}; choose another")
