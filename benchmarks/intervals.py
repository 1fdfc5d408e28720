"""How often a 90 % interval holds the true probability, in simulated worlds in which it is known to the measuring alone."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.winning import QUESTION, World, world
from benchmarks.workbench import Workbench, markdown
from models import Model
from models.fit import BAGS
from models.odds import WIDE
from models.questions import QUESTIONS
from pipelines.learning import Learnt, grown

LEARNT: Final = (2_000, 20_000)
"""Cases that are learnt from: few and many."""
WIDTHS: Final = (1.0, 1.645, WIDE, 3.0)
"""Standard errors on either side; by the bags alone 1.645 would be 90 %."""


def intervals(bench: Workbench) -> str:
    """Share of true chances of winning that intervals of so many standard errors hold; those shown are to hold 90 %."""
    found = list[dict[str, object]]()
    for turn in range(bench.seeds or bench.runs):
        here, there = (world(bench, seed) for seed in (2 * turn + 1, 2 * turn + 2))
        found += [_held(f"{2 * turn + 1}, {2 * turn + 2}", here, there, cases) for cases in LEARNT]
    return markdown(found)


def _held(seeds: str, here: World, there: World, cases: int) -> dict[str, object]:
    learnt = Learnt(here.frame[:cases], here.answer[:cases], np.ones(len(here.answer[:cases])))
    model = grown(QUESTIONS[QUESTION], learnt, 0, bags=BAGS)
    shares = {f"±{width:.3g}": share for width, share in zip(WIDTHS, coverage(model, there, WIDTHS), strict=True)}
    miss, thin = np.abs(model.predict_proba(there.frame)[:, 1] - there.true), model.abstains(there.frame)
    misses = {
        "abstains": thin.mean(),
        "mean miss there": miss[thin].mean() if thin.any() else np.nan,
        "else": miss[~thin].mean(),
    }
    return {"worlds": seeds, "learnt from": len(learnt.answer)} | {
        name: float(one) for name, one in (shares | misses).items()
    }


def coverage(model: Model, there: World, widths: Sequence[float]) -> list[float]:
    """The share of true probabilities within so many standard errors of the model's log-odds."""
    away = np.abs(np.log(there.true / (1 - there.true)) - model.logit(there.frame))
    errors = model.errors(there.frame)
    return [float((away <= width * errors).mean()) for width in widths]
