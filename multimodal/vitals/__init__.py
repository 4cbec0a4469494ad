"""Measurements to checked values in the table's units, named feature columns, and bedside scores."""

from .checking import Checked, check, present
from .plans import FeaturePlan, plan
from .scores import news2, qsofa, rule_scores, shock_index, sofa
from .summaries import Features, features

__all__ = [
    "Checked",
    "FeaturePlan",
    "Features",
    "check",
    "features",
    "news2",
    "plan",
    "present",
    "qsofa",
    "rule_scores",
    "shock_index",
    "sofa",
]
