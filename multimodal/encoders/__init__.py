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
and where several of one modality could measure how unusual an input is
  measures_novelty                             said to the first of them alone, before `fit`
and where it learns without labels first, once for all folds
  pretraining_steps(inputs)                    how many steps `pretrain` takes, 0: there is nothing to do
  pretrain(inputs, folder, *, random_state)    write what `fit` starts from
  start                                        that folder, or None
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


def encoder_class(name: str) -> Any:
    """The class of an encoder of ENCODERS."""
    module, _, attribute = ENCODERS[name].where.partition(":")
    return getattr(import_module(module), attribute)
