"""CT windows by name: which Hounsfield units are shown, from black to white.

Sources: "lung" to "spine" from Bell and Murphy, "Windowing (CT)", Radiopaedia.org, typical width and level values (the
middle of a range, rounded); "angio" as the viewer Orthanc Stone presets it. These are usual values, and no standard:
departments differ. They are shown by the function LINEAR of DICOM PS3.3 C.11.2.1.2.1.
"""

from __future__ import annotations

from collections.abc import Iterable

from multimodal.records import UsageError, did_you_mean, shown

# name: (centre, width) in HU
WINDOWS = {
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "bone": (400.0, 1800.0),
    "temporal-bone": (600.0, 2800.0),
    "brain": (40.0, 80.0),
    "subdural": (75.0, 215.0),
    "stroke": (40.0, 40.0),
    "abdomen": (50.0, 400.0),
    "liver": (30.0, 150.0),
    "spine": (50.0, 250.0),
    "angio": (300.0, 600.0),
}
# "file": the file's own VOI LUT or first window, "range": from the least to the greatest value of the picture
WINDOW_NAMES = ("file", "range", *WINDOWS)

NOT_USED = ("WINDOW_NOT_USED", "the values are not in Hounsfield units: the named window does not apply.")


def check_name(option: str, name: str, names: Iterable[str]) -> None:
    """Raises UsageError, with the nearest one, where `name` is none of the `names` that `option` may have."""
    if name not in names:
        raise UsageError(f"{option}: {shown(name)} is none of {', '.join(names)}{did_you_mean(name, names)}")
