"""Measurements to checked values in the table's units, named feature columns, and bedside scores."""

from .checking import Checked, check, present
from .latest import common_codes, latest
from .levels import learnt_additions, settle_levels, without_free_text
from .monotone import Constraint, check_constraints, directions, mixed, read_constraints
from .plans import FeaturePlan, plan
from .scores import news2, qsofa, rule_scores, shock_index, sofa
from .summaries import Features, features

__all__ = [
    "Checked",
    "Constraint",
    "FeaturePlan",
    "Features",
    "check",
    "check_constraints",
    "common_codes",
    "directions",
    "features",
    "latest",
    "learnt_additions",
    "mixed",
    "news2",
    "plan",
    "present",
    "qsofa",
    "read_constraints",
    "rule_scores",
    "settle_levels",
    "shock_index",
    "sofa",
    "without_free_text",
]
