"""Measurements to checked values in the table's units, named feature columns, and bedside scores."""

from .checking import Checked, check, present
from .monotone import Constraint, directions, read_constraints
from .plans import FeaturePlan, plan
from .scores import news2, qsofa, rule_scores, shock_index, sofa
from .summaries import Features, features

__all__ = [
    "Checked",
    "Constraint",
    "FeaturePlan",
    "Features",
    "check",
    "directions",
    "features",
    "news2",
    "plan",
    "present",
    "qsofa",
    "read_constraints",
    "rule_scores",
    "shock_index",
    "sofa",
]
