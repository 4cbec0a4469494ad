"""Where a BERT starts from: a compact one from nothing, or the folder of any BERT-family checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..learning import torchvision_shim  # noqa: F401  before transformers
from ..notes.wordpiece import learn_wordpiece
from ..records import UsageError
from .pretrained import FACTS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HEAD_WIDTH = 64
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json")


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

    Nothing in a checkpoint is executed, and weights are read from safetensors alone, as float32. Raises UsageError if
    it is none, is damaged or incomplete, or reads fewer than `length` tokens.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer

    _without_bars()
    folder = checkpoint_folder(name, download)
    only_here = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **only_here)
        model, told = AutoModel.from_pretrained(
            folder, use_safetensors=True, dtype="float32", output_loading_info=True, **only_here
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise _refused(name, f"cannot be read: {str(error).splitlines()[0]}") from error
    missing = sorted(key for key in told["missing_keys"] if "pooler" not in key)
    if missing:
        raise _refused(name, f"lacks weights, the first of them {missing[0]}: is config.json of another model?")
    if tokenizer.pad_token_id is None:
        raise _refused(name, "has a tokenizer without a padding token")
    if not tokenizer.is_fast:
        raise _refused(name, "has a tokenizer that says no places in the text: it has no tokenizer.json")
    longest = longest_of(model)
    if longest is not None and longest < length:
        raise UsageError(f"notes.length is {length}, but the model of {name} reads at most {longest} tokens")
    return tokenizer, model


@lru_cache(maxsize=4)
def checkpoint_folder(name: str, download: bool) -> Path:
    """The folder of a checkpoint; one of the hub is fetched once a process, so that all folds begin from the same.

    Raises UsageError if it is not there, or lacks a file that is needed.
    """
    folder = Path(name)
    if not folder.is_dir():
        if not download:
            message = f"there is no folder {name}; a name is fetched from the hub only with notes.download=true"
            raise UsageError(f"notes.checkpoint: {message}")
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.model", "model.safetensors"]))
        except (OSError, ValueError) as error:
            raise _refused(name, f"cannot be fetched: {str(error).splitlines()[0]}") from error
    for file in ("config.json", "model.safetensors"):
        if not (folder / file).is_file():
            other = " (weights of another kind are converted once, see the README)" if file.startswith("model") else ""
            message = f"{folder} holds no {file}{other}; give the folder of a BERT-family checkpoint"
            raise UsageError(f"notes.checkpoint: {message}")
    if not any((folder / file).is_file() for file in TOKENIZERS):
        raise UsageError(f"notes.checkpoint: {folder} holds no tokenizer ({' or '.join(TOKENIZERS)})")
    return folder


def _refused(name: str, why: str) -> UsageError:
    return UsageError(f"notes.checkpoint: {name} {why}")


def longest_of(model: PreTrainedModel) -> int | None:
    """How many tokens the model reads at most, None if it does not say."""
    longest = getattr(model.config, "max_position_embeddings", None)
    embeddings = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    # RoBERTa counts positions from behind its padding token.
    before = 0 if getattr(embeddings, "padding_idx", None) is None else embeddings.padding_idx + 1
    return None if longest is None else longest - before


def is_compact(folder: Path) -> bool:
    """Whether `pretrain-notes` made this folder from nothing, in one go or several: it learns at the full rate."""
    try:
        return bool(json.loads((folder / FACTS).read_text(encoding="utf-8"))["compact"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError):
        raise UsageError(f"{folder} is damaged or was edited: run the pretraining again") from None


def _without_bars() -> None:
    """Reading and writing a small model takes no bar of the library's own."""
    from transformers.utils import logging

    logging.disable_progress_bar()
