"""What the image encoder's novelty stops: pictures that are no chest X-ray, films that were tampered with, and films.

    python benchmarks/image_gate.py DATA [--train 800] [--epochs 4] [--seed 0] [--json FILE] [--set image.key=value]

DATA holds cxr-paediatric, other-images, dicom and pneumoniamnist (and hannover, if it is there). The encoder learns
from some films; each measure's threshold is a quantile of the novelty of those films out of fold, equally rare for all
measures, so that SHARE of fresh films are expected to be stopped altogether. The films held out are of other patients,
with no file in common; this set's published test part is not here.
Each kind is shown as it is, and as grey copies in the films' own size, shape and format. Columns: the files; those that
the reader refuses, or knows by their metadata as another kind; of all the others, without metadata, the AUROC of their
novelty against the held-out films, and the share stopped by any measure, and by each alone; last the share of all files
stopped by anything. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from multimodal.encoders.inputs import ImageInputs, read_images
from multimodal.encoders.slices import levels, standardised
from multimodal.imaging import read_image
from multimodal.model import read_config
from multimodal.model.cross_fitting import new_encoder
from multimodal.model.folds import join_groups, make_folds
from multimodal.records import Batch, ImageItem, ItemError
from multimodal.trust.strangeness import InputLimits

SHARE = 0.02
FOLDS = 3
EACH = 100  # pictures of a kind that can be made at will
SIDE, QUALITY = 160, 85  # pixels and JPEG quality of cxr-paediatric's files


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("data", type=Path, metavar="DATA")
    arguments.add_argument("--train", type=int, default=800, help="films to learn from, about")
    arguments.add_argument("--epochs", type=int, default=4)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--set", action="append", default=[], metavar="image.KEY=VALUE")
    options = arguments.parse_args()
    quick = [f"image.epochs={options.epochs}", "image.min_steps=1", f"train.seed={options.seed}"]
    config = read_config(None, [*quick, *options.set])
    rng = np.random.default_rng(options.seed)
    rows = list(csv.DictReader((options.data / "cxr-paediatric/labels.csv").open(encoding="utf-8")))
    paths = [options.data / "cxr-paediatric/images" / row["filename"] for row in rows]
    films = read(paths, config)
    y = np.array([[row["label"] != "normal"] for row in rows], dtype=float)
    groups = join_groups([row["patient"] for row in rows], [films.fingerprints()])
    order = rng.permutation(np.unique(groups))
    sizes = np.cumsum([np.sum(groups == group) for group in order])
    training = np.isin(groups, order[sizes <= options.train])
    inside, outside = np.flatnonzero(training), np.flatnonzero(~training)

    started = time.perf_counter()
    model, out_of_fold = cross_fitted(films.take(inside), y[inside], groups[inside], config)
    limits = limits_of(out_of_fold)
    held = novelty_of(model, films.take(outside))
    scores = {"training, out of fold": ratio(out_of_fold, limits), "held out": ratio(held, limits)}
    print(f"{len(inside)} films to learn from, {len(outside)} held out, {options.epochs} passes, {FOLDS} folds: "
          f"{time.perf_counter() - started:.0f} s")  # fmt: skip
    print("thresholds: " + ", ".join(f"{name} {limit:.3f}" for name, limit in limits.items()))
    for name, score in scores.items():
        stopped = int((score > 1).sum())
        low, high = binomtest(stopped, len(score)).proportion_ci(method="exact")
        print(f"films stopped, {name}: {stopped} of {len(score)}, {stopped / len(score):.3f} [{low:.3f}, {high:.3f}]")
    shares = ", ".join(f"{name} {(held[name] > limit).mean():.3f}" for name, limit in limits.items())
    print(f"of these by measure: {shares}\n")
    print(f"{'':50}{'files':>6}{'refused':>8}{'metadata':>9}{'AUROC':>8}{'stopped':>8}"
          + "".join(f"{name[:9]:>10}" for name in limits) + f"{'altogether':>12}")  # fmt: skip
    found = []

    def tell(kind: str, files: int, refused: int, inputs: ImageInputs) -> None:
        known = len({row for row, problem in model.encode(inputs).problems if problem.code == "WRONG_KIND"})
        there = inputs.take(np.flatnonzero(inputs.present))
        novelty = novelty_of(model, there)
        score = ratio(novelty, limits)
        wrong = np.array([kind not in ("", *model.kinds_) for kind in there.kind], dtype=bool)
        row = {"kind": kind, "files": files, "refused": refused, "metadata": known}
        row["auroc"] = auroc(score, scores["held out"])
        row["stopped"] = float((score > 1).mean()) if len(score) else float("nan")
        row |= {name: float((novelty[name] > limit).mean()) for name, limit in limits.items()} if len(score) else {}
        row["altogether"] = (refused + int(((score > 1) | wrong).sum())) / files
        found.append(row)
        print(f"{kind:50}{files:>6}{refused:>8}{known:>9}{row['auroc']:>8.3f}{row['stopped']:>8.2f}"
              + "".join(f"{row.get(name, float('nan')):>10.2f}" for name in limits)
              + f"{row['altogether']:>12.2f}", flush=True)  # fmt: skip

    with tempfile.TemporaryDirectory() as scratch:
        chosen = [paths[row] for row in rng.permutation(outside)[: 2 * EACH]]
        for kind, files in kinds(options.data, chosen, Path(scratch), rng).items():
            inputs = read(files, config)
            tell(kind, len(files), len(files) - int(inputs.present.sum()), inputs)
            copies = grey_copies(files, Path(scratch, "copies", kind))
            if copies:
                inputs = read(copies, config)
                tell(f"{kind}, grey copies", len(copies), len(copies) - int(inputs.present.sum()), inputs)
        some = films.take(rng.permutation(outside)[:EACH])
        for share in (0.03, 0.1):
            tell(f"FGSM on the network, {share} of the range", len(some), 0, fast_gradient_sign(model, some, share))
    if options.json:
        held_out = {name: float((score > 1).mean()) for name, score in scores.items()}
        options.json.write_text(json.dumps({"films stopped": held_out, "kinds": found}, indent=1), encoding="utf-8")


def read(paths: Sequence[Path], config) -> ImageInputs:
    """One record a file, each declared a radiograph, as a careless user would; what the file says counts more."""
    ids = np.array([str(row) for row in range(len(paths))], dtype=object)
    items = [ImageItem(row, path.resolve(), kind="radiograph", where="image") for row, path in enumerate(paths)]
    batch = Batch(ids, ids, np.full(len(ids), np.nan), np.full(len(ids), "", dtype=object), images=items)
    return read_images(batch, config.image.model_dump(), workers=1)


def cross_fitted(films: ImageInputs, y: np.ndarray, groups: np.ndarray, config):
    """The encoder fitted on all films, and their novelty out of fold, {measure: (n,)}."""
    folds = make_folds(y, groups, FOLDS, random_state=config.train.seed)
    out_of_fold: dict[str, np.ndarray] = {}
    steps = []

    def fitted(rows: np.ndarray, **told):
        return new_encoder("cnn", config).fit(
            films.take(rows), ["pneumonia"], y[rows], groups[rows], random_state=config.train.seed, **told
        )

    for fold in range(FOLDS):
        rows = np.flatnonzero(folds == fold)
        model = fitted(np.flatnonzero(folds != fold))
        steps.append(model.steps_)
        for name, values in novelty_of(model, films.take(rows)).items():
            out_of_fold.setdefault(name, np.zeros(len(y)))[rows] = values
    return fitted(np.arange(len(y)), steps=round(np.mean(steps))), out_of_fold


def novelty_of(model, inputs: ImageInputs) -> dict[str, np.ndarray]:
    """{measure: (n,)}, whatever the metadata say."""
    return dict(model.encode(replace(inputs, kind=[""] * len(inputs.kind))).novelty)


def limits_of(out_of_fold: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The limits that a trained model would have: see trust.strangeness."""
    return dict(InputLimits.of(out_of_fold, SHARE).limits)


