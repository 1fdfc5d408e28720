"""Models where others find them: logged and registered in MLflow as code and text; the only door to MLflow."""

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

# A platform's training tells nobody but its own tracking server; MLflow reads this when it is loaded.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
import mlflow
import pandas as pd
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from features import RedressError
from features.asking import ASKED
from models.model import Model, load
from models.promotion import Verdict

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
UNUSABLE: Final = (MlflowException, SQLAlchemyError, OSError, ImportError)
"""What a tracking server, or its database, that cannot be used raises."""
RETRIES: Final = "3"
"""How often a tracking server that does not answer is asked again, unless MLflow is told otherwise: seconds, not minutes."""
CODE: Final = '''"""A redress model as MLflow serves it: signals in, probability, interval and parts of log-odds out."""

import mlflow
import pandas
from models.model import load


class Served(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.model = load(context.artifacts["model"])

    def predict(self, context, model_input: pandas.DataFrame, params=None):
        return self.model.scored(model_input)


mlflow.models.set_model(Served())
'''
"""The model's code, run as text where others would unpickle an object."""
REQUIRED: Final = (
    "joblib",
    "lightgbm",
    "mlflow",
    "numba",
    "numpy",
    "pandas",
    "pandera",
    "pyarrow",
    "scikit-learn",
    "scipy",
)
"""What the code needs wherever the model is loaded, at the versions it was trained with."""


@dataclass(frozen=True)
class Registered:
    """Where a model is to be found: its URI, the version, the alias it got, and the run that logged it."""

    uri: str
    version: int
    alias: str
    run: str


def reach(tracking: str) -> None:
    """Raises RedressError when the tracking server cannot be used, before anything is trained for it."""
    _quiet()
    try:
        mlflow.set_tracking_uri(tracking)
        MlflowClient().search_experiments(max_results=1)
    except UNUSABLE as error:
        raise _unusable(tracking, error) from None


def register(
    model: Model,
    verdict: Verdict,
    *,
    tracking: str,
    example: pd.DataFrame,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    files: Sequence[Path] = (),
    says: str = "",
) -> Registered:
    """Logs a model with its parameters, metrics, verdict, files and folders, and registers it under its question's name.

    A promoted one becomes the champion and the one before it the challenger; any other the challenger. `says` describes the
    version. Raises RedressError when the tracking server cannot be used; then neither version nor alias is left.
    """
    question = model.question
    _quiet()
    try:
        mlflow.set_tracking_uri(tracking)
        mlflow.set_experiment(experiment_id=_experiment(question, tracking))
        with mlflow.start_run() as run, tempfile.TemporaryDirectory() as scratch:
            mlflow.log_params(dict(parameters))
            mlflow.log_metrics(dict(metrics) | verdict.metrics())
            mlflow.log_dict(verdict.to_json(), "gate.json")
            for path in files:
                mlflow.log_artifact(str(path))
            uri = _logged(model, question, example, Path(scratch))
            tags = {"promotion": verdict.outcome, "promotion_because": verdict.says}
            mlflow.set_tags(tags)
            made, alias = _entered(question, uri, run.info.run_id, tags, says, verdict.promoted)
            return Registered(f"models:/{question}@{alias}", int(made), alias, run.info.run_id)
    except UNUSABLE as error:
        raise _unusable(tracking, error) from None


def _logged(model: Model, question: str, example: pd.DataFrame, scratch: Path) -> str:
    """The URI of a model logged as code and text."""
    logged = mlflow.pyfunc.log_model(
        name=question,
        python_model=str(_written(scratch / "served.py", CODE)),
        artifacts={"model": str(_saved(model, scratch / "model"))},
        code_paths=[str(_copied(package, scratch)) for package in ("features", "models")],
        signature=infer_signature(example, model.scored(example)),
        input_example=example,
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIRED],
    )
    return str(logged.model_uri)


def _experiment(question: str, tracking: str) -> str:
    """The question's experiment; the files of a new one in SQLite lie beside its database."""
    found = mlflow.get_experiment_by_name(question)
    if found is not None:
        return str(found.experiment_id)
    file = tracking.removeprefix("sqlite:///") if tracking.startswith("sqlite:///") else ""
    beside = (Path(file).resolve().parent / "mlruns" / question).as_uri() if file else None
    return str(mlflow.create_experiment(question, artifact_location=beside))


