"""What was read of an image or a note, in words. The names of the facts are those that the rooms give."""

from __future__ import annotations

from collections.abc import Mapping

SIDES = {"L": "left", "R": "right", "B": "both sides"}


def image_words(facts: Mapping[str, str]) -> str:
    """The facts as a line: "DX, PA view, chest; lossy compression."; "" where they tell nothing that it says.

    Annotation that is burned in gets a sentence of its own.
    """
    view = facts.get("view", "")
    told = [
        facts.get("modality") or facts.get("format", ""),
        f"{view} view" if view else "",
        SIDES.get(facts.get("laterality", ""), ""),
        facts.get("body_part", "").replace("_", " ").lower(),
        _slices(facts),
    ]
    ways = [("lossy", "lossy compression"), ("derived", "derived from another image")]
    made = [words for name, words in ways if facts.get(name)]
    line = "; ".join(filter(None, [", ".join(filter(None, told)), *made]))
    sentences = [line, "Annotation is burned into the picture" if facts.get("burned_in") else ""]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _slices(facts: Mapping[str, str]) -> str:
    """ "16 of 132 axial slices 2.5 mm apart" of a volume, else ""."""
    if "slices" not in facts:
        return ""
    between = facts.get("spacing_mm", "?").partition(" x ")[0]
    words = [facts["slices"], facts.get("orientation", ""), "slices", "" if between == "?" else f"{between} mm apart"]
    return " ".join(filter(None, words))


def note_words(facts: Mapping[str, str]) -> str:
    """ "12 sentences of the sections findings, impression." of a note, else ""."""
    if "sentences" not in facts:
        return ""
    count, found = facts["sentences"], facts.get("sections", "")
    said = "1 sentence" if count == "1" else f"{count} sentences"
    return f"{said} of the section{'s' if ', ' in found else ''} {found}." if found else f"{said}."
