"""Cohorts on disk, importers, the synthetic cohort. Knows records."""

from .cohort import Cohort
from .tables import CohortTables
from .write import new_cohort, write_cohort

__all__ = ["Cohort", "CohortTables", "new_cohort", "write_cohort"]
