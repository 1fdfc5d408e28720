"""The model: trees and linear terms over named signals, calibrated, with intervals; how it is saved and loaded."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from features import RedressError
from features.credit import Prior
from features.kernel import DAY
from features.signal import Float
from models.attributions import Tables, tables
from models.explain import summed
from models.forest import Forest, forest
from models.linear import Linear
from models.odds import calibrated, divided, ends, probability, spread
from models.telling import reasons
from models.trees import Booster, booster, said

FORMAT: Final = 4
RIVALS: Final = ("fault_probability", "mistake_probability")
"""Names of the two explanations of a no: a seller's or product's fault, and a carrier's or honest mistake."""


@dataclass(frozen=True)
class Followed:
    """A column of log-odds that an intercept follows: its name, its mean in training, and the share of its way to go."""

    name: str
    mean: float
    pull: float = 1.0

    def of_frame(self, frame: pd.DataFrame) -> Float:
        """What it adds to the log-odds (n,), 0 where unknown."""
        return self.of(frame[self.name].to_numpy(np.float64))

    def of(self, values: Float) -> Float:
        """What values (n,) of the column add to the log-odds, 0 where unknown."""
        return self.pull * np.where(np.isnan(values), 0.0, values - self.mean)


@dataclass(frozen=True)
class Model:
    """Trees over named signals, calibrated by a straight line in log-odds, and a card that says where they come from.

    The slope is that of the trees alone. If it `follows` a column of log-odds, the difference of that from its mean in
    training is added to what the trees say; where declared terms are `linear`, trees say what is beyond these, and there may
    be none. `bags` are the same of rows drawn with replacement, from which intervals come. A `rival` is a model of how
    probable the first of RIVALS is where the answer is no.
    """

    trees: str
    signals: tuple[str, ...]
    slope: float = 1.0
    intercept: float = 0.0
    follows: Followed | None = None
    card: Mapping[str, object] = field(default_factory=dict)
    linear: Linear | None = None
    bags: tuple["Model", ...] = ()
    rival: "Model | None" = None

    @cached_property
    def booster(self) -> Booster:
        """The trees, ready to be run by LightGBM."""
        return booster(self.trees)

    @cached_property
    def forest(self) -> Forest | None:
        """The trees, ready to be walked; None where LightGBM itself has to be asked."""
        return forest([(self.trees, range(len(self.signals)))])

    @cached_property
    def tables(self) -> Tables | None:
        """What the trees add, tabulated; None where LightGBM itself has to be asked."""
        return tables(self.trees)

    def __getstate__(self) -> dict[str, object]:
        """What a pickle holds: the text of the trees and not again what was made of it to run them."""
        return {name: value for name, value in vars(self).items() if name not in ("booster", "forest", "tables")}

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of a frame that it reads."""
        rival = () if self.rival is None else self.rival.columns
        return tuple(dict.fromkeys((*self.signals, *(() if self.follows is None else (self.follows.name,)), *rival)))

    @property
    def question(self) -> str:
        """The question it answers; RedressError where its card names none."""
        if "question" not in self.card:
            raise RedressError("model.card: want the question it answers, got none; add it, as training does")
        return str(self.card["question"])

    @property
    def horizon(self) -> int:
        """The horizon it was trained with, in microseconds."""
        return round(float(str(self.card["horizon_days"])) * DAY)

    @property
    def prior(self) -> Prior:
        """The prior of buyer credit that was known when it was trained."""
        told = self.card.get("credit_prior")
        return Prior() if told is None else Prior.from_json(cast("Mapping[str, Mapping[str, float]]", told))

    def logit(self, frame: pd.DataFrame) -> Float:
        """Calibrated log-odds (n,) of yes."""
        return self._odds(frame, self._matrix(frame))

    def predict_proba(self, frame: pd.DataFrame) -> Float:
        """Calibrated probabilities (n, 2) of no and of yes."""
        yes = probability(self.logit(frame))
        return np.column_stack([1 - yes, yes])

    def errors(self, frame: pd.DataFrame) -> Float:
        """Standard error (n,) of the log-odds by chance alone: how far the bags are apart, NaN without any."""
        return self._errors(frame, self._matrix(frame))

    def doubt(self, frame: pd.DataFrame) -> pd.DataFrame:
        """For each row the ends `low` and `high` of the 90 % interval of its probability, NaN without bags, and `abstain`.

        It abstains where too little is known to say: the standard error is larger than those of nearly all the latest rows.
        """
        matrix = self._matrix(frame)
        return self._doubt(self._odds(frame, matrix), self._errors(frame, matrix))

    def interval(self, frame: pd.DataFrame) -> Float:
        """Lower and upper end (n, 2) of the probability of yes, 90 %; NaN without bags."""
        return self.doubt(frame)[["low", "high"]].to_numpy(np.float64)

    def abstains(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Where (n,) it abstains."""
        return self.doubt(frame)["abstain"].to_numpy(np.bool_)

    def rivals(self, frame: pd.DataFrame) -> pd.DataFrame:
        """How a no divides for each row, columns RIVALS, which with the probability of yes sum to 1; none without a rival."""
        if self.rival is None:
            return pd.DataFrame(index=range(len(frame)))
        return _divided(probability(self.logit(frame)), self.rival.predict_proba(frame)[:, 1])

    def contributions(self, frame: pd.DataFrame) -> Float:
        """What each signal adds to the log-odds (n, signals + 1), last what is the same for all; rows sum to `logit`."""
        return self._added(frame, self._matrix(frame))

    def parts(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Log-odds of each row by part, one column for each of explain.COLUMNS; they sum to those of its probability."""
        return summed(self.question, self.signals, self.contributions(frame))

    def reasons(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Why each row's probability is what it is: codes and lines for reviewer, seller and buyer, under telling.TOLD."""
        return reasons(self.question, self.signals, frame, self.contributions(frame))

    def scored(self, frame: pd.DataFrame, *, with_reasons: bool = False) -> pd.DataFrame:
        """All that it says of each row.

        `probability`; with bags `low`, `high` and `abstain`; with a rival how a no divides; the parts; the reasons if wanted.
        """
        matrix = self._matrix(frame)
        odds, added = self._odds(frame, matrix), self._added(frame, matrix)
        yes = probability(odds)
        found = [pd.DataFrame({"probability": yes})]
        if self.bags:
            found.append(self._doubt(odds, self._errors(frame, matrix)))
        if self.rival is not None:
            found.append(_divided(yes, self.rival.predict_proba(frame)[:, 1]))
        found.append(summed(self.question, self.signals, added))
        if with_reasons:
            found.append(reasons(self.question, self.signals, frame, added))
        return pd.concat(found, axis=1)

    def save(self, folder: Path) -> None:
        """Writes `model.txt`, LightGBM's own format, and `model.json`, all the rest."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.txt").write_text(self.trees)
        told = {"format": FORMAT} | self._rest() | {"digest": self.version}
        (folder / "model.json").write_text(json.dumps(told, indent=1) + "\n")

    @cached_property
    def version(self) -> str:
        """Thirty-two hex digits of all that it is."""
        return _digest(self.trees, {"format": FORMAT} | self._rest())

    def _rest(self) -> dict[str, object]:
        """All but the trees, as plain types."""
        return {
            "signals": self.signals,
            "slope": self.slope,
            "intercept": self.intercept,
            "follows": self.follows and asdict(self.follows),
            "card": self.card,
            "linear": self.linear and self.linear.to_json(),
            "bags": [{"trees": bag.trees, "linear": bag.linear and bag.linear.to_json()} for bag in self.bags],
            "rival": self.rival and {"trees": self.rival.trees} | self.rival._rest(),
        }

    def attributed(self, matrix: NDArray[np.float32], terms: Float | None, moved: Float) -> Float:
        """What each signal of a matrix (n, signals) adds (n, signals + 1), with what terms and what it follows add besides."""
        added = self.slope * self._run(matrix, contributions=True)
        if terms is not None:
            added += terms
        added[:, -1] += self.intercept + moved
        return added

    def thin(self, errors: Float) -> NDArray[np.bool_]:
        """Where too little is known, by the standard errors (n,)."""
        limit = self.card.get("thin_from")
        return np.zeros(len(errors), np.bool_) if limit is None else errors > float(str(limit))

    def _odds(self, frame: pd.DataFrame, matrix: NDArray[np.float32]) -> Float:
        return calibrated(self._run(matrix), begun(frame, self.linear, self.follows), self.slope, self.intercept)

    def _errors(self, frame: pd.DataFrame, matrix: NDArray[np.float32]) -> Float:
        if len(self.bags) < 2:
            return np.full(len(frame), np.nan)
        return spread([bag._odds(frame, matrix) for bag in self.bags])

    def _doubt(self, odds: Float, errors: Float) -> pd.DataFrame:
        low, high = (probability(end) for end in ends(odds, errors))
        return pd.DataFrame({"low": low, "high": high, "abstain": self.thin(errors)})

    def _added(self, frame: pd.DataFrame, matrix: NDArray[np.float32]) -> Float:
        terms = None if self.linear is None else self.linear.contributions(frame, self.signals)
        return self.attributed(matrix, terms, begun(frame, None, self.follows))

    def _run(self, matrix: NDArray[np.float32], *, contributions: bool = False) -> Float:
        if not self.trees or not len(matrix):
            return np.zeros((len(matrix), len(self.signals) + 1) if contributions else len(matrix))
        if contributions and self.tables is not None:
            return self.tables.contributions(matrix)
        if not contributions and self.forest is not None:
            return self.forest.said(matrix)[:, 0]
        return said(self.booster, matrix, contributions=contributions)

    def _matrix(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        lost = [name for name in self.columns if name not in frame]
        if lost:
            few = f"{lost[0]} and {len(lost) - 1} more" if len(lost) > 1 else lost[0]
            raise RedressError(
                f"model: want its {len(self.columns)} signals, got a frame without {few}{near(lost[0], frame)}; "
                "score a ledger that has the tables it was trained on, or train on this one"
            )
        if self.follows is not None:
            numbers(frame, [self.follows.name])
        return numbers(frame, self.signals)


def _divided(yes: Float, first: Float) -> pd.DataFrame:
    """How the rest of a probability divides, columns RIVALS, where `first` is the share of the first."""
    return pd.DataFrame(dict(zip(RIVALS, divided(yes, first), strict=True)))


def near(name: str, names: Iterable[object]) -> str:
    """The name most like one that is missing, as the end of a sentence; nothing where none is like it.

    >>> near("buyer_orders_count_90d", ["buyer_orders_90d", "at"])
    ' but with buyer_orders_90d'
    """
    like = get_close_matches(name, [str(other) for other in names], n=1)
    return f" but with {like[0]}" if like else ""


def numbers(frame: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """The columns of a frame as numbers (n, m); RedressError for one that is twice there, holds words, or an infinity."""
    twice = frame.columns[frame.columns.duplicated()].intersection(list(names))
    if len(twice):
        raise RedressError(f"{twice[0]}: want one column of that name, got several; leave the others out")
    words = next((name for name in names if not is_numeric_dtype(frame[name])), None)
    if words is not None:
        raise RedressError(f"{words}: want a column of numbers, got {frame[words].dtype}; give NaN for what is unknown")
    with np.errstate(over="ignore"):
        matrix = frame[list(names)].to_numpy(np.float32)
    finite(matrix, names)
    return matrix


def finite(matrix: NDArray[np.float32], names: Sequence[str]) -> None:
    """Raises RedressError for the first column that holds an infinity; what is unknown is NaN."""
    infinite = np.isinf(matrix)
    if infinite.any():
        column = int(infinite.any(axis=0).argmax())
        rows = int(infinite[:, column].sum())
        raise RedressError(
            f"{names[column]}: want numbers that float32 can hold, got {rows} of {len(matrix)} that are infinite; "
            "give NaN for what is unknown"
        )


def load(folder: str | Path) -> Model:
    """The model in a directory that `Model.save` wrote; RedressError when it is not whole."""
    path = Path(folder)
    try:
        trees, rest = (path / "model.txt").read_text(), dict(json.loads((path / "model.json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise RedressError(f"{folder}: want model.txt and model.json, got {error}; train again") from None
    if rest.get("format") != FORMAT:
        came = rest.get("format")
        raise RedressError(f"{folder}: want a model of format {FORMAT}, got {came}; train again with this version")
    if rest.pop("digest", None) != _digest(trees, rest):
        raise RedressError(f"{folder}: want model.txt and model.json as they were saved, got them edited; train again")
    return _restored(trees, rest)


def _restored(trees: str, rest: Mapping[str, Any]) -> Model:
    """The model of trees and of what `Model.save` wrote beside them."""
    follows = rest["follows"] and Followed(**rest["follows"])
    terms = rest["linear"] and Linear.from_json(rest["linear"])
    whole = Model(trees, tuple(rest["signals"]), rest["slope"], rest["intercept"], follows, rest["card"], terms)
    bags = [(one["trees"], one["linear"] and Linear.from_json(one["linear"])) for one in rest["bags"]]
    grown = tuple(replace(whole, trees=text, linear=some, card={}) for text, some in bags)
    rival = rest["rival"] and _restored(rest["rival"]["trees"], rest["rival"])
    return replace(whole, bags=grown, rival=rival)


def _digest(trees: str, rest: Mapping[str, object]) -> str:
    return hashlib.blake2b((trees + json.dumps(rest, sort_keys=True)).encode(), digest_size=16).hexdigest()


def begun(frame: pd.DataFrame, terms: Linear | None, follows: Followed | None) -> Float:
    """The log-odds (n,) that trees begin at: what the terms say, and how far what is followed is from its mean."""
    told = np.zeros(len(frame)) if terms is None else terms.logit(frame)
    return told if follows is None else told + follows.of_frame(frame)
