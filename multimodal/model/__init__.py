"""ClinicalModel and its options."""

from .clinical_model import ClinicalModel
from .config import Config, as_toml, read_config, with_options

__all__ = ["ClinicalModel", "Config", "as_toml", "read_config", "with_options"]
