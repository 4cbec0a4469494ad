"""The options of a model: one form, for the TOML file, `--set` and Python. Unknown keys are refused."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from ..imaging.windows import WINDOW_NAMES
from ..notes.sections import own_headings
from ..records import UsageError, did_you_mean
from ..trust.calibration import AUTO, check_calibration
from ..trust.fallback import NONE, check_fallback
from ..trust.thresholds import GENERAL, read_rules
from ..vitals.monotone import read_constraints

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
One = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
"""A single name stands for a list of one; an empty list switches a modality off."""
NoneByName = BeforeValidator(lambda value: NONE if value is None else value)
"""One of the choices is called `none`, which `--set` gives as no value."""


def _known_window(name: str) -> str:
    if name not in WINDOW_NAMES:
        raise ValueError(f"a window is one of {', '.join(WINDOW_NAMES)}{did_you_mean(name, WINDOW_NAMES)}")
    return name


def _known_headings(entries: tuple[str, ...]) -> tuple[str, ...]:
    own_headings(entries)
    return entries


def _known_constraints(entries: tuple[str, ...]) -> tuple[str, ...]:
    read_constraints(entries)
    return entries


def _known_rules(entries: tuple[str, ...]) -> tuple[str, ...]:
    read_rules(entries)
    return entries


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkOptions(Section):
    """What the training of every network is governed by; see learning.loop.Schedule."""

    epochs: Count
    min_steps: Annotated[int, Field(ge=0)]
    max_steps: Count
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    dropout: Share = 0.2


class ImageOptions(NetworkOptions):
    encoders: Annotated[tuple[Literal["cnn"], ...], One] = ("cnn",)
    size: Annotated[int, Field(ge=28, le=1024)] = 128
    window: Annotated[str, AfterValidator(_known_window)] = "file"
    denoise: Annotated[Literal["none", "median", "nlm"], NoneByName] = "none"
    enhance: Annotated[Literal["none", "clahe"], NoneByName] = "none"
    slices: Annotated[int, Field(ge=1, le=1024)] = 16
    backbone: Literal["compact", "resnet18", "resnet50", "densenet121", "efficientnet_b0"] = "compact"
    weights: str | None = None
    frozen: Share = 0.2
    stem_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    epochs: Count = 25
    min_steps: Annotated[int, Field(ge=0)] = 300
    max_steps: Count = 5000
    batch_size: Annotated[int, Field(ge=2)] = 32
    learning_rate: Positive = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    balance: bool = False
    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    patience: Count = 5
    rotation: Annotated[float, Field(ge=0, le=180)] = 7.0
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    shift: Share = 0.06
    scale: Share = 0.10
    brightness: Share = 0.20
    contrast: Share = 0.20
    noise: Share = 0.03
    erase: Share = 0.0
    flip: bool = False


class NotesOptions(NetworkOptions):
    encoders: Annotated[tuple[Literal["words", "sentences", "bert"], ...], One] = ("words", "sentences", "bert")
    mask_words: bool = False
    headings: Annotated[tuple[str, ...], One, AfterValidator(_known_headings)] = ()
    checkpoint: str | None = None
    download: bool = False
    pretraining: Annotated[int, Field(ge=0)] = 60
    stem_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    layers: Count = 2
    width: Annotated[int, Field(ge=64, multiple_of=64)] = 128
    vocabulary: Annotated[int, Field(ge=100)] = 6000
    length: Annotated[int, Field(ge=32, le=512)] = 96
    epochs: Count = 5
    min_steps: Annotated[int, Field(ge=0)] = 200
    max_steps: Count = 600
    batch_size: Annotated[int, Field(ge=2)] = 16
    learning_rate: Positive = 5e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.01


class VitalsOptions(NetworkOptions):
    encoders: Annotated[tuple[Literal["forest", "logistic", "svm", "boosting", "gru"], ...], One] = (
        "forest",
        "logistic",
        "boosting",
        "gru",
    )
    convert_suspect: bool = False
    balance: bool = False
    monotone: Annotated[tuple[str, ...], One, AfterValidator(_known_constraints)] = ()
    epochs: Count = 7
    min_steps: Annotated[int, Field(ge=0)] = 60
    max_steps: Count = 5000
    batch_size: Annotated[int, Field(ge=2)] = 32
    learning_rate: Positive = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    dropout: Share = 0.5


class FusionOptions(Section):
    folds: Annotated[int, Field(ge=3, le=20)] = 3
    min_records: Annotated[int, Field(ge=2)] = 20


class TrustOptions(Section):
    threshold: Annotated[tuple[str, ...], One, AfterValidator(_known_rules)] = (GENERAL,)
    coverage: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    false_alarms: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    calibration: Annotated[str, AfterValidator(check_calibration)] = AUTO
    audit: Literal["warn", "stop", "off"] = "warn"
    fallback: Annotated[str, NoneByName, AfterValidator(check_fallback)] = NONE


class TrainOptions(Section):
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Count = 2


class Config(Section):
    """All options; `Config()` is the default."""

    image: ImageOptions = ImageOptions()
    notes: NotesOptions = NotesOptions()
    vitals: VitalsOptions = VitalsOptions()
    fusion: FusionOptions = FusionOptions()
    trust: TrustOptions = TrustOptions()
    train: TrainOptions = TrainOptions()


def read_config(path: Path | None = None, assignments: Iterable[str] = ()) -> Config:
    """The options of a TOML file, then those of `section.key=value` texts.

    Raises UsageError for a file that is no TOML, an unknown key (with "did you mean") or an impossible value.
    """
    tables: dict[str, dict] = {}
    if path is not None:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: {error}") from None
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, dot, key = name.strip().partition(".")
        if not equals or not dot:
            raise UsageError(f"--set {assignment!r}: write it as section.key=value, for example image.size=96")
        tables.setdefault(section, {})[key] = _value(text.strip())
    return _config_of(tables)


def with_options(config: Config, section: str, **options: object) -> Config:
    """The options with others in one section. Raises UsageError for an impossible value."""
    tables = config.model_dump()
    return _config_of(tables | {section: tables[section] | options})


def _config_of(tables: Mapping[str, Mapping]) -> Config:
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        raise UsageError("\n".join(_said(item) for item in error.errors(include_url=False))) from None


def _value(text: str) -> object:
    """A TOML value where it is one, else the text itself; `none` is no value; `a,b` a list."""
    if text.casefold() == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.split(",") if "," in text else text


def _said(item: dict) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        message = item["msg"].removeprefix("Value error, ")
        return f"{place}: {message[:1].lower()}{message[1:]}"
    form: type[BaseModel] = Config
    for part in item["loc"][:-1]:
        form = form.model_fields[part].annotation  # type: ignore[assignment]
    return f"{place}: there is no such option{did_you_mean(str(item['loc'][-1]), form.model_fields)}"


def as_toml(config: Config) -> str:
    """The options as the TOML that `--config` reads."""
    lines = []
    for section, options in config.model_dump(mode="json").items():
        lines.append(f"[{section}]")
        for key, value in options.items():
            if value is not None:
                lines.append(f"{key} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return TypeAdapter(object).dump_json(value).decode()
