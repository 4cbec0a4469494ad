"""Images per second: from file to tensor, through each backbone, and augmented, beside what the machine can.

    python benchmarks/images.py COHORT_OR_FOLDER [--records 300] [--size 128] [--json FILE]

File to tensor: `load` with one and two guarded processes, the same reading without a guard, and the plain way (Pillow
or pydicom and a resize, no checks), of the single pictures that all can read. The limit is the best of several large
matrix products; a backbone's share of it comes from the operations that torch counts (an addition and a multiplication
are two). bf16 is measured where it is fast, CUDA where there is a device. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import torch
from image_backbones import backbone_rows, machine_limits, seconds

from multimodal import Cohort
from multimodal.encoders.augment import Augmentation, augment
from multimodal.imaging import Preparation, dicom, files, frames, load, pictures
from multimodal.imaging.prepare import normalised, padded, percentiles, resized
from multimodal.imaging.worker import answer
from multimodal.learning.torchvision_shim import torchvision  # noqa: F401  (before its transforms)
from multimodal.records import Batch
from multimodal.sources.loose_files import image_file_batches

ROUNDS = 3
STEPS = {
    "file": (files.file_bytes,),
    "header": (pictures.opened, dicom.opened),
    "decode": (pictures.page_plane, frames.decode_frames),
    "grey": (pictures.page_grey, dicom.shown_grey),
    "percentiles": (percentiles,),
    "resize": (resized,),
    "normalise and pad": (normalised, padded),
}
STRENGTH = Augmentation(erase=0.10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, metavar="COHORT_OR_FOLDER")
    parser.add_argument("--records", type=int, default=300, help="the first so many records, or files of a folder")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    preparation = Preparation(size=options.size)
    batch, slices = single_pictures(first_records(options.source, options.records), preparation)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    print(f"{machine}; {len(batch.images)} pictures, {options.size} pixels")
    limits = machine_limits()
    tables = {
        "file to tensor": file_to_tensor(batch, preparation),
        "steps in one process": step_shares(batch, preparation),
        "limit of the machine": limits,
        "backbones": backbone_rows(options.size, limits),
        "augmentation": augmentation_rates(slices),
    }
    for title, rows in tables.items():
        tell(title, rows)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, **tables}, indent=1) + "\n", encoding="utf-8")


def first_records(source: Path, records: int) -> Batch:
    if not (source / "cohort.toml").exists():
        return next(image_file_batches(source, records), None) or sys.exit("the folder holds no file")
    cohort = Cohort.open(source)
    return cohort.take(np.arange(min(records, len(cohort)))).batch()


def single_pictures(batch: Batch, preparation: Preparation) -> tuple[Batch, np.ndarray]:
    """The batch with the images alone that are one slice and that the plain way reads too, and their slices."""
    images = load(batch, preparation, workers=2)  # which stay warm
    chosen = []
    for place in np.flatnonzero(np.bincount(images.picture, minlength=len(images)) == 1):
        with suppress(Exception):  # the plain way checks nothing, and raises what its decoder does
            plainly(batch.images[images.item[place]].path, preparation.size)
            chosen.append(place)
    if not chosen:
        sys.exit("there is no picture that can be read")
    kept = replace(batch, images=[batch.images[images.item[place]] for place in chosen])
    return kept, images.slices[np.isin(images.picture, chosen)]


def plainly(path: Path, size: int) -> np.ndarray:
    """One file decoded and resized, uint8 (size, size), without a check."""
    with path.open("rb") as file:
        is_dicom = file.read(132)[128:] == b"DICM"
    if is_dicom:
        frame = pydicom.dcmread(path).pixel_array
        levels = frame[..., 0] if frame.ndim == 3 else frame
        low, high = float(levels.min()), float(levels.max())
        picture = PIL.Image.fromarray(((levels - low) * (255 / max(high - low, 1))).astype(np.uint8))
    else:
        picture = PIL.Image.open(path).convert("L")
    return np.asarray(picture.resize((size, size), PIL.Image.Resampling.BILINEAR))


def file_to_tensor(batch: Batch, preparation: Preparation) -> list[dict]:
    paths = [item.path for item in batch.images]
    ways = {
        "plain way": lambda: [plainly(path, preparation.size) for path in paths],
        "checked, no guard": lambda: [answer(path, preparation) for path in paths],
        "load, 1 process": lambda: load(batch, preparation, workers=1),
        "load, 2 processes": lambda: load(batch, preparation, workers=2),
    }
    return compared(ways, len(paths))


def compared(ways: dict[str, Callable[[], object]], images: int) -> list[dict]:
    """Images per second of each way, best of ROUNDS, and its ratio to the first."""
    rates = {name: images / min(seconds(way) for _ in range(ROUNDS)) for name, way in ways.items()}
    first = next(iter(rates))
    return [{"way": name, "images/s": rate, f"{first} = 1": rate / rates[first]} for name, rate in rates.items()]


def step_shares(batch: Batch, preparation: Preparation) -> list[dict]:
    """Where the time of the worker's `answer` goes, under the profiler, which makes small calls look dearer."""
    with cProfile.Profile() as profile:
        for item in batch.images:
            answer(item.path, preparation)
    spent = {entry.code: entry.totaltime for entry in profile.getstats()}
    parts = {name: sum(spent.get(step.__code__, 0.0) for step in steps) for name, steps in STEPS.items()}
    whole = spent[answer.__code__]
    parts["the rest"] = whole - sum(parts.values())
    k = len(batch.images)
    return [{"step": name, "ms an image": 1000 * part / k, "share": part / whole} for name, part in parts.items()]


def augmentation_rates(slices: np.ndarray) -> list[dict]:
    """Ours, a batch at a time, and torchvision's transforms of the same strength, one picture at a time."""
    from torchvision.transforms import v2

    torch.set_num_threads(2)
    shown = torch.from_numpy(slices[:64])[:, None].float() / 255
    generator = torch.Generator().manual_seed(0)
    moves, scales = (STRENGTH.shift, STRENGTH.shift), (1 - STRENGTH.scale, 1 + STRENGTH.scale)
    one_by_one = v2.Compose(
        [
            v2.RandomAffine(STRENGTH.rotation, moves, scales, interpolation=v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(brightness=STRENGTH.brightness, contrast=STRENGTH.contrast),
            v2.GaussianNoise(sigma=STRENGTH.noise),
            v2.RandomErasing(0.5, scale=(0.02, STRENGTH.erase), ratio=(1 / 3, 3)),
        ]
    )
    ways = {
        "torchvision, one by one": lambda: [one_by_one(picture) for picture in shown],
        "augment, whole batch": lambda: augment(shown, STRENGTH, generator),
    }
    return compared(ways, len(shown))


def tell(title: str, rows: list[dict]) -> None:
    """One line a row, under the names of its columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *[[cell(row.get(name, "")) for name in names] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{title}")
    for line in lines:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


def cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
