"""Times: ISO 8601 timestamps, or hours relative to the prediction time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from .errors import ItemError
from .nearest import shown

_EPOCH = datetime(1970, 1, 1)
_NO_TIME = np.iinfo(np.int64).min
_MICROSECONDS_PER_HOUR = 3_600_000_000


def timestamp(text: str) -> tuple[int, bool]:
    """(microseconds since 1970, whether the text gives an offset). Raises ItemError BAD_VALUE if it is not ISO 8601."""
    try:
        moment = datetime.fromisoformat(text)
        has_offset = moment.tzinfo is not None
        if has_offset:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ItemError("BAD_VALUE", f"time {shown(text)} is neither ISO 8601 nor a number of hours") from None
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds, has_offset


def relative_hours(
    times: Sequence[str], records: np.ndarray, prediction_times: Sequence[str]
) -> tuple[np.ndarray, dict[int, ItemError]]:
    """Item times as hours relative to their record's prediction time.

    times             (m,) text: a timestamp, a number of hours, or "" (known at prediction: 0 hours); eight bare digits
                      are the date that they are in ISO 8601 (20240101), as in a prediction time
    records           int (m,), index into prediction_times
    prediction_times  (n,) valid timestamps, or "" where the record has none
    Returns hours float (m,), NaN where refused, and {row: ItemError} of the refused rows:
    BAD_VALUE (does not parse; a timestamp of a record without prediction time; one with an offset and one without),
    FUTURE_INPUT (later than the prediction).
    """
    texts = pd.Series(np.asarray(times, dtype=object), dtype=object)
    blank = (texts == "").to_numpy(dtype=bool)
    hours = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan).copy()
    hours[blank] = 0.0
    dates = np.flatnonzero((hours >= 10_000_000) & (hours < 100_000_000))  # numbers of eight digits; hours never are
    hours[dates[texts.iloc[dates].str.fullmatch("[0-9]{8}").to_numpy(dtype=bool)]] = np.nan
    refused: dict[int, ItemError] = {}
    unread = np.flatnonzero(~np.isfinite(hours))
    hours[unread] = np.nan
    if len(unread):
        moments, offsets, errors = _timestamps(texts.iloc[unread])
        predicted, predicted_offsets, _ = _timestamps(pd.Series(np.asarray(prediction_times, dtype=object)))
        predicted, predicted_offsets = predicted[records[unread]], predicted_offsets[records[unread]]
        readable = (moments != _NO_TIME) & (predicted != _NO_TIME) & (offsets == predicted_offsets)
        hours[unread[readable]] = (moments - predicted)[readable] / _MICROSECONDS_PER_HOUR
        for i in np.flatnonzero(~readable):
            row = int(unread[i])
            if moments[i] == _NO_TIME:
                refused[row] = errors[texts.iloc[row]]
            elif predicted[i] == _NO_TIME:
                refused[row] = ItemError("BAD_VALUE", "a timestamp, but the record has no prediction_time")
            else:
                refused[row] = ItemError("BAD_VALUE", "of this time and prediction_time, only one has an offset")
    for late in np.flatnonzero(hours > 0):
        refused[int(late)] = ItemError("FUTURE_INPUT", f"{hours[late]:g} hours after the prediction time")
    hours[hours > 0] = np.nan
    return hours, refused


def _timestamps(texts: pd.Series) -> tuple[np.ndarray, np.ndarray, dict[str, ItemError]]:
    """Microseconds (m,), _NO_TIME where unreadable or empty; whether with offset (m,); the errors by text."""
    codes, distinct = pd.factorize(texts)
    moments = np.full(len(distinct), _NO_TIME, dtype=np.int64)
    offsets = np.zeros(len(distinct), dtype=bool)
    errors: dict[str, ItemError] = {}
    for i, text in enumerate(distinct):
        try:
            moments[i], offsets[i] = timestamp(text)
        except ItemError as error:
            errors[text] = error
    return moments[codes], offsets[codes], errors
