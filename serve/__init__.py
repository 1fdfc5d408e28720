"""The platform's side: scores and decisions for one case at a time, as a function and over HTTP."""

from serve.application import app
from serve.scorer import Score, Scorer, Told

__all__ = ["Score", "Scorer", "Told", "app"]
