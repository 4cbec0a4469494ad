"""A target's own words, found in a text, so that a model cannot read the answer off its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Only as whole words: short ones (MI, PE, ncov) and these are parts of ordinary words (patient, coronary). The others
# are found also where a blank was lost, as in "classiccovid-19".
_SHORT = 4
_WHOLE_WORDS = {"corona"}


def own_words_pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Where one of `words` stands, the longest that fits.

    Case is ignored; a blank or hyphen of a word stands for up to two characters that are no letter or digit, or for
    none ("SARS CoV2", "covid19", another dash).
    """
    alternatives = []
    for word in sorted(words, key=len, reverse=True):
        flexible = r"[\W_]{0,2}".join(re.escape(part) for part in re.split(r"[ -]", word))
        # Not "coronavirus 2" of "coronavirus 229E": a number ends where its digits and letters end.
        ending = r"(?![^\W_])" if word[-1].isdigit() else ""
        whole = len(word) <= _SHORT or word.lower() in _WHOLE_WORDS
        alternatives.append(rf"(?<![^\W_]){flexible}(?![^\W_])" if whole else flexible + ending)
    return re.compile("|".join(alternatives), re.IGNORECASE)
