"""Pretraining without labels: the loss, the views, the training, and the folder that it leaves."""

import json
from math import exp, pi, sqrt

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.spatial.distance import pdist, squareform

from multimodal.encoders.backbones import BACKBONES
from multimodal.encoders.lejepa import Views, directions, global_views, lejepa, local_views, sigreg
from multimodal.encoders.pretrained import FACTS, WEIGHTS, load_pretrained, write_facts
from multimodal.encoders.pretraining import effective_rank, features_of, pretrain, schedule_of, steps_of
from multimodal.imaging import Preparation
from multimodal.learning.weights import load_weights, save_weights
from multimodal.records import UsageError

CPU = torch.device("cpu")
FEW = schedule_of(1, batch_size=16, max_steps=3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def blobs():
    """40 pictures of one bright blob each, anywhere."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :48]
    places = rng.uniform(12, 36, (40, 2, 1, 1))
    blob = np.exp(-((y - places[:, 0]) ** 2 + (x - places[:, 1]) ** 2) / 60)
    return (200 * blob + rng.uniform(0, 40, (40, 48, 48))).astype(np.uint8)


@pytest.fixture(scope="module")
def pretrained(blobs):
    return pretrain(
        blobs, schedule=schedule_of(1, batch_size=20, max_steps=16), views=Views(local_views=2), device="cpu"
    )


def epps_pulley(x):
    """n times the integral of |empirical - Gaussian characteristic function|^2, weighted by exp(-t^2 / 2), by scipy."""

    def gap(t):
        return abs(np.exp(1j * t * x).mean() - exp(-(t**2) / 2)) ** 2 * exp(-(t**2) / 2)

    return len(x) * quad(gap, -12, 12, limit=400)[0]


def closed_form(x):
    """The same, integrated by hand (Baringhaus & Henze, Metrika 35:339, 1988, with beta = 1 in one dimension)."""
    pairs = np.exp(-(squareform(pdist(x[:, None])) ** 2) / 2).sum() / len(x)
    return sqrt(2 * pi) * (pairs - sqrt(2) * np.exp(-(x**2) / 4).sum() + len(x) / sqrt(3))


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (0.2, 0), (2, 1)])
def test_sigreg_is_the_epps_pulley_statistic_of_the_projections(scale, shift):
    x = np.random.default_rng(1).normal(shift, scale, 30)
    ours = sigreg(torch.from_numpy(x)[:, None], torch.ones(1, 1)).item()

    assert_allclose(ours, closed_form(x), rtol=1e-3)
    assert_allclose(ours, epps_pulley(x), rtol=1e-3)


def test_sigreg_is_the_mean_over_views_and_directions():
    embeddings, along = torch.randn(2, 20, 3, generator=generator()), directions(3, 4, generator(1))
    expected = np.mean([closed_form((view @ one).numpy().astype(float)) for view in embeddings for one in along.T])

    assert_allclose(sigreg(embeddings, along).item(), expected, rtol=1e-3)
    assert_allclose(along.norm(dim=0), 1, rtol=1e-6)


def test_sigreg_of_a_gaussian_sample_is_on_average_the_same_for_any_n():
    """The mean of n |characteristic function - Gaussian|^2 is 1 - exp(-t^2); weighted by exp(-t^2/2) and integrated by
    hand, sqrt(2 pi) - sqrt(2 pi / 3). Outside of 5 standard errors once in 2e6 seeds."""
    for n in (20, 200):
        samples = torch.randn(1000, n, 1, generator=generator())
        found = np.array([sigreg(sample, torch.ones(1, 1)).item() for sample in samples])

        assert abs(found.mean() - (sqrt(2 * pi) - sqrt(2 * pi / 3))) < 5 * found.std() / sqrt(1000)


@pytest.mark.parametrize("n", [50, 100])
def test_sigreg_of_a_collapsed_batch_grows_with_its_size(n):
    """n * the integral of (1 - exp(-t^2/2))^2 exp(-t^2/2), by hand."""
    expected = n * (sqrt(2 * pi) - 2 * sqrt(pi) + sqrt(2 * pi / 3))

    assert_allclose(sigreg(torch.zeros(n, 64), directions(64, 16, generator())).item(), expected, rtol=1e-3)


def test_the_gradient_drives_a_collapsed_batch_apart():
    embeddings = (0.01 * torch.randn(1, 64, 8, generator=generator())).requires_grad_()
    along = directions(8, 64, generator(1))
    collapsed = sigreg(embeddings, along).item()
    for _ in range(100):
        (gradient,) = torch.autograd.grad(lejepa(embeddings, 1, along, 0.05), embeddings)
        with torch.no_grad():
            embeddings -= 20 * gradient

    assert collapsed > 20
    assert sigreg(embeddings, along).item() < 0.2
    assert embeddings.detach()[0].std(dim=0).min() > 0.5


def test_prediction_is_the_distance_to_the_mean_of_the_global_views():
    embeddings = torch.tensor([[[1.0, 0.0]], [[3.0, 0.0]], [[2.0, 6.0]]])
    along = torch.eye(2)
    # The centre is (2, 0): squares 1, 0, 1, 0, 0, 36.
    expected = 0.9 * 38 / 6 + 0.1 * sigreg(embeddings, along)

    assert_allclose(lejepa(embeddings, 2, along, 0.1).item(), expected.item(), rtol=1e-6)


def test_views_are_crops_of_their_own_picture_and_follow_the_generator():
    ramp = torch.linspace(-1, 1, 64).expand(64, 64)
    pictures = torch.stack([ramp, ramp.T])[:, None]
    plain = Views(rotation=0, contrast=0, noise=0, blur=0)
    wide, narrow = global_views(pictures, plain, generator()), local_views(pictures, plain, generator())

    assert (wide.shape, narrow.shape) == ((4, 1, 64, 64), (8, 1, 32, 32))
    for views, least, most in ((wide, 0.4, 1.0), (narrow, 0.1, 0.4)):
        # A crop of the ramp along x spans its width of it, and that of the other picture its height.
        along_x = (views[0::2, 0, 0, -1] - views[0::2, 0, 0, 0]) / 2
        along_y = (views[1::2, 0, -1, 0] - views[1::2, 0, 0, 0]) / 2
        for span in (along_x, along_y):
            assert (span > 0.9 * sqrt(least / 1.25)).all()
            assert (span <= sqrt(most * 1.25)).all()
        assert_allclose(views[0::2].diff(dim=2), 0, atol=1e-5)
    assert torch.equal(wide, global_views(pictures, plain, generator()))
    assert not torch.equal(wide, global_views(pictures, plain, generator(1)))


def test_the_same_seed_gives_the_same_bytes_and_the_global_generator_is_left_alone(blobs, tmp_path):
    before = torch.get_rng_state()
    files = []
    for i, seed in enumerate((3, 3, 4)):
        files.append(tmp_path / str(i))
        trained = pretrain(blobs, schedule=FEW, random_state=seed, device="cpu")
        save_weights(trained.backbone, files[i])

    assert torch.equal(torch.get_rng_state(), before)
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    assert len(trained.losses) == steps_of(40, FEW) == 3


def test_the_loss_falls_and_the_features_do_not_collapse(pretrained):
    assert np.mean(pretrained.losses[-5:]) < 0.9 * np.mean(pretrained.losses[:5])
    assert pretrained.effective_rank > 5


def test_the_effective_rank_is_that_of_the_features_spread():
    spread, line = torch.randn(500, 8, generator=generator()), torch.arange(50.0)[:, None] * torch.ones(8)

    assert_allclose(effective_rank(spread), 8, rtol=0.02)
    assert_allclose(effective_rank(line), 1, rtol=1e-4)
    assert effective_rank(torch.ones(9, 8)) == 0


@pytest.fixture
def folder(pretrained, tmp_path):
    """A folder as `pretrain-images` writes it."""
    save_weights(pretrained.backbone, tmp_path / WEIGHTS)
    write_facts(tmp_path, backbone="compact", preparation=Preparation(size=48), facts={"pictures": 40})
    return tmp_path


def test_loaded_it_gives_the_same_features_to_the_bit(folder, pretrained, blobs):
    name, weights, preparation = load_pretrained(folder)
    loaded = load_weights(BACKBONES[name](), weights).to(memory_format=torch.channels_last)
    pictures = torch.from_numpy(blobs)

    assert (name, weights, preparation) == ("compact", folder / WEIGHTS, Preparation(size=48))
    assert_array_equal(features_of(loaded, pictures, CPU), features_of(pretrained.backbone, pictures, CPU))


def test_a_folder_that_is_none_or_is_damaged_is_refused(folder, tmp_path):
    facts, weights = folder / FACTS, folder / WEIGHTS
    state, whole = json.loads(facts.read_text()), weights.read_bytes()
    none = tmp_path / "none"
    damaged = f"{folder} is damaged or was edited: run pretrain-images again"

    def refusal(where=folder):
        with pytest.raises(UsageError) as refused:
            load_pretrained(where)
        return str(refused.value)

    assert refusal(none) == f"{none} is no folder of pretrain-images: it has no pretraining.json"
    facts.write_text(json.dumps({**state, "schema": 2}))
    assert refusal() == f"{folder} has schema 2, this version reads 1: update multimodal-clinical"
    for text in ("{", "[]", json.dumps({**state, "preparation": {"size": "x"}}), json.dumps({"schema": 1})):
        facts.write_text(text)
        assert refusal() == damaged
    facts.write_text(json.dumps(state))
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert refusal() == damaged
    weights.unlink()
    assert refusal() == damaged
