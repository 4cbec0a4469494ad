"""How unlike the training pictures a picture is: drawn "films" of two dark lungs, and what is no such film."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter, zoom

from multimodal.encoders.autoencoder import Autoencoder, reconstruction_error, thumbnails, train_autoencoder
from multimodal.encoders.cnn import CNN
from multimodal.encoders.inputs import ImageInputs
from multimodal.encoders.picture_novelty import PictureNovelty, space_of
from multimodal.encoders.picture_statistics import layout, texture
from multimodal.encoders.slices import levels, standardised
from multimodal.learning.loop import Schedule

CPU = torch.device("cpu")
MEASURES = {"reconstruction", "embedding", "texture", "layout"}


def films(n, seed, size=48):
    """uint8 (n, size, size): two dark ellipses of varying place and width on a bright, grainy ground."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    drawn = []
    for _ in range(n):
        top, width, gap = rng.normal([0.5, 0.14, 0.22], 0.02)
        lungs = sum(((rows - top) / 0.3) ** 2 + ((columns - 0.5 - side * gap) / width) ** 2 < 1 for side in (-1, 1))
        picture = 0.75 - 0.45 * gaussian_filter(lungs.astype(float), 1.5) + rng.normal(0, 0.03, (size, size))
        drawn.append(picture * rng.uniform(0.9, 1.1))
    return np.uint8(np.clip(drawn, 0, 1) * 255)


def inputs_of(pixels, record=None, picture=None, n=None):
    """One slice a picture and one picture a record, unless said."""
    picture = np.arange(len(pixels)) if picture is None else np.asarray(picture)
    k = picture.max(initial=-1) + 1
    record = np.arange(k) if record is None else np.asarray(record)
    texts = [""] * k
    return ImageInputs(record, pixels, picture, texts, texts, texts, [{}] * k, [], k if n is None else n)


def shown(pixels):
    return standardised(torch.from_numpy(pixels), levels(pixels, np.arange(len(pixels))))


SEEN, FRESH = films(120, seed=0), films(40, seed=1)


@pytest.fixture(scope="module")
def model():
    y = (np.arange(120) % 2).astype(float)[:, None]
    schedule = Schedule(epochs=1, min_steps=20, max_steps=20, learning_rate=3e-3, weight_decay=0.05)
    return CNN(schedule=schedule, device="cpu").fit(inputs_of(SEEN), ["t"], y, np.arange(120), random_state=0)


def novelty(model, pixels, **others):
    return model.encode(inputs_of(pixels, **others)).novelty


def excess(model, pixels):
    """float (n,): the largest of a picture's measures, each over the largest of fresh films."""
    fresh, found = novelty(model, FRESH), novelty(model, pixels)
    return np.max([found[name] / fresh[name].max() for name in MEASURES], axis=0)


def test_the_autoencoder_learns_to_draw_films_it_has_not_seen():
    """Without training it draws next to nothing, an error of 1 in standard deviations; the mean film is the rival."""
    seen, fresh = thumbnails(shown(SEEN)), thumbnails(shown(FRESH))
    trained = train_autoencoder(seen, steps=80, random_state=0, device=CPU)
    by_the_mean = (fresh - seen.mean(dim=0)).square().mean(dim=(1, 2, 3)).sqrt()

    assert reconstruction_error(Autoencoder().eval(), fresh).mean() > 0.9
    assert reconstruction_error(trained, fresh).mean() < 0.8 * by_the_mean.mean()


def test_a_fresh_film_is_about_as_strange_as_those_of_the_training(model):
    """Somewhat stranger: 120 pictures say little of 256 features. So thresholds are taken out of fold."""
    seen, fresh = novelty(model, SEEN), novelty(model, FRESH)

    assert seen.keys() == fresh.keys() == MEASURES
    for name in MEASURES:
        assert (seen[name] > 0).all()
        assert np.median(fresh[name]) < 3 * np.median(seen[name])


