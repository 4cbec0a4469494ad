"""The folder that `multimodal pretrain-images` writes: a backbone's weights, and what they were trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from ..imaging import Preparation
from ..records import UsageError

SCHEMA = 1
FACTS = "pretraining.json"
WEIGHTS = "backbone.safetensors"


class PretrainedFolder(NamedTuple):
    """backbone: a name of BACKBONES; weights: the file of its own state_dict; preparation: of the pictures it saw."""

    backbone: str
    weights: Path
    preparation: Preparation


def write_facts(folder: Path, *, backbone: str, preparation: Preparation, facts: Mapping[str, Any]) -> None:
    """Write pretraining.json beside the weights, whose digest it holds."""
    state = {"schema": SCHEMA, "method": "LeJEPA", "backbone": backbone, "preparation": asdict(preparation), **facts}
    state["sha256"] = {WEIGHTS: _sha256(folder / WEIGHTS)}
    (folder / FACTS).write_text(json.dumps(state, indent=1, ensure_ascii=True, allow_nan=False), encoding="utf-8")


def load_pretrained(folder: Path) -> PretrainedFolder:
    """What `pretrain-images` wrote into `folder`, its weights compared with their digest.

    Raises UsageError if it is no such folder, is damaged or was edited, or its schema is newer.
    """
    folder = Path(folder)
    if not (folder / FACTS).is_file():
        raise UsageError(f"{folder} is no folder of pretrain-images: it has no {FACTS}")
    damaged = f"{folder} is damaged or was edited: run pretrain-images again"
    try:
        state = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        schema = state["schema"]
        if schema != SCHEMA:
            raise UsageError(f"{folder} has schema {schema!r}, this version reads {SCHEMA}: update multimodal-clinical")
        backbone, digest = str(state["backbone"]), state["sha256"][WEIGHTS]
        preparation = TypeAdapter(Preparation).validate_json(json.dumps(state["preparation"]), strict=True)
        whole = _sha256(folder / WEIGHTS) == digest
    except UsageError:
        raise
    except (OSError, ValidationError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(damaged) from None
    if not whole:
        raise UsageError(damaged)
    return PretrainedFolder(backbone, folder / WEIGHTS, preparation)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
