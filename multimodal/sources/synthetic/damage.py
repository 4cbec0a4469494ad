"""What is wrong with the synthetic cohort on purpose, and what each reader is expected to say of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

# A few images are broken: what becomes of the file, and the code that refuses it.
BROKEN_IMAGES = {
    "truncated": "HEADER_MISMATCH",
    "text": "NOT_AN_IMAGE",
    "empty": "FILE_EMPTY",
    "missing": "FILE_MISSING",
    "blank": "BLANK_IMAGE",
}
# A few records have one impossible measurement more: (code, value, unit, hours), and the code that refuses it.
BAD_MEASUREMENTS = (
    (("heart_rate", "0", "/min", -0.5), "IMPLAUSIBLE"),
    (("temperature", "0", "Cel", -0.5), "IMPLAUSIBLE"),
    (("oxygen_saturation", "170", "%", -0.5), "IMPLAUSIBLE"),
    (("platelets", "-9", "10*3/uL", -0.5), "IMPLAUSIBLE"),
    (("wbc", "12O", "10*3/uL", -0.5), "NOT_A_NUMBER"),
    (("temperature", "98.6", None, -0.5), "UNIT_SUSPECT"),
    (("lactate", "2.1", "furlong", -0.5), "UNKNOWN_UNIT"),
    (("heart_rte", "80", "/min", -0.5), "UNKNOWN_CODE"),
    (("heart_rate", "80", "/min", 6.0), "FUTURE_INPUT"),
)
EMPTY_NOTE = "-- / --"


def choose(candidates: np.ndarray, kinds: int, share: float, random: np.random.Generator) -> dict[int, int]:
    """{candidate: kind} for about `share` of the candidates, each kind (0 .. kinds - 1) as often as the others.

    Every kind occurs where there are 20 candidates for each; a candidate is chosen once.
    """
    rounds = max(round(share * len(candidates) / kinds), 1 if len(candidates) >= 20 * kinds else 0)
    chosen = random.permutation(candidates)[: rounds * kinds]
    return {int(candidate): place % kinds for place, candidate in enumerate(chosen)}


def break_file(content: bytes, kind: str, blank: bytes) -> bytes | None:
    """The file's bytes after damage of one of BROKEN_IMAGES; None where no file is left."""
    match kind:
        case "truncated":
            return content[: len(content) * 2 // 3]
        case "text":
            return b"The image was not exported. See the archive.\n"
        case "empty":
            return b""
        case "missing":
            return None
        case "blank":
            return blank
    raise AssertionError(kind)


def with_bad_measurements(table: pd.DataFrame, chosen: dict[int, int]) -> pd.DataFrame:
    """The table of `measure` with the impossible rows of the chosen records, each after its record's other rows."""
    rows = [(record, *BAD_MEASUREMENTS[kind][0]) for record, kind in chosen.items()]
    bad = pd.DataFrame(rows, columns=list(table.columns)).astype(table.dtypes.to_dict())
    return pd.concat([table, bad]).sort_values("record", kind="stable", ignore_index=True)
