"""LeJEPA: the views of a picture, and the loss that draws them together without letting all pictures collapse.

Every view's embedding predicts the mean embedding of the picture's global views, while SIGReg holds the embeddings of
the batch to a standard Gaussian. No teacher, no stopped gradient, one trade-off.
Balestriero & LeCun, "LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics", arXiv 2511.08544,
2025. The statistic: Epps & Pulley, Biometrika 70(3):723, 1983.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

KNOTS, LAST_KNOT = 17, 5.0  # of the integral; the weight at the last is 4e-6
ASPECT = 1.25  # of a crop, at most
BLUR_REACH = 3  # pixels
# Of a local view. Below 32 pixels a backbone halves a single pixel, for which the bf16 convolution of torch 2.13 on a
# processor leaves weight gradients uninitialised (3 x 3, stride 2, padding 1, on 1 x 1).
LEAST_SIDE = 32


@dataclass(frozen=True)
class Views:
    """How many views of a picture, and how they differ; 0 switches a change off.

    global_area, local_area   the least and greatest share of the picture that a view shows
    rotation  degrees, either way     contrast  share, either way, of slope and offset (in standard deviations)
    noise     standard deviations     blur      pixels, the greatest standard deviation; every second view is blurred
    flip      whether left and right may be swapped
    """

    global_views: int = 2
    local_views: int = 4
    global_area: tuple[float, float] = (0.4, 1.0)
    local_area: tuple[float, float] = (0.1, 0.4)
    rotation: float = 10.0
    contrast: float = 0.3
    noise: float = 0.1
    blur: float = 1.5
    flip: bool = False


def global_views(pictures: torch.Tensor, views: Views, generator: torch.Generator) -> torch.Tensor:
    """(global_views * k, 1, size, size), view by view, of pictures (k, 1, size, size), standardised."""
    shown = pictures.repeat(views.global_views, 1, 1, 1)
    return changed(cropped(shown, pictures.shape[-1], views.global_area, views, generator), views, generator)


def local_views(pictures: torch.Tensor, views: Views, generator: torch.Generator) -> torch.Tensor:
    """(local_views * k, 1, size / 2, size / 2), view by view: a quarter of the work each; at least LEAST_SIDE wide."""
    shown, side = pictures.repeat(views.local_views, 1, 1, 1), max(pictures.shape[-1] // 2, LEAST_SIDE)
    return changed(cropped(shown, side, views.local_area, views, generator), views, generator)


def cropped(
    pictures: torch.Tensor, side: int, area: tuple[float, float], views: Views, generator: torch.Generator
) -> torch.Tensor:
    """A turned, stretched piece of each picture (k, 1, size, size), as (k, 1, side, side); beyond the border it goes
    on as it ends. The piece's share of the picture lies in `area`."""
    k = len(pictures)
    zoom = uniform(k, *area, generator).sqrt()
    stretch = torch.exp(uniform(k, -math.log(ASPECT), math.log(ASPECT), generator) / 2)
    width, height = (zoom * stretch).clamp(max=1), (zoom / stretch).clamp(max=1)
    centre_x = (1 - width) * uniform(k, -1, 1, generator)
    centre_y = (1 - height) * uniform(k, -1, 1, generator)
    angle = torch.deg2rad(uniform(k, -views.rotation, views.rotation, generator))
    mirrored = torch.where(torch.rand(k, generator=generator) < (0.5 if views.flip else 0.0), -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    top = torch.stack([width * cos * mirrored, -height * sin, centre_x], dim=1)
    bottom = torch.stack([width * sin * mirrored, height * cos, centre_y], dim=1)
    moves = torch.stack([top, bottom], dim=1).to(pictures.device)
    grid = functional.affine_grid(moves, [k, 1, side, side], align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def changed(pictures: torch.Tensor, views: Views, generator: torch.Generator) -> torch.Tensor:
    """Each picture (k, 1, side, side) blurred or not, its contrast and brightness changed, with noise."""
    k = len(pictures)
    sigma = uniform(k, 0, views.blur, generator) * (torch.rand(k, generator=generator) < 0.5)
    slope = 1 + uniform(k, -views.contrast, views.contrast, generator)
    offset = uniform(k, -views.contrast, views.contrast, generator)
    noise = torch.randn(pictures.shape, generator=generator) * views.noise
    sigma, slope, offset, noise = (drawn.to(pictures.device) for drawn in (sigma, slope, offset, noise))
    reach = torch.arange(-BLUR_REACH, BLUR_REACH + 1, device=pictures.device)
    kernel = torch.softmax(-(reach**2) / (2 * sigma.clamp(min=0.1)[:, None] ** 2), dim=1)
    padded = functional.pad(pictures, [BLUR_REACH] * 4, mode="replicate").transpose(0, 1)
    across = functional.conv2d(padded, kernel[:, None, None, :], groups=k)
    blurred = functional.conv2d(across, kernel[:, None, :, None], groups=k).transpose(0, 1)
    return blurred * slope[:, None, None, None] + offset[:, None, None, None] + noise


def uniform(k: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    """float (k,) in [low, high), on the CPU."""
    return low + (high - low) * torch.rand(k, generator=generator)


def directions(d: int, m: int, generator: torch.Generator) -> torch.Tensor:
    """float (d, m): m random unit vectors, on the CPU."""
    return functional.normalize(torch.randn(d, m, generator=generator), dim=0)


def sigreg(embeddings: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
    """The mean Epps-Pulley statistic of `embeddings` (..., n, d), projected on each of the directions `along` (d, m).

    Of one projection x it is n times the integral of |mean(exp(itx)) - exp(-t^2/2)|^2 exp(-t^2/2) over t: on average
    sqrt(2 pi) - sqrt(2 pi / 3) = 1.06 for a standard Gaussian sample of any n, and 0.41 n where all are 0.
    The mean over all leading axes and directions, a scalar; computed in float32.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        t = torch.linspace(0, LAST_KNOT, KNOTS, device=embeddings.device)
        gaussian = torch.exp(-(t**2) / 2)
        # The integrand is even: twice the trapezoids of its right half.
        weight = 2 * (LAST_KNOT / (KNOTS - 1)) * gaussian
        weight[[0, -1]] /= 2
        angles = (embeddings.float() @ along)[..., None] * t
        gap = (angles.cos().mean(dim=-3) - gaussian) ** 2 + angles.sin().mean(dim=-3) ** 2
        return embeddings.shape[-2] * (gap @ weight).mean()


def lejepa(embeddings: torch.Tensor, n_global: int, along: torch.Tensor, trade_off: float) -> torch.Tensor:
    """The loss of `embeddings` (views, n, d), of which the first `n_global` are of the global views.

    (1 - trade_off) * mean squared distance to the mean of the picture's global views + trade_off * SIGReg of each view.
    """
    embeddings = embeddings.float()
    centre = embeddings[:n_global].mean(dim=0)
    return (1 - trade_off) * (embeddings - centre).square().mean() + trade_off * sigreg(embeddings, along)
