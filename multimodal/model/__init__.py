"""ClinicalModel and its options, and the audit of a cohort."""

from .auditing import audit
from .clinical_model import ClinicalModel
from .config import Config, as_toml, read_config, with_options

__all__ = ["ClinicalModel", "Config", "as_toml", "audit", "read_config", "with_options"]
