"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'X'?` for the nearest of `choices`, or an empty string where none is near."""
    by_folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(str(word).casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""


def shown(value: object, limit: int = 40) -> str:
    """`value` for a message: escaped, on one line, shortened to `limit` characters."""
    text = ascii(str(value))[1:-1]
    return repr(text if len(text) <= limit else text[: limit - 3] + "...").replace("\\\\", "\\")
