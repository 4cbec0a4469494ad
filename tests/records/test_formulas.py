"""Spreadsheet formulas are neutralised on the way out."""

from __future__ import annotations

import pandas as pd

from multimodal.records.formulas import neutralised


def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe_and_numbers_stay():
    """The prefixes and the apostrophe: OWASP, CSV Injection."""
    cells = pd.Series(["=1+1", "+cmd", "-x", "@SUM(A1)", "\tx", "-48.0", "+1e5", "plain", "", None])

    expected = ["'=1+1", "'+cmd", "'-x", "'@SUM(A1)", "'\tx", "-48.0", "+1e5", "plain", ""]
    assert neutralised(cells).tolist()[:-1] == expected
    assert pd.isna(neutralised(cells).iloc[-1])
    numbers = pd.Series([-1.5, 2.0])
    assert neutralised(numbers) is numbers
