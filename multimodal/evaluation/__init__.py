"""A model measured on a cohort: metrics, and a report that reads in a minute."""

from .evaluate import Evaluation, check_free, evaluate

__all__ = ["Evaluation", "check_free", "evaluate"]
