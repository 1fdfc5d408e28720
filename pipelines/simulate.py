"""The job of simulating: a marketplace's ledger with its truth beside it, whole or not at all."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from features import LedgerError
from features.tables import TABLES
from pipelines.check import Said
from pipelines.marketplace import Marketplace, happen
from pipelines.marketplace.ledger import Names, tables
from pipelines.marketplace.truth import FOLDER, write_truth


def simulate(parameters: Marketplace, *, seed: int) -> dict[str, pa.Table]:
    """The ledger's tables as known at the end of the last day, in time order; the same seed gives the same bytes.

    >>> made = simulate(Marketplace(orders=100, days=30), seed=1)
    >>> len(made), made["orders"].num_rows
    (24, 100)
    """
    return tables(happen(parameters, seed=seed))


def simulate_ledger(parameters: Marketplace, out: Path, *, seed: int, said: Said) -> dict[str, object]:
    """Writes the ledger of a simulated marketplace to `out`, and its truth to `out`/truth/."""
    _free(out)
    said(f"simulating {parameters.orders:,} orders over {parameters.days:g} days")
    with tqdm(total=2 + len(TABLES), desc="simulating", unit=" steps", delay=2, disable=None, leave=False) as bar:
        events = happen(parameters, seed=seed)
        bar.update()
        names = Names(events)
        made = tables(events, names)
        bar.update()
        said(f"writing {len(made)} tables and the truth to {out}")
        write_ledger(made, out, lambda folder: write_truth(events, names, folder), seen=bar.update)
    rows = {name: f"{table.num_rows:,} rows" for name, table in made.items()}
    return {**rows, "ledger": str(out), "truth": f"{out / FOLDER}, for evaluation alone"}


def write_ledger(
    tables: Mapping[str, pa.Table],
    out: Path,
    beside: Callable[[Path], None] | None = None,
    seen: Callable[[], object] = bool,
) -> None:
    """Writes `OUT/<table>.parquet` for every table, and what `beside` writes to OUT/truth/, whole or not at all.

    All files are written beside first; orders take their name last, and without them nothing is a ledger. `seen` hears of
    each table. Raises LedgerError when `out` holds a ledger or cannot be written.
    """
    _free(out)
    with _new(out), TemporaryDirectory(dir=out, prefix=".partial-") as place:
        folder = Path(place)
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet")
            seen()
        if beside is not None:
            beside(folder / FOLDER)
        for path in sorted(folder.iterdir(), key=lambda path: path.name == "orders.parquet"):
            path.rename(out / path.name)


def _free(out: Path) -> None:
    """Raises LedgerError when a directory holds a ledger, or the truth of one."""
    try:
        held = [name for name in (*TABLES, FOLDER) if (out / f"{name}.parquet").exists() or (out / name).exists()]
    except OSError as error:
        raise _unwritable(out, error) from error
    if held:
        raise LedgerError(f"{out}: want a directory without a ledger, got one that holds {held[0]}; choose another")


@contextmanager
def _new(out: Path) -> Iterator[None]:
    """Makes a directory for what is written in it, and takes away again what was made when that fails."""
    try:
        missing = [path for path in (out, *out.parents) if not path.exists()]
        out.mkdir(parents=True, exist_ok=True)
        try:
            yield
        except BaseException:
            for path in missing:
                path.rmdir()
            raise
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> LedgerError:
    """What to say when a ledger cannot be written; nothing of it is left."""
    why = error.strerror or str(error).splitlines()[0]
    return LedgerError(f"{out}: want a directory with room to write the ledger, got {why}; nothing was left there")
