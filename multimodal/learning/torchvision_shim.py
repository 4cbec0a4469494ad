"""`torchvision`, imported so that it works beside a CPU build of torch. Import this before transformers.

The torchvision wheel of PyPI links to CUDA. Beside a CPU torch its extension cannot load, torchvision swallows that,
and then fails to register fakes for two operators that were never declared (pytorch/vision issues 9077 and 8985).
Declaring the two schemas is enough: models and transforms work, nms and the image decoders raise.
Where the extension loads, nothing is changed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None  # a Library undoes its declarations when it is collected


def declare_missing_operators() -> bool:
    """Declare the schemas where torchvision's extension cannot load. True if they had to be declared."""
    global _library
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _library is not None or hasattr(torch.ops.torchvision, "nms"):
        return _library is not None
    for extension in sorted(Path(spec.origin).parent.glob("_C*.so")):
        try:
            torch.ops.load_library(str(extension))
            return False
        except OSError:
            continue
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        _library.define(schema)
    return True


declare_missing_operators()

import torchvision  # noqa: E402

__all__ = ["declare_missing_operators", "torchvision"]
