"""An instant score: all that a model says of one row of signals, without a frame; the same to the bit as in the batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan

import numpy as np
from numpy.typing import NDArray

from features.kernel import Int
from features.signal import Float
from models.explain import COLUMNS, grouped, parted
from models.forest import Forest, forest
from models.linear import Lines, lines
from models.model import RIVALS, Followed, Model, finite
from models.odds import calibrated, divided, ends, probability, spread
from models.telling import Speech, Told
from models.trees import said


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of one row, as `Model.scored` tells it of many.

    NaN are `low` and `high` of a model without bags, which never abstains; `rivals` are empty without a rival, `parts`
    (explain.COLUMNS) where they were not wanted, and `told` is None where reasons were not.
    """

    probability: float
    low: float = nan
    high: float = nan
    abstain: bool = False
    rivals: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)
    told: Told | None = None


@dataclass(frozen=True)
class Instant:
    """A model made ready for one row at a time.

    `columns` are all that it reads, its signals first, `there` those of them that rows have and `places` where these stand.
    Of the model, its bags and its rival, the `members`, `forest` holds the trees, None where LightGBM itself has to be asked.
    """

    model: Model
    columns: tuple[str, ...]
    there: Int
    places: Int
    members: tuple[Model, ...]
    forest: Forest | None
    group: Int
    speech: Speech

    @classmethod
    def of(cls, model: Model, names: Sequence[str]) -> "Instant":
        """A model made ready for rows of signals of these names; what it reads and rows lack is unknown."""
        members = (model, *model.bags, *(() if model.rival is None else (model.rival,)))
        terms = (name for one in members if one.linear is not None for name in one.linear.signals)
        columns = tuple(dict.fromkeys((*model.columns, *terms)))
        own, given = ({name: i for i, name in enumerate(some)} for some in (columns, names))
        there = [own[name] for name in columns if name in given]
        ready = cls(
            model,
            columns,
            np.array(there, np.int64),
            np.array([given[columns[i]] for i in there], np.int64),
            members,
            forest([(one.trees, [own[name] for name in one.signals]) for one in members]),
            parted(model.question, model.signals),
            Speech.of(model.question, model.signals),
        )
        ready.told(
            np.full(len(names), np.nan, np.float32), with_reasons=True
        )  # the first row takes no longer than others
        return ready

    @cached_property
    def lines(self) -> Lines | None:
        """The linear terms of the members that have any."""
        some = [one.linear for one in self.members if one.linear is not None]
        return lines(some, self.columns, () if self.model.linear is None else self.model.signals) if some else None

    @cached_property
    def followed(self) -> tuple[tuple[Followed, int], ...]:
        """What members follow, each once, and its column."""
        some = dict.fromkeys(one.follows for one in self.members if one.follows is not None)
        return tuple((one, self.columns.index(one.name)) for one in some)

    def told(self, row: NDArray[np.float32], *, with_parts: bool = True, with_reasons: bool = False) -> Scored:
        """What the model says of a row of signals (names,), with reasons if wanted; RedressError for an infinity."""
        own = self._own(row)
        moved = {one: float(one.of(own[at : at + 1].astype(np.float64))[0]) for one, at in self.followed}
        odds = self._odds(own, moved)
        some = odds[1 : 1 + len(self.model.bags)]
        error = float(spread(some)) if len(some) > 1 else nan
        yes, low, high, *first = probability(
            np.array([odds[0], *ends(odds[0], error), *odds[1 + len(some) :]])
        ).tolist()
        abstain = bool(self.model.bags) and bool(self.model.thin(np.array([error]))[0])
        rivals = dict(zip(RIVALS, divided(yes, first[0]), strict=True)) if first else {}
        if not with_parts and not with_reasons:
            return Scored(yes, low, high, abstain, rivals)
        added = self._added(own, moved)
        parts = dict(zip(COLUMNS, grouped(added, self.group, len(COLUMNS))[0].tolist(), strict=True))
        told = next(self.speech.told(own[None, : len(self.model.signals)], added)) if with_reasons else None
        return Scored(yes, low, high, abstain, rivals, parts, told)

    def _own(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        """The row's own columns, NaN where it lacks one."""
        own = np.full(len(self.columns), np.nan, np.float32)
        own[self.there] = row[self.places]
        finite(own[None], self.columns)
        return own

    def _odds(self, own: NDArray[np.float32], moved: Mapping[Followed, float]) -> list[float]:
        """The log-odds that each member gives."""
        raw = self._raw(own)
        linear = iter([] if self.lines is None else self.lines.logits(own[None])[0].tolist())
        found = list[float]()
        for one, added in zip(self.members, raw, strict=True):
            begun = 0.0 if one.linear is None else next(linear)
            begun = begun if one.follows is None else begun + moved[one.follows]
            found.append(calibrated(added, begun, one.slope, one.intercept))
        return found

    def _raw(self, own: NDArray[np.float32]) -> list[float]:
        """What the trees of each member add up to."""
        if self.forest is not None:
            found: list[float] = self.forest.said(own[None])[0].tolist()
            return found
        own_of = {name: i for i, name in enumerate(self.columns)}
        rows = (own[None, [own_of[name] for name in one.signals]] for one in self.members)
        return [
            float(said(one.booster, row)[0]) if one.trees else 0.0 for one, row in zip(self.members, rows, strict=True)
        ]

    def _added(self, own: NDArray[np.float32], moved: Mapping[Followed, float]) -> Float:
        """What each signal adds to the log-odds (1, signals + 1)."""
        model, terms = self.model, None
        if model.linear is not None and self.lines is not None:
            terms = np.zeros((1, len(model.signals) + 1))
            self.lines.share(own[None], terms)
        follows = 0.0 if model.follows is None else moved[model.follows]
        return model.attributed(own[None, : len(model.signals)], terms, np.array([follows]))
