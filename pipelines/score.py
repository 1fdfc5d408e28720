"""The job of scoring: a model's probability for each asking, and the parts of its log-odds, in Parquet."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from features import Ledger, RedressError
from features.asking import Askings
from features.build import blocks
from features.dictionary import dictionary, lacking
from models import Model, load
from models.loss import expected_losses, priced
from models.questions import answered
from models.questions import asked as about
from pipelines.opening import Said, moment, opened
from pipelines.signals import chosen, progress, write_frames


def model_at(uri: str, question: str, tracking: str) -> Model:
    """The model in a directory, in its folder named after the question, or under an MLflow URI; it must answer the question."""
    folder = Path(uri)
    if folder.is_dir() or ":" not in uri:
        model = load(folder / question if (folder / question / "model.json").exists() else folder)
    else:
        from models.registry import opened as registered

        model = registered(uri, tracking=tracking)
    if model.card.get("question") != question:
        raise RedressError(
            f"{uri}: want a model of {question}, got one of {model.card.get('question')}; name another model"
        )
    return model


def score(
    question: str,
    ledger: Path,
    model: str,
    out: Path,
    *,
    start: int | None,
    stop: int | None,
    asks: Path | None,
    with_reasons: bool,
    tracking: str,
    said: Said,
) -> dict[str, object]:
    """Writes `ask_id`, `at`, `probability` and the parts of each asking to `out`, with reasons if wanted.

    Of an order whose model knows how chargebacks end, `expected_loss` in cents follows the probability; of a dispute whose
    model has a rival, how probable a fault and a mistake are, which with the probability sum to 1.
    """
    about(question)
    loaded = model_at(model, question, tracking)
    facts = opened(ledger, said)
    able(loaded, facts, question)
    horizon = loaded.horizon
    asked = chosen(facts, question, start, stop, asks, said)
    which = asked.take(np.flatnonzero(~answered(facts, asked, horizon)))
    trained_until = str(loaded.card["trained_until"])
    if len(which) and moment(int(which.at[0])) < trained_until:
        said(
            f"warning: some askings are older than {trained_until}, until when the model was trained; it may know their answers"
        )
    said(f"scoring {len(which):,} askings")
    rows = write_frames(_scored(loaded, facts, which, horizon, with_reasons), out)
    closing: dict[str, object] = {"question": question, "askings scored": rows}
    return closing | {"left out, answered before asking": len(asked) - len(which), "model": model, "written": str(out)}


def prepared(models: Path, question: str, ledger: Path, start: int, said: Said) -> tuple[Model, Ledger]:
    """The model of a question and the ledger to ask it about; says where it may know the answers from a moment on."""
    model, facts = model_at(str(models), question, ""), opened(ledger, said)
    able(model, facts, question)
    until = str(model.card["trained_until"])
    if moment(start) < until:
        said(f"warning: the model was trained until {until}; of older disputes it may know the answers")
    return model, facts


def able(model: Model, ledger: Ledger, question: str) -> None:
    """Raises RedressError when the ledger cannot give a signal that the model was trained on."""
    declared = {signal.name: signal for signal in dictionary(question)}
    for name in model.columns:
        if name not in declared:
            raise RedressError(f"model: want signals of this version, got one trained on {name}; train again")
        if needs := lacking(ledger, declared[name]):
            raise RedressError(
                f"{ledger.name}: want {', '.join(needs)} for signals the model was trained on, such as {name}, got none; "
                "add it or train on this ledger"
            )


def _scored(model: Model, ledger: Ledger, asks: Askings, horizon: int, with_reasons: bool) -> Iterator[pd.DataFrame]:
    done, prices = 0, priced(model.card)
    with progress(len(asks), "scores") as bar:
        for frame in blocks(ledger, asks, horizon=horizon, prior=model.prior, only=model.columns):
            told = model.scored(frame, with_reasons=with_reasons)
            if prices:
                some, probability = asks.take(np.arange(done, done + len(frame))), told["probability"].to_numpy()
                told.insert(1, "expected_loss", expected_losses(ledger, some, probability, prices))
            yield pd.concat([frame[["ask_id", "at"]], told], axis=1)
            done += len(frame)
            bar.update(len(frame))
