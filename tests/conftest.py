"""What every test shares."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

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
