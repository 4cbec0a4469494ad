"""Where a BERT starts from: a compact one from nothing, or the folder of any BERT-family checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..learning import torchvision_shim  # noqa: F401  before transformers
from ..notes.wordpiece import learn_wordpiece
from ..records import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HEAD_WIDTH = 64
FACTS = "pretraining.json"  # in a folder that `pretrain-notes` wrote


def compact(
    texts: Sequence[str], *, layers: int, width: int, vocabulary: int, length: int
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """A WordPiece vocabulary learnt from the texts, and a small BERT with random weights."""
    from transformers import AutoModel, BertConfig

    _without_bars()
    tokenizer = learn_wordpiece(texts, vocabulary)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(width // HEAD_WIDTH, 1),
        intermediate_size=width * 3,
        max_position_embeddings=max(length, 64),
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, AutoModel.from_config(config)


def open_checkpoint(
    name: str, *, length: int, download: bool = False
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Tokenizer and model of a BERT-family folder, or, where `download` allows the network, of a name on the hub.

    Nothing in a checkpoint is executed, and weights are read from safetensors alone. Raises UsageError if it is none,
    lacks what is needed, or reads fewer than `length` tokens.
    """
    from transformers import AutoModel, AutoTokenizer

    _without_bars()
    folder = Path(name)
    if folder.is_dir():
        for file in ("config.json", "model.safetensors"):
            if not (folder / file).is_file():
                message = f"{folder} holds no {file}; give the folder of a BERT-family checkpoint"
                raise UsageError(f"notes.checkpoint: {message}")
    elif not download:
        message = f"there is no folder {name}; a name is fetched from the hub only with notes.download=true"
        raise UsageError(f"notes.checkpoint: {message}")
    safely = {"local_files_only": folder.is_dir(), "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **safely)
        model = AutoModel.from_pretrained(name, use_safetensors=True, **safely)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UsageError(f"notes.checkpoint: {name} cannot be read: {str(error).splitlines()[0]}") from error
    if tokenizer.pad_token_id is None:
        raise UsageError(f"notes.checkpoint: the tokenizer of {name} has no padding token")
    if not tokenizer.is_fast:
        raise UsageError(
            f"notes.checkpoint: the tokenizer of {name} says no places in the text: it has no tokenizer.json"
        )
    longest = longest_of(model)
    if longest is not None and longest < length:
        raise UsageError(f"notes.length is {length}, but the model of {name} reads at most {longest} tokens")
    return tokenizer, model


def longest_of(model: PreTrainedModel) -> int | None:
    """How many tokens the model reads at most, None if it does not say."""
    longest = getattr(model.config, "max_position_embeddings", None)
    embeddings = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    # RoBERTa counts positions from behind its padding token.
    before = 0 if getattr(embeddings, "padding_idx", None) is None else embeddings.padding_idx + 1
    return None if longest is None else longest - before


def is_compact(folder: Path) -> bool:
    """Whether `pretrain-notes` wrote this folder from nothing: a compact model, which learns at the full rate."""
    facts = folder / FACTS
    return facts.is_file() and json.loads(facts.read_text(encoding="utf-8")).get("checkpoint") is None


def _without_bars() -> None:
    """Reading and writing a small model takes no bar of the library's own."""
    from transformers.utils import logging

    logging.disable_progress_bar()
