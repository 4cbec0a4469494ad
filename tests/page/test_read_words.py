"""What was read of an image or a note is said in one quiet line."""

from __future__ import annotations

import pytest

from multimodal.page.read_words import image_words, note_words


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            {"format": "DICOM", "modality": "DX", "view": "PA", "body_part": "CHEST", "lossy": "yes"},
            "DX, PA view, chest; lossy compression.",
        ),
        ({"format": "DICOM", "modality": "CR", "laterality": "L", "body_part": "UPPER_ARM"}, "CR, left, upper arm."),
        (
            {
                "modality": "CT",
                "body_part": "HEAD",
                "slices": "16 of 132",
                "spacing_mm": "2.5 x 0.7 x 0.7",
                "orientation": "axial",
            },
            "CT, head, 16 of 132 axial slices 2.5 mm apart.",
        ),
        ({"modality": "MR", "slices": "9 of 9", "spacing_mm": "? x 1 x 1"}, "MR, 9 of 9 slices."),
        (
            {"modality": "US", "derived": "yes", "burned_in": "yes"},
            "US; derived from another image. Annotation is burned into the picture.",
        ),
        ({"format": "JPEG", "mode": "RGB", "lossy": "yes"}, "JPEG; lossy compression."),
        ({}, ""),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_the_facts_are_said_in_words(facts, line):
    assert image_words(facts) == line


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"sentences": "1", "chunks_used": "1"}, "1 sentence."),
        ({"sentences": "12", "sections": "findings"}, "12 sentences of the section findings."),
        ({"sentences": "12", "sections": "findings, impression"}, "12 sentences of the sections findings, impression."),
        ({"format": "PNG"}, ""),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_of_a_note_they_say_how_much_was_read(facts, line):
    assert note_words(facts) == line
