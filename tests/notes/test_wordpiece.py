"""The learnt WordPiece vocabulary."""

import subprocess
import sys

from multimodal.notes.wordpiece import learn_wordpiece

TEXTS = ["No pleural effusion.", "Small pleural effusion on the left.", "Herz nicht vergrößert.", "肺部未见异常。"] * 3
CODE = f"""
from multimodal.notes.wordpiece import learn_wordpiece
print(sorted(learn_wordpiece({TEXTS!r}, 200).get_vocab().items(), key=lambda item: item[1]))
"""


def test_every_process_learns_the_same_vocabulary():
    """The library alone numbers characters in the order of a hash table with a seed of the process."""
    found = {subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True).stdout for _ in range(3)}

    assert len(found) == 1


def test_frequent_words_are_pieces_and_no_text_it_learnt_from_is_unknown():
    tokenizer = learn_wordpiece(TEXTS, 200)

    assert {"effusion", "pleural", "肺"} <= set(tokenizer.get_vocab())
    assert all(tokenizer.unk_token_id not in tokenizer(text)["input_ids"] for text in TEXTS)
    ids = tokenizer("No effusion")["input_ids"]
    assert tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == ["[CLS]", "[SEP]"]