def ratio(novelty: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
    """float (n,): the largest of novelty / threshold over the measures; above 1 is stopped."""
    return np.max([novelty[name] / limit for name, limit in limits.items()], axis=0)


def auroc(foreign: np.ndarray, films: np.ndarray) -> float:
    if not len(foreign):
        return float("nan")
    return float(roc_auc_score(np.repeat([1, 0], [len(foreign), len(films)]), np.concatenate([foreign, films])))


def kinds(data: Path, films: Sequence[Path], scratch: Path, rng: np.random.Generator) -> dict[str, list[Path]]:
    """The files of each kind. films: 2 x EACH held out, from which some kinds are made."""
    manifest = csv.DictReader((data / "dicom/manifest.csv").open(encoding="utf-8"))
    small = np.load(data / "pneumoniamnist/pneumoniamnist.npz")["test_images"][:EACH] / 255
    first, second = (np.stack([grey_of(path) for path in some]) for some in (films[:EACH], films[EACH:]))
    shape = (EACH, SIDE, SIDE)
    noise = {
        "uniform": rng.random(shape),
        "gaussian": rng.normal(0.5, 0.15, shape),
        "smooth": np.stack([spread(gaussian_filter(rng.normal(size=shape[1:]), s)) for s in rng.uniform(2, 25, EACH)]),
    }
    flat = (
        np.linspace(0, 1, 20)[:, None, None]
        + rng.normal(0, 1, (20, SIDE, SIDE)) * np.repeat([0, 0.004], 10)[:, None, None]
    )
    made = {
        "28 x 28 pixels": small,
        "inverted films": 1 - first,
        "blank": flat,
        **{f"noise, {name}": pixels for name, pixels in noise.items()},
        "films with a pasted region": pasted(first, second, rng),
        "two films spliced": np.where(np.arange(SIDE) < SIDE // 2, first, second),
        "films with noise of 0.1": first + rng.normal(0, 0.1, shape),
    }
    found = {
        "natural photographs": sorted((data / "other-images/natural").iterdir()),
        "other medical pictures": sorted((data / "other-images/medical").iterdir()),
        "DICOM, not chest": [data / "dicom" / row["file"] for row in manifest if "chest" not in row["purpose"]],
        **{kind: written(pixels, scratch / "made" / kind) for kind, pixels in made.items()},
    }
    if (data / "hannover/png").is_dir():
        adults = sorted((data / "hannover/png").iterdir())
        found["adults' chest films of another place"] = [adults[i] for i in rng.permutation(len(adults))[:EACH]]
    return found


def pasted(films: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each film with a square, a third of its side, from somewhere in another."""
    side, out = SIDE // 3, films.copy()
    for film, other, (top, left, y, x) in zip(out, others, rng.integers(0, SIDE - side, (len(films), 4)), strict=True):
        film[top : top + side, left : left + side] = other[y : y + side, x : x + side]
    return out


def spread(picture: np.ndarray) -> np.ndarray:
    return (picture - picture.min()) / np.ptp(picture)


def grey_of(path: Path) -> np.ndarray:
    return read_image(path).grey


def written(pixels: np.ndarray, folder: Path) -> list[Path]:
    """PNG files of pixels float (n, H, W), clipped to [0, 1]."""
    return [saved(grey, folder / f"{row}.png") for row, grey in enumerate(pixels)]


def grey_copies(files: Sequence[Path], folder: Path) -> list[Path]:
    """As JPEG in the size of the films, whatever the shape; only of those that can be read."""
    copies = []
    for row, path in enumerate(files):
        try:
            grey = grey_of(path)
        except ItemError:
            continue
        copies.append(saved(grey, folder / f"{row}.jpeg", (SIDE, SIDE)))
    return copies


def saved(grey: np.ndarray, path: Path, size: tuple[int, int] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = PIL.Image.fromarray(np.uint8(np.rint(np.clip(grey, 0, 1) * 255)))
    if size:
        picture = picture.resize(size, PIL.Image.Resampling.BILINEAR)
    picture.save(path, **({"quality": QUALITY} if path.suffix == ".jpeg" else {}))
    return path


def fast_gradient_sign(model, films: ImageInputs, share: float) -> ImageInputs:
    """The prepared films with each pixel moved by `share` of the grey range against what the network says of them.

    Goodfellow, Shlens & Szegedy, ICLR 2015, arXiv 1412.6572.
    """
    network, pixels = model.network_.cpu(), torch.from_numpy(films.pixels)
    shown = standardised(pixels, levels(films.pixels, films.picture)).requires_grad_()
    log_odds = network(shown)[0][:, 0]
    (log_odds * torch.sign(log_odds.detach())).sum().backward()
    moved = pixels - 255 * share * torch.sign(shown.grad[:, 0])
    return replace(films, pixels=moved.round().clamp(0, 255).byte().numpy())


if __name__ == "__main__":
    main()
