"""A model measured on a cohort: metrics, and a report that reads in a minute."""

from .compare import Comparison, compare
from .evaluate import BY, Evaluation, check_free, evaluate

__all__ = ["BY", "Comparison", "Evaluation", "check_free", "compare", "evaluate"]
