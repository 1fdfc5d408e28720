"""What every test shares."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import settings

from benchmarks.postgres import Server, made, programs
from pipelines.score import score

# Compiling a kernel outlasts any deadline. On CI the parent profile already draws the same examples every time.
settings.register_profile("redress", deadline=None)
settings.load_profile("redress")


@pytest.fixture
def job(tmp_path: Path) -> Callable[[str, Path, Path], pd.DataFrame]:
    """The job of scoring: what it writes of all askings of a question in a ledger, by a model in a directory."""

    def scores(question: str, ledger: Path, model: Path) -> pd.DataFrame:
        out = tmp_path / "scores.parquet"
        options = {"start": None, "stop": None, "asks": None}
        score(question, ledger, str(model), out, **options, with_reasons=False, tracking="", said=lambda line: None)
        return pd.read_parquet(out)

    return scores


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of this run's own, empty; tests that use it are skipped where PostgreSQL is not installed."""
    pytest.importorskip("psycopg")
    if programs() is None:
        pytest.skip("needs the programs of PostgreSQL: apt-get install postgresql")
    with TemporaryDirectory(prefix="redress-") as home:  # its parents are open to the user whom the server runs as
        server = made(Path(home))
        yield server
        server.stop("immediate")