RNG = np.random.default_rng(2)
FOREIGN = {
    "uniform noise": RNG.integers(0, 256, (10, 48, 48)).astype(np.uint8),
    "smooth noise": np.uint8(255 * np.clip(0.5 + gaussian_filter(RNG.normal(0, 2, (10, 48, 48)), (0, 4, 4)), 0, 1)),
    "inverted films": 255 - FRESH[:10],
    "films upside down": np.ascontiguousarray(FRESH[:10].transpose(0, 2, 1)),
    "one grey": np.full((2, 48, 48), [[[90]], [[200]]], dtype=np.uint8),
    "films scaled up from a third": np.stack([zoom(film[::3, ::3], 3, order=1) for film in FRESH[:10]]),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_film_is_stranger_than_every_film(model, kind):
    assert (excess(model, FOREIGN[kind]) > 1).all()
    assert (excess(model, SEEN) <= 1.2).all()


def test_the_measures_that_have_seen_no_label_are_the_same_whatever_the_labels_are(model):
    y = np.random.default_rng(5).integers(0, 2, (120, 1)).astype(float)
    schedule = Schedule(epochs=1, min_steps=20, max_steps=20, learning_rate=3e-3, weight_decay=0.05)
    other = CNN(schedule=schedule, device="cpu").fit(inputs_of(SEEN), ["t"], y, np.arange(120), random_state=0)
    ours, theirs = novelty(model, FRESH), novelty(other, FRESH)

    for name in MEASURES - {"embedding"}:
        assert_array_equal(ours[name], theirs[name])
    assert not np.array_equal(ours["embedding"], theirs["embedding"])


def test_a_record_has_the_measure_of_its_strangest_picture_and_none_without_one(model):
    pixels = np.concatenate([FRESH[:2], FOREIGN["uniform noise"][:1]])
    apart = novelty(model, pixels)
    together = novelty(model, pixels, record=[1, 1, 3], n=4)

    for name in MEASURES:
        assert np.isnan(together[name][[0, 2]]).all()
        assert_allclose(together[name][1], apart[name][:2].max(), rtol=1e-5)
        assert_allclose(together[name][3], apart[name][2], rtol=1e-5)


def test_a_volume_has_the_measure_of_its_median_slice(model):
    """One scale for a volume's slices: equal levels keep a slice what it is alone."""
    one = FRESH[0]
    volume = np.stack([one, one[:, ::-1], one[::-1], one.T, one[::-1, ::-1]])
    apart = novelty(model, volume)
    together = novelty(model, volume, picture=[0] * 5)

    for name in MEASURES:
        assert_allclose(together[name], [np.median(apart[name])], rtol=1e-4)


def test_a_record_without_any_picture_in_the_batch_is_nan(model):
    empty = novelty(model, np.zeros((0, 48, 48), np.uint8), picture=np.zeros(0, dtype=int), n=3)

    assert empty.keys() == MEASURES
    assert all(np.isnan(values).all() and len(values) == 3 for values in empty.values())


def test_its_neighbours_do_not_change_a_records_novelty(model):
    whole, alone = novelty(model, FRESH), novelty(model, FRESH[7:8])

    for name in MEASURES:
        assert_allclose(alone[name], whole[name][7:8], rtol=1e-4)


def test_saved_and_loaded_it_says_the_same_to_the_bit(model, tmp_path):
    model.save(tmp_path)
    again, before = novelty(CNN.load(tmp_path, device="cpu"), FRESH), novelty(model, FRESH)

    for name in MEASURES:
        assert_array_equal(again[name], before[name])


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    features = np.random.default_rng(3).normal(size=(30, 5))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        fitted = PictureNovelty.of(inputs_of(SEEN[:30]), features, steps=5, random_state=4, device=CPU)
        fitted.save(tmp_path / name)

    for file in ("autoencoder.safetensors", "novelty.safetensors"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_the_networks_steps_are_counted_and_the_autoencoders_are_not():
    counted = []
    schedule = Schedule(epochs=1, min_steps=6, max_steps=6, learning_rate=3e-3, weight_decay=0.05)
    model = CNN(schedule=schedule, device="cpu", on_step=lambda: counted.append(1))
    model.fit(inputs_of(SEEN), ["t"], (np.arange(120) % 2).astype(float)[:, None], np.arange(120), random_state=0)

    assert model.steps_ == len(counted) == 6


@pytest.mark.parametrize("size", [28, 48, 97, 128])
def test_pictures_of_any_size_have_their_statistics(size):
    pixels = films(3, seed=0, size=size)
    grey = torch.from_numpy(pixels)[:, None].float() / 255

    assert torch.isfinite(texture(grey)).all()
    assert layout(shown(pixels)).shape == (3, 256)


def test_a_feature_that_hardly_varied_does_not_make_its_own_noise_strange():
    """A unit that never fired in training, but for rounding, and then by a millionth of what the others do."""
    rng = np.random.default_rng(6)
    values = np.column_stack([rng.normal(size=(200, 4)), rng.normal(0, 1e-9, 200)])
    moved = values + np.array([0, 0, 0, 0, 1e-6])
    space = space_of(values)

    assert_allclose(space.distance(moved), space.distance(values), rtol=0.01)


def test_the_units_of_the_features_do_not_matter():
    values = np.random.default_rng(7).normal(size=(200, 4))
    units = np.array([1, 10, 0.5, 3])

    assert_allclose(space_of(values * units).distance(values * units), space_of(values).distance(values), rtol=1e-8)
