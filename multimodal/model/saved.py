"""A fitted model as files: JSON, safetensors and skops; nothing in it is a time, an address or an identifier."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save_file

from ..encoders import density_class, encoder_class
from ..fusion.blend import Blend
from ..fusion.head import Head
from ..records import MeasurementKind, ModelError, Problem, Target
from ..trust.calibration import calibrator_arrays, calibrators_of
from ..trust.conformal import Conformal
from ..trust.gates import Gates
from ..trust.site import SiteMap
from .baselines import Baselines
from .config import Config
from .model_files import SCHEMA, write_manifest
from .seen_patients import SeenPatients
from .stack import Stack

if TYPE_CHECKING:
    from .clinical_model import ClinicalModel

LIBRARIES = ("multimodal-clinical", "numpy", "safetensors", "scikit-learn", "skops", "torch", "transformers")


def write_model(model: ClinicalModel, folder: Path) -> str:
    """Write all that is fitted, and the manifest; returns the model_id."""
    stack = model.stack_
    state = {
        "schema": SCHEMA,
        "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        "config": model.config_.model_dump(mode="json"),
        "targets": [target.model_dump(mode="json") for target in model.targets_.values()],
        "modalities": model.modalities,
        "encoders": {modality: list(named) for modality, named in model.encoders_.items()},
        "densities": {modality: list(named) for modality, named in model.densities_.items()},
        "units": stack.units,
        "own_measurements": [_finite(kind) for kind in model.own_measurements_.values()],
        "summary": model.summary_,
        "problems": [problem._asdict() for problem in model.problems_],
        "audit": model.audit_,
        "figures": model.figures_,
    }
    _write_json(folder / "model.json", state)
    pretraining = {option: [one.to_json() for one in seen] for option, seen in model.pretraining_patients_.items()}
    _write_json(folder / "patients.json", {**model.patients_.to_json(), "pretraining": pretraining})
    arrays = {"base": stack.base, "variant": stack.variant, "single": stack.single, "limit": stack.limit}
    arrays |= {"thresholds": model.thresholds_, **calibrator_arrays(stack.calibrators)}
    arrays |= model.conformal_.arrays()
    arrays |= {"site.shift": stack.site.shift, "site.temperature": stack.site.temperature}
    arrays |= {"head.slope": stack.head.slope, "head.shift": stack.head.shift}
    arrays |= {f"head.gate.{name}": array for name, array in stack.head.gate.items()}
    arrays |= {f"baseline.{name}": cuts for name, cuts in model.baseline_thresholds_.items()}
    for modality, blend in stack.blends.items():
        for part in ("weights", "intercept", "limit"):
            arrays[f"blend.{modality}.{part}"] = getattr(blend, part)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "fusion.safetensors")
    _write_json(folder / "gates.json", model.gates_.to_json())
    for kind, fitted in (("encoders", model.encoders_), ("densities", model.densities_)):
        for named in fitted.values():
            for name, one in named.items():
                (folder / kind / name).mkdir(parents=True)
                one.save(folder / kind / name)
    (folder / "baselines").mkdir()
    model.baselines_.save(folder / "baselines")
    return write_manifest(folder)


def read_model(model: ClinicalModel, folder: Path, device: str) -> None:
    """Fill an unfitted model from its folder, whose manifest has been checked."""
    state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    _check_versions(state["versions"])
    model.config = model.config_ = Config.model_validate(state["config"])
    model.targets_ = {target["name"]: Target.model_validate(target) for target in state["targets"]}
    patients = json.loads((folder / "patients.json").read_text(encoding="utf-8"))
    model.patients_ = SeenPatients.from_json(patients)
    model.pretraining_patients_ = {
        option: [SeenPatients.from_json(one) for one in seen]
        for option, seen in (patients["pretraining"] or {}).items()
    }
    model.summary_, model.figures_ = state["summary"], state["figures"]
    model.audit_ = state["audit"]
    model.problems_ = [Problem(**problem) for problem in state["problems"]]
    model.own_measurements_ = {kind["code"]: _kind_of(kind) for kind in state["own_measurements"]}
    arrays = load_file(folder / "fusion.safetensors")
    model.stack_ = _stack_of(state, arrays)
    model.thresholds_ = arrays["thresholds"]
    model.conformal_ = Conformal.from_arrays(arrays, state["units"])
    model.baseline_thresholds_ = _under("baseline.", arrays)
    model.encoders_ = {
        modality: {name: encoder_class(name).load(folder / "encoders" / name, device=device) for name in names}
        for modality, names in state["encoders"].items()
    }
    model.densities_ = {
        modality: {name: density_class(name).load(folder / "densities" / name) for name in names}
        for modality, names in state["densities"].items()
    }
    model.gates_ = Gates.from_json(json.loads((folder / "gates.json").read_text(encoding="utf-8")))
    model.baselines_ = Baselines.load(folder / "baselines")


def _stack_of(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Stack:
    return Stack(
        modalities=tuple(state["modalities"]),
        units=tuple(tuple(unit) for unit in state["units"]),
        base=arrays["base"],
        blends={
            name: Blend(*(arrays[f"blend.{name}.{part}"] for part in ("weights", "intercept", "limit")))
            for name in state["modalities"]
        },
        head=Head(arrays["base"], arrays["head.slope"], arrays["head.shift"], _under("head.gate.", arrays)),
        variant=arrays["variant"],
        single=arrays["single"],
        calibrators=calibrators_of(arrays, state["units"]),
        limit=arrays["limit"],
        site=SiteMap(arrays["site.shift"], arrays["site.temperature"]),
    )


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _check_versions(saved: Mapping[str, str]) -> None:
    """scikit-learn's files are tied to its minor version; everything else is plain arrays."""
    ours, theirs = version("scikit-learn"), saved["scikit-learn"]
    if ours.split(".")[:2] != theirs.split(".")[:2]:
        raise ModelError(f"the model was saved with scikit-learn {theirs}, here is {ours}: install {theirs}")


def _write_json(path: Path, state: Any) -> None:
    path.write_text(json.dumps(state, indent=1, ensure_ascii=True, allow_nan=False), encoding="utf-8")


def _finite(kind: MeasurementKind) -> dict[str, Any]:
    """A measurement kind for JSON, where a missing limit is null."""
    return asdict(kind) | {
        end: limit if isfinite(limit) else None for end, limit in (("low", kind.low), ("high", kind.high))
    }


def _kind_of(state: Mapping[str, Any]) -> MeasurementKind:
    low, high = (-inf if state["low"] is None else state["low"]), (inf if state["high"] is None else state["high"])
    units = {unit: tuple(scale) for unit, scale in state["units"].items()}
    tuples = {"units": units, "categories": tuple(state["categories"])}
    return MeasurementKind(**{**state, "low": low, "high": high, **tuples})
