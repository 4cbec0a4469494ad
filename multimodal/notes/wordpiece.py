"""A WordPiece vocabulary learnt from texts: the same texts give the same vocabulary, in every process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_CHARACTERS = 4000


def learn_wordpiece(texts: Sequence[str], size: int) -> PreTrainedTokenizerBase:
    """A tokenizer with at most about `size` pieces: lower-cased, without accents, CJK by character.

    The library's trainer numbers the characters in the order of a hash table, which differs from process to process,
    and breaks ties between merges by these numbers. So the characters are given to it, in an order of their own.
    """
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    learnt = BertWordPieceTokenizer(lowercase=True, strip_accents=True)
    normalizer = learnt._tokenizer.normalizer
    counts = Counter(character for text in texts for character in normalizer.normalize_str(text))
    ordered = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))[:MAX_CHARACTERS]
    characters = [*ordered, *(f"##{character}" for character in ordered)]
    known = set(ordered)
    kept = ("".join(c if c in known else " " for c in normalizer.normalize_str(text)) for text in texts)
    learnt.train_from_iterator(
        kept,
        vocab_size=max(size, len(characters) + len(SPECIAL_TOKENS)),
        min_frequency=2,
        limit_alphabet=2 * MAX_CHARACTERS,
        special_tokens=[*SPECIAL_TOKENS, *characters],
        show_progress=False,
    )
    pieces = sorted(learnt.get_vocab().items(), key=lambda item: item[1])
    vocabulary = {piece: number for number, (piece, _) in enumerate(pieces)}
    return BertTokenizerFast(
        tokenizer_object=BertWordPieceTokenizer(vocabulary, lowercase=True, strip_accents=True)._tokenizer,
        model_max_length=1_000_000,
    )
