"""The options."""

from inspect import signature

import pytest

from multimodal.encoders import encoder_class
from multimodal.encoders.augment import Augmentation
from multimodal.imaging import Preparation
from multimodal.model import Config, as_toml, read_config, with_options
from multimodal.records import UsageError


def test_file_then_assignments(tmp_path):
    (tmp_path / "c.toml").write_text('[image]\nsize = 96\n[notes]\nencoders = ["words"]\n')
    config = read_config(tmp_path / "c.toml", ["image.backbone=resnet18", "train.seed = 3", "image.size=64"])

    assert (config.image.size, config.image.backbone, config.train.seed) == (64, "resnet18", 3)
    assert config.notes.encoders == ("words",)
    assert config.vitals == Config().vitals


def test_lists_none_and_booleans():
    config = read_config(None, ["vitals.encoders=forest,svm", "image.weights=none", "image.flip=true"])

    assert (config.vitals.encoders, config.image.weights, config.image.flip) == (("forest", "svm"), None, True)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("image.sise=96", "image.sise: there is no such option; did you mean 'size'?"),
        ("imag.size=96", "imag: there is no such option; did you mean 'image'?"),
        ("image.size=8", "image.size: input should be greater than or equal to 28"),
        ("train.seed=-1", "train.seed: input should be greater than or equal to 0"),
        (
            "trust.threshold=sensitivity:1.5",
            "trust.threshold: 'sensitivity:1.5' is none of youden, f1, min_sens_ppv, "
            "sensitivity:S with S in (0, 1], specificity:S with S in (0, 1], cost:C with C > 0, "
            "net_benefit:P with P in (0, 1)",
        ),
        ("trust.threshold=death=cost:2,death=f1", "trust.threshold: 'death' has two rules"),
        (
            "trust.threshold=f1,youden",
            "trust.threshold: f1 and youden are two rules for all targets: write TARGET=RULE for one of them",
        ),
        (
            "image.window=lungs",
            "image.window: a window is one of file, range, lung, mediastinum, bone, temporal-bone, brain, subdural, "
            "stroke, abdomen, liver, spine, angio; did you mean 'lung'?",
        ),
        (
            "trust.fallback=sepsis",
            "trust.fallback: a fallback is one of none, news2, qsofa, shock_index, sofa",
        ),
        ("size=96", "--set 'size=96': write it as section.key=value, for example image.size=96"),
    ],
)
def test_what_is_wrong_is_named(assignment, message):
    with pytest.raises(UsageError) as caught:
        read_config(None, [assignment])

    assert str(caught.value) == message


def test_other_options_in_one_section_are_checked_and_leave_the_rest():
    config = with_options(read_config(None, ["image.size=64", "trust.fallback=none"]), "trust", fallback="news2")

    assert (config.image.size, config.trust.fallback, config.trust.threshold) == (64, "news2", ("youden",))
    with pytest.raises(UsageError, match=r"^trust\.fallback: a fallback is one of none, news2"):
        with_options(config, "trust", fallback="qsofas")


def test_what_is_printed_can_be_read_again(tmp_path):
    config = read_config(None, ["image.rotation=3.5", "notes.encoders=words"])
    (tmp_path / "c.toml").write_text(as_toml(config))

    assert read_config(tmp_path / "c.toml") == config


def test_a_rule_of_one_target_stands_beside_the_general_one():
    config = read_config(None, ["trust.threshold=f1,death=sensitivity:0.9"])

    assert config.trust.threshold == ("f1", "death=sensitivity:0.9")
    assert read_config(None, ["trust.threshold=cost:5"]).trust.threshold == ("cost:5",)


@pytest.mark.parametrize(("name", "section"), [("cnn", "image"), ("bert", "notes")])
def test_an_encoder_alone_has_the_defaults_of_the_options(name, section):
    """They stand in two places, since encoders do not know the model; they must not come apart."""
    options = getattr(Config(), section).model_dump()
    parameters = signature(encoder_class(name)).parameters
    alone = {key: one.default for key, one in parameters.items() if key in options}
    alone |= {key: value for key, value in vars(parameters["schedule"].default).items() if key in options}
    if section == "image":
        alone |= vars(Augmentation()) | vars(Preparation())

    of_the_reader = {"encoders", "mask_words", "headings"}
    assert alone == {key: value for key, value in options.items() if key not in of_the_reader}


@pytest.mark.parametrize("key", ["image.denoise", "image.enhance", "trust.fallback"])
def test_a_choice_called_none_can_be_set(key):
    section, name = key.split(".")

    assert getattr(getattr(read_config(None, [f"{key}=none"]), section), name) == "none"
