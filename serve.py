"""The platform's side: scores and decisions for one case at a time, as a function and over HTTP."""

from models.telling import Told
from service.application import app
from service.scorer import Score, Scorer

__all__ = ["Score", "Scorer", "Told", "app"]
