"""multimodal-clinical: images, notes and vital signs -> calibrated probabilities, with any of them missing.

Research use, not a medical device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluation import Comparison, Evaluation, compare, evaluate
    from .leakage import Audit
    from .model import ClinicalModel, Config, audit
    from .records import ImageRef, InputError, Measurement, Note, PatientRecord, Prediction, Target
    from .sources import Cohort

_WHERE = {
    "Audit": "leakage",
    "ClinicalModel": "model",
    "Cohort": "sources",
    "Comparison": "evaluation",
    "Config": "model",
    "Evaluation": "evaluation",
    "ImageRef": "records",
    "InputError": "records",
    "Measurement": "records",
    "Note": "records",
    "PatientRecord": "records",
    "Prediction": "records",
    "Target": "records",
    "audit": "model",
    "compare": "evaluation",
    "evaluate": "evaluation",
}
__all__ = list(_WHERE)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Names are imported on first use, so that `import multimodal` loads neither torch nor pandas."""
    if name not in _WHERE:
        raise AttributeError(f"module 'multimodal' has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*_WHERE, "__version__"])
