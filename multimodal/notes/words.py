"""Sentences and words, with the words in the scope of a negation marked.

What it does: splits sentences; lower-cases words; marks words after a cue ("no", "without", "negative for") up to the
end of the scope, and words before a closing cue ("... is absent", "... not seen"), as `not_WORD`; leaves
pseudo-negation ("no change", "not only") alone.
What it does not do: uncertainty, history and family members are not marked.
After NegEx: Chapman et al., J. Biomed. Inform. 34(5):301, 2001.
"""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|[。！？；]|\n+")
# Letters and digits of any script; a run of CJK is taken character by character, since it has no blanks.
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:[-'/.][^\W_\u3400-\u9fff]+)*")

_PSEUDO = re.compile(
    r"\b(?:no|not|without)\s+(?:\w+\s+){0,2}(?:change|changes|increase|worsening)\b(?:\s+in\b)?|\bnot\s+only\b"
)
_OPENS = frozenset(
    "no not without denies denied deny never neither nor negative free absence lack lacks cannot".split()
)
_ENDS = frozenset("but however except although though apart aside besides otherwise which yet".split())
_CLOSED_BEFORE = re.compile(
    r"\b(?:(?:is|are|was|were|has|have)\s+(?:been\s+)?)?"
    r"(?:absent|not\s+(?:seen|identified|present|visualized|visualised|demonstrated|evident|appreciated|noted)"
    r"|ruled\s+out|excluded|resolved|cleared)\b"
)
MAX_SCOPE = 12


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, none of them empty."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def words(sentence: str) -> list[str]:
    """The words of one sentence, lower-cased, as `not_WORD` in the scope of a negation.

    Its time is linear in the length of the sentence, whatever stands in it.

    >>> words("No focal infiltrate or effusion, but mild edema.")
    ['no', 'not_focal', 'not_infiltrate', 'not_or', 'not_effusion', 'but', 'mild', 'edema']
    >>> words("Pleural effusion is absent.")
    ['not_pleural', 'not_effusion', 'is', 'absent']
    >>> words("No change in the small effusion.")
    ['no', 'change', 'in', 'the', 'small', 'effusion']
    """
    lowered = sentence.casefold()
    closing = _CLOSED_BEFORE.search(lowered)
    # Words and spared spans come in order: one pointer moves over the spans, and the last span is past the end.
    spared = [*(match.span() for match in _PSEUDO.finditer(lowered)), (len(lowered), len(lowered) + 1)]
    span = 0
    out, scope = [], 0
    for match in _WORD.finditer(lowered):
        word, start = match.group(), match.start()
        while spared[span][1] <= start:
            span += 1
        is_spared = spared[span][0] <= start
        if word in _ENDS:
            scope = 0
        negated = scope > 0 or (closing is not None and match.end() <= closing.start())
        out.append(f"not_{word}" if negated and not is_spared and word not in _OPENS else word)
        if word in _OPENS and not is_spared:
            scope = MAX_SCOPE
        elif scope:
            scope -= 1
    return out


def marked_words(text: str) -> list[str]:
    """The words of a whole text; a full stop stands between sentences, so that no word pair spans two."""
    out: list[str] = []
    for sentence in sentences(text):
        out.extend(words(sentence))
        out.append(".")
    return out