def _entered(question: str, uri: str, run: str, tags: Mapping[str, str], says: str, promoted: bool) -> tuple[str, str]:
    """Registers a version (MLflow's own call prints) and gives it its alias: both, or when a step fails neither."""
    client = MlflowClient()
    with ExitStack() as undo:
        if not client.search_registered_models(f"name = '{question}'"):
            client.create_registered_model(question)
            undo.callback(client.delete_registered_model, question)
        before = dict(client.get_registered_model(question).aliases)
        made = str(client.create_model_version(question, uri, run, tags=dict(tags), description=says).version)
        undo.callback(client.delete_model_version, question, made)
        for alias, whose in _aliases(before, made, promoted).items():
            undo.callback(_alias, client, question, alias, before.get(alias))
            _alias(client, question, alias, whose)
        undo.pop_all()
    return made, CHAMPION if promoted else CHALLENGER


def _aliases(before: Mapping[str, str], made: str, promoted: bool) -> dict[str, str]:
    """The aliases that a new version changes, in an order in which there is a champion at every moment.

    >>> _aliases({"champion": "1"}, "2", promoted=True)
    {'challenger': '1', 'champion': '2'}
    """
    if not promoted:
        return {CHALLENGER: made}
    return ({CHALLENGER: str(before[CHAMPION])} if CHAMPION in before else {}) | {CHAMPION: made}


def _alias(client: MlflowClient, question: str, alias: str, whose: str | None) -> None:
    """Points an alias to a version, or takes it away."""
    if whose is None:
        client.delete_registered_model_alias(question, alias)
    else:
        client.set_registered_model_alias(question, alias, str(whose))


def champion(question: str, *, tracking: str) -> str | None:
    """The version that is the champion of a question, None when there is none."""
    _quiet()
    try:
        mlflow.set_tracking_uri(tracking)
        client = MlflowClient()
        if not client.search_registered_models(f"name = '{question}'"):
            return None
        found = client.get_registered_model(question).aliases.get(CHAMPION)
        return None if found is None else str(found)
    except UNUSABLE as error:
        raise _unusable(tracking, error) from None


def champions(*, tracking: str) -> dict[str, Model]:
    """The champion of each question that has one; RedressError where none has."""
    file = tracking.removeprefix("sqlite:///") if tracking.startswith("sqlite:///") else ""
    if file and not Path(file).is_file():  # MLflow would make one
        raise RedressError(f"tracking {tracking}: want a model registry, got no file {file}; train, or name another")
    versions = {question: champion(question, tracking=tracking) for question in ASKED}
    found = {
        question: opened(f"models:/{question}/{version}", tracking=tracking)
        for question, version in versions.items()
        if version is not None
    }
    if not found:
        raise RedressError(f"tracking {tracking}: want a champion of a question, got none; train with --champion")
    return found


def opened(uri: str, *, tracking: str) -> Model:
    """The model in a directory or under an MLflow URI, such as `models:/chargeback_risk@champion`."""
    if Path(uri).is_dir() or ":" not in uri:
        return load(uri)
    _quiet()
    try:
        mlflow.set_tracking_uri(tracking)
        with tempfile.TemporaryDirectory() as scratch:
            return _loaded(
                Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch)) / "artifacts" / "model", uri
            )
    except UNUSABLE as error:
        raise _unusable(tracking, error) from None


def _loaded(folder: Path, uri: str) -> Model:
    """The model in a directory; a fault names the URI that it came from."""
    try:
        return load(folder)
    except RedressError as error:
        raise RedressError(str(error).replace(str(folder), uri)) from None


def _quiet() -> None:
    """Leaves it to the job to say what is done."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ[str(MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.name)] = "false"
    os.environ.setdefault(str(MLFLOW_HTTP_REQUEST_MAX_RETRIES.name), RETRIES)


def _unusable(tracking: str, error: Exception) -> RedressError:
    """The fault in one line; of a server that does not answer, what was asked and the last reason."""
    says = str(error).splitlines()[0]
    asked, failed, why = says.partition(" failed with exception ")
    if failed:
        reason = why.rpartition(": ")[2].rstrip("\"')")
        says = f"no answer to an {asked} ({reason})"
    return RedressError(f"tracking {tracking}: want a model registry, got {says}; check --tracking")


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _saved(model: Model, folder: Path) -> Path:
    model.save(folder)
    return folder


def _copied(package: str, scratch: Path) -> Path:
    """The sources of one of our packages alone, without compiled caches."""
    source = Path(__file__).parents[1] / package
    return Path(shutil.copytree(source, scratch / package, ignore=shutil.ignore_patterns("__pycache__")))
