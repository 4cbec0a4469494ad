"""The synthetic radiograph: a drawn chest whose opacities, heart and effusions show the evidence."""

from __future__ import annotations

import numpy as np

from .truth import TARGETS

SIGNS = ("pneumonia", "heart_failure", "deterioration")
# Where a lung's opacities may stand: columns and rows of cells that do not overlap.
COLUMNS, ROWS, SPACING = 4, 5, 0.145
MOST_OPACITIES = 24
OPACITY_RADIUS = 0.058
BODY, LUNG, HEART, OPACITY, EFFUSION = 0.55, 0.22, 0.92, 0.45, 0.78


def draw_radiograph(grades: np.ndarray, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """One radiograph.

    grades   float (targets,) in [0, 1], in the order of TARGETS: the share of opacities in the lungs (pneumonia), the
             heart's width (heart_failure), the height of the effusions (deterioration)
    shape    (rows, columns), each 96 or more
    Returns  float32 (rows, columns) inside (0, 1), bright where dense; position, size, exposure and noise vary freely
    """
    pneumonia, heart_failure, deterioration = (float(grades[TARGETS.index(name)]) for name in SIGNS)
    rows, columns = shape
    # The chest's own axes: x and y run from -1 to 1 over it.
    size = random.uniform(0.86, 0.96)
    centre_y, centre_x = random.uniform(-0.04, 0.04, 2)
    y = ((np.linspace(-1, 1, rows, dtype=np.float32) - centre_y) / size)[:, None]
    x = ((np.linspace(-1, 1, columns, dtype=np.float32) - centre_x) / size)[None, :]
    edge = 3.0 / min(rows, columns)

    body = _inside(x**2 / 0.92 + (y - 0.25) ** 4 / 2.2, edge)
    image = body * BODY
    lungs = [_inside(((x - side * 0.46) / 0.34) ** 2 + ((y + 0.02) / 0.74) ** 4, edge) for side in (-1, 1)]
    lung = np.maximum(*lungs)
    image += lung * (LUNG - BODY)
    image += lung * 0.05 * np.sin(11 * np.pi * (y + 0.45 * np.abs(x)) + random.uniform(0, 2 * np.pi))  # ribs
    image += _opacities(pneumonia, x, y, random) * lung

    # The heart's height stays, its width tells: the cardiothoracic ratio.
    width = 0.16 + 0.38 * heart_failure
    heart = _inside(((x - 0.06) / width) ** 2 + ((y - 0.42) / 0.34) ** 2, edge)
    image += heart * (HEART - image)
    image += _effusions(deterioration, y, lungs, edge, random) * (1 - heart) * (EFFUSION - image)
    return _exposed(image, random)


def _inside(distance: np.ndarray, edge: float) -> np.ndarray:
    """1 where distance < 1, 0 beyond, with a soft edge."""
    return np.clip((1 - distance) / (4 * edge) + 0.5, 0, 1)


def _opacities(grade: float, x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Soft round opacities in random cells of the lungs; the last one is as faint as the fraction left over."""
    amount = grade * MOST_OPACITIES
    cells = random.permutation(2 * COLUMNS * ROWS)[: int(np.ceil(amount))]
    picture = np.zeros((y.size, x.size), np.float32)
    for place, cell in enumerate(cells.tolist()):
        side, row, column = cell // (COLUMNS * ROWS), cell // COLUMNS % ROWS, cell % COLUMNS
        # Above the heart and the effusions, which would hide them.
        at_x = (2 * side - 1) * (0.25 + SPACING * column) + random.uniform(-0.02, 0.02)
        at_y = -0.58 + SPACING * row + random.uniform(-0.02, 0.02)
        # A Gaussian is the product of its two axes: draw each once.
        down, across = (np.exp(-(((axis - at) / OPACITY_RADIUS) ** 2)) for axis, at in ((y, at_y), (x, at_x)))
        picture += OPACITY * min(1.0, amount - place) * down * across
    return picture


def _effusions(grade: float, y: np.ndarray, lungs: list[np.ndarray], edge: float, random: np.random.Generator):
    """Fluid at the lungs' bases: the two heights sum to the grade, their shares are random."""
    share = random.uniform(0.42, 0.58)
    fluid = np.zeros_like(lungs[0])
    for lung, part in zip(lungs, (share, 1 - share)):
        level = 0.76 - 2 * part * grade * 0.50
        fluid = np.maximum(fluid, lung * np.clip((y - level) / (2 * edge) + 0.5, 0, 1))
    return fluid


def _exposed(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The image under a random exposure, with random noise; nothing reaches 0 or 1."""
    gain, offset = random.uniform(0.45, 0.62), random.uniform(0.08, 0.36)
    noise = random.standard_normal(image.shape, dtype=np.float32) * random.uniform(0.005, 0.02)
    return np.clip(offset + gain * (image + noise), 0.01, 0.99).astype(np.float32)
