"""Answers: probabilities that mean what they say, and the parts they are made of."""

from models.evaluate import evaluate
from models.fit import Model, fit, load

__all__ = ["Model", "evaluate", "fit", "load"]
