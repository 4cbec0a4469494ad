"""The reason codes: what each means and what to do, in one table. Nothing else defines a code."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Reason:
    """One reason code.

    severity  refuse: the item, record or cohort is not used; warn: it is used, and the fact is on record
    meaning   one line
    remedy    one sentence, what to do
    """

    severity: Literal["refuse", "warn"]
    meaning: str
    remedy: str


_TABLE: dict[Literal["refuse", "warn"], dict[str, tuple[str, str]]] = {
    "refuse": {
        "COHORT_NOT_FOUND": ("no such folder or file", "Check the path."),
        "COHORT_FORM": (
            "the cohort as a whole cannot be read",
            "`multimodal new DIR` writes an empty cohort that shows the form.",
        ),
        "LAYOUT_UNCLEAR": (
            "a folder of pictures, or its table, that can be read in no way or in several",
            "`multimodal import --help` lists the options that say what is meant.",
        ),
        "TRAINING_PATIENTS": (
            "a figure on patients that the model trained on",
            "Evaluate on other patients, or give --all-patients, which marks every figure.",
        ),
        "SITE_TOO_SMALL": (
            "too few labelled patients to recalibrate a model on",
            "Add labelled patients with and without the outcome.",
        ),
        "LEAKAGE": (
            "the leakage audit found what makes figures too good",
            "Mend the cohort, or train with --set trust.audit=warn, which goes on and keeps the findings.",
        ),
        "DUPLICATE_RECORD": ("the same record_id stands twice", "Give each record an id of its own."),
        "UNKNOWN_FIELD": ("a field that the form does not have", "Correct its name, or put it under `attributes`."),
        "UNKNOWN_COLUMN": (
            "a column that the form does not have",
            "Correct its name, or list it under `attributes` or `ignore` in cohort.toml.",
        ),
        "BAD_VALUE": ("a wrong type, an impossible label, age or time", "Correct the value or leave it empty."),
        "BAD_LINE": ("a line that is no JSON object, or too long or too deep", "Write one JSON object a line."),
        "FUTURE_INPUT": (
            "an input later than the prediction time",
            "Leave it out: it would not be known when the prediction is made.",
        ),
        "PATH_OUTSIDE": ("a path that leads out of the cohort", "Copy the file into the cohort, with a relative path."),
        "NO_INPUT": ("the record has no usable modality", "See the other problems of this record."),
        "BAD_ENCODING": ("text in no known encoding", "Save the file as UTF-8."),
        "UNKNOWN_CODE": (
            "a measurement that the table does not have",
            "`multimodal codes TEXT` finds codes; cohort.toml may declare [measurements.NAME].",
        ),
        "UNKNOWN_UNIT": ("a unit without a conversion for this code", "`multimodal codes NAME` lists accepted units."),
        "IMPLAUSIBLE": ("a value outside the plausible range", "Correct the value or leave it out."),
        "UNIT_SUSPECT": ("implausible as given, plausible in another unit", "Give the unit that was meant."),
        "NOT_A_NUMBER": ("a value that is no finite number", "Correct the value or leave it out."),
        "INCONSISTENT": ("values that cannot both be right", "Correct or leave out the pair."),
        "EMPTY_NOTE": ("a note without letters or digits", "Leave the note out."),
        "NOTE_TOO_LONG": ("a note of more than 1 MiB of text", "Split it into several notes."),
        "BINARY_NOTE": ("a note that is a binary or marked-up document", "Give its plain text."),
        "FILE_MISSING": ("no such file", "Check the path."),
        "FILE_EMPTY": ("a file of 0 bytes", "Export the file again."),
        "FILE_UNREADABLE": ("a file that the system does not let us read", "Check its permissions."),
        "NOT_AN_IMAGE": ("the content is no supported image", "Give DICOM, PNG, JPEG, TIFF, GIF, BMP, WebP or NIfTI."),
        "NO_PIXELS": ("a DICOM file without pixel data", "Give the image, not its report or plan."),
        "IMAGE_TOO_LARGE": ("an image above the size limits", "Reduce it to at most 64 megapixels a frame."),
        "HEADER_MISMATCH": ("the header and the pixel data disagree", "Export the file again."),
        "UNSUPPORTED_SYNTAX": ("a transfer syntax without a decoder here", "Convert it to explicit little endian."),
        "DECODE_FAILED": ("the decoder could not read the image", "Export the file again."),
        "DECODE_TIMEOUT": ("the decoder did not end in time", "Export the file again, uncompressed."),
        "DECODE_MEMORY": ("the decoder outgrew its memory", "Export the file again, uncompressed."),
        "BLANK_IMAGE": ("an image without content", "Leave the image out."),
        "RESCALE_INVALID": ("a rescale slope of 0 or not finite", "Export the file again."),
        "LUT_INVALID": ("a look-up table whose descriptor and data disagree", "Export the file again."),
        "IMAGE_TOO_SMALL": ("an image with a side under 8 pixels", "Give the full image."),
        "SERIES_MIXED": ("several series in one folder", "Give each series a folder of its own."),
        "WRONG_KIND": ("an image of another kind than the model reads", "Give an image of the kind it was trained on."),
    },
    "warn": {
        "ORPHAN_ROW": ("a row of a record that `patients` lacks", "Add the record or remove the row."),
        "PATIENT_ASSUMED": ("no patient_id: the record_id is taken", "Give patient_id, so that splits keep patients."),
        "ENCODING_GUESSED": ("text that is not UTF-8, read as Windows-1252", "Save the file as UTF-8."),
        "UNIT_ASSUMED": ("no unit given: the table's is taken", "Give the unit."),
        "UNIT_CONVERTED": ("a suspect value, converted as asked for", "Give the unit."),
        "DECIMAL_COMMA": ("a decimal comma, read as a point", "Write a decimal point."),
        "CENSORED": ("a value below or above a detection limit, kept at the limit", "Nothing: the limit is used."),
        "PERCENT_READ": (
            "a fraction above 1 (FiO2), which cannot be right: read as percent, not refused as INCONSISTENT",
            "Give the unit.",
        ),
        "DUPLICATE_MEASUREMENT": ("same code and time, unequal values: both are kept", "Keep the right one."),
        "MOJIBAKE": ("doubly encoded text, repaired", "Save the file as UTF-8 once."),
        "MOSTLY_UNKNOWN": ("over half of the words are unknown to the model", "Check language and encoding."),
        "WINDOW_INVALID": ("an unusable window: the data range is used", "Nothing: check the picture."),
        "WINDOW_NOT_USED": ("a named window for values that are not in Hounsfield units", "Nothing: its own is used."),
        "SERIES_INCOMPLETE": ("missing or uneven slices", "Export the series again."),
        "SLICES_CHOSEN": (
            "some slices of a volume are read, evenly spaced",
            "Nothing: `image.slices` says how many are read at most.",
        ),
        "LOSSY": ("a lossy compressed image", "Nothing: it is on record."),
        "BURNED_IN": ("annotation burned into the image", "Check it for identifiers."),
        "DERIVED": ("a derived image", "Prefer the original."),
        "FIRST_FRAME": ("several frames or pages: the first is read", "Give the frame that is meant."),
        "COLOUR_CONVERTED": ("a colour or transparent picture, read as grey", "Nothing: it is on record."),
        "NOT_FINITE": ("pixels that are not finite numbers, read as padding", "Nothing: check the picture."),
        "MISLABELLED": ("the content is another format than the name says", "Nothing: the content decides."),
        "SET_UNVALIDATED": (
            "no decision: too few training records have just these inputs to know how good an answer is",
            "Give more of the record, or train on records that have this set.",
        ),
        "NOVEL_INPUT": (
            "no decision: an input is stranger than those of the training",
            "Check that it is of the right kind and of this patient; else the model is not made for it.",
        ),
        "NOVEL_RECORD": (
            "no decision: several inputs are unusual at once, compared with the training",
            "Check that all inputs are right and of this patient; else the model is not made for it.",
        ),
        "CONTRADICTION": (
            "no decision: two inputs contradict each other more than in the training",
            "Check that both are of this patient and of the same time; else look at each by itself.",
        ),
        "PRETRAINED_ON_HELD_OUT": (
            "what the model began with has seen patients held out; `evaluate` leaves these out",
            "Give `pretrain-images` or `pretrain-notes` the --holdout and --seed of `train`.",
        ),
        "TOO_FEW_LABELS": ("a target or class with too few known labels is left out", "Add labelled patients."),
        "RECALIBRATED": (
            "the model's probabilities were fitted anew to another site",
            "Nothing: `evaluate` on other patients of that site shows whether they hold.",
        ),
        "LEVELS_RARE": (
            "levels of a category that too few training records have are not learnt",
            "List the levels as `categories` in cohort.toml; free text belongs into a note.",
        ),
        "MODALITY_RARE": ("a modality with too few training records gets no encoder", "Add records that have it."),
        "LEAK_PATIENT": (
            "a patient on both sides of a split",
            "Split by patient: `--holdout`, or one `split` for all records of a patient.",
        ),
        "LEAK_TWICE": (
            "one patient under two patient ids: same sex and age, and the same picture, note or measurements",
            "Give the records one patient_id, if they are of one patient.",
        ),
        "LEAK_IMAGE": (
            "the same picture, or a copy of it, on both sides of a split, or of several patients",
            "Keep one of the copies, or give their records one patient_id, so that no split parts them.",
        ),
        "LEAK_NOTE": (
            "the same note, or nearly, on both sides of a split, or of several patients",
            "Keep one of them, or give their records one patient_id, so that no split parts them.",
        ),
        "LEAK_FUTURE": (
            "inputs that may not be known when the prediction is made",
            "Leave out what is later than the prediction, and give every input its time.",
        ),
        "LEAK_WORDS": (
            "a target's own words in its notes tell the label",
            "Mask them: --set notes.mask_words=true (and `words` of the target in cohort.toml); or take earlier notes.",
        ),
        "LEAK_FEATURE": (
            "one column or word tells the label almost without error",
            "Find out whether it was known before the outcome; if not, leave it out (--ignore, or the table's rows).",
        ),
        "LEAK_IDENTIFIER": (
            "ids, names or the order of the records tell the label, or stand where an input is",
            "Number and order the records at random, and take ids out of notes and attributes.",
        ),
        "LEAK_SOURCE": (
            "where a record comes from tells the label",
            "Train on sources that have both classes, and evaluate on a source that was left out.",
        ),
        "LEAK_FILE": (
            "properties of files or numbers of items tell the label",
            "Export both classes in one way; compare the model with this figure before believing it.",
        ),
    },
}

REASONS: dict[str, Reason] = {
    code: Reason(severity, meaning, remedy)
    for severity, rows in _TABLE.items()
    for code, (meaning, remedy) in rows.items()
}


class Problem(namedtuple("Problem", ("code", "where", "message"))):
    """One problem of one record: a code of REASONS, the item it concerns, and what was found.

    where    the item: `images[0]`, `measurements.csv row 4`, `age_years`
    message  what was found; never note text, never an identifier beyond the record id
    times    how many values it stands for ("and N more"); beside the form: no part of equality, and 1 again after
             `_replace`
    """

    times: int = 1

    def __new__(cls, code: str, where: str, message: str, *, times: int = 1) -> Problem:
        assert code in REASONS, code
        problem = super().__new__(cls, code, where, message)
        problem.times = times
        return problem

    @property
    def severity(self) -> str:
        return REASONS[self.code].severity

    def __str__(self) -> str:
        place = f" {self.where}:" if self.where else ""
        return f"{self.code}:{place} {self.message}"
