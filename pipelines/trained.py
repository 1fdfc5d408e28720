"""The models that there are for a case, in a directory with a folder for each question."""

from pathlib import Path

from features import Ledger
from models import Model
from pipelines.score import model_at


def untrained(models: Path, question: str, ledger: Ledger) -> str:
    """The sentence for a model that is not there."""
    return (
        f"{question}: want its model in {models}, got none; train it with "
        f"redress train {question} --ledger {ledger.name} --out {models}"
    )


def trained(models: Path, question: str) -> Model | None:
    """The model of a question in a directory with one folder for each, None where it is not there."""
    there = (models / question / "model.json").exists()
    return model_at(str(models), question, "") if there else None
