"""Answers: probabilities that mean what they say, and the parts they are made of."""

from models.estimator import DisputeClassifier
from models.evaluate import evaluate
from models.fit import fit
from models.model import Model, load

__all__ = ["DisputeClassifier", "Model", "evaluate", "fit", "load"]
