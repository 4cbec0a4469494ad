"""One file per encoder; ENCODERS maps a name to the modality it reads and to "module:Class", imported on use.

An encoder has
  from_options(options, *, device, on_step)    its options out of its modality's section of the config
  fit(inputs, targets, y, groups, *, random_state) -> self    inputs: see inputs.py; y: float (n, T), NaN unknown
  encode(inputs, *, precision="fp32") -> Evidence
  save(folder) / load(folder, *, device)       safetensors, skops, JSON only
and where it is trained in steps
  steps(inputs)                                how many `fit` takes at most
  fit(..., steps=None)                         takes just so many if told; steps_ afterwards: how many it took
  on_step                                      called after each
  kept_in                                      a folder for the state of a running `fit`, to go on from, or None
and where it learns without labels first, once for all folds
  pretraining_steps(inputs)                    how many steps `pretrain` takes, 0: there is nothing to do
  pretrain(inputs, folder, *, random_state)    write what `fit` starts from
  start                                        that folder, or None

DENSITIES measure how common an input of a modality is, whichever of its encoders are on. A density has
  fit(inputs) -> self                          inputs of which all records are present
  novelty(inputs) -> {measure: float (n,)}     see records.Evidence; NaN where absent
  save(folder) / load(folder)                  safetensors, JSON only
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple


class Entry(NamedTuple):
    modality: str
    where: str


ENCODERS: dict[str, Entry] = {
    "cnn": Entry("image", "multimodal.encoders.cnn:CNN"),
    "words": Entry("notes", "multimodal.encoders.linear_words:LinearWords"),
    "sentences": Entry("notes", "multimodal.encoders.linear_sentences:LinearSentences"),
    "bert": Entry("notes", "multimodal.encoders.bert:BERT"),
    "forest": Entry("vitals", "multimodal.encoders.tabular:Forest"),
    "logistic": Entry("vitals", "multimodal.encoders.tabular:Logistic"),
    "svm": Entry("vitals", "multimodal.encoders.tabular:LinearSVM"),
    "boosting": Entry("vitals", "multimodal.encoders.tabular:Boosting"),
    "gru": Entry("vitals", "multimodal.encoders.gru:GRU"),
}


DENSITIES: dict[str, Entry] = {
    "language": Entry("notes", "multimodal.encoders.language_density:LanguageDensity"),
    "density": Entry("vitals", "multimodal.encoders.vitals_density:VitalsDensity"),
}


def encoder_class(name: str) -> Any:
    """The class of an encoder of ENCODERS."""
    return _class(ENCODERS[name])


def density_class(name: str) -> Any:
    """The class of a density of DENSITIES."""
    return _class(DENSITIES[name])


def _class(entry: Entry) -> Any:
    module, _, attribute = entry.where.partition(":")
    return getattr(import_module(module), attribute)
