"""Arrow reads what is plain in a CSV file, the csv module the rest: nobody can tell which."""

from __future__ import annotations

import csv
import gzip
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from multimodal.records import CohortError
from multimodal.sources import Cohort
from multimodal.sources.plain_csv import plain_blocks

CELLS = st.text(alphabet='a1 ",;\n\r\té\x00', max_size=4) | st.sampled_from(['"a"', '"a,b"', '""', '"a""b"', "x", "NA"])


@st.composite
def files(draw):
    """Files of two columns, mostly in order: cells and line ends as they come, or as a writer of CSV writes them."""
    rows = draw(st.lists(st.lists(CELLS, min_size=1, max_size=3) | st.tuples(CELLS, CELLS), max_size=5))
    if draw(st.booleans()):
        out = io.StringIO()
        csv.writer(out, quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))).writerows(rows)
        return out.getvalue()
    ends = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    return ends.join(",".join(row) for row in rows) + draw(st.sampled_from(["", ends]))


@given(body=files(), size=st.integers(1, 20))
@example(body='"a,"b,c",d"\n', size=20)
@example(body='a"b,5"\n"x","y"', size=3)
@example(body="a,b\n\n\nc,d\n", size=2)
@settings(max_examples=400, deadline=None)
def test_a_plain_block_holds_what_the_csv_module_reads(body, size):
    data = ("\ufefffirst,second\r\n" + body).encode()
    blocks = list(plain_blocks(io.BytesIO(data), ("first", "second"), ",", {"second", "first"}, block_bytes=size))
    read = data[: blocks[-1][0]] if blocks else b""

    expected = list(csv.reader(io.StringIO(read.decode("utf-8-sig"), newline=""), strict=True))[1:]
    assert [list(row.values()) for _, rows in blocks for row in rows.to_pylist()] == expected


def test_what_many_programs_write_is_plain():
    rows = [["a, b", "1"], ["", "é"], [" x ", "NA"]]
    for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL):
        out = io.StringIO()
        csv.writer(out, quoting=quoting).writerows([["first", "second"], *rows])
        ((end, table),) = plain_blocks(
            io.BytesIO(out.getvalue().encode()), ("first", "second"), ",", {"first", "second"}
        )

        assert end == len(out.getvalue().encode())
        assert [list(row.values()) for row in table.to_pylist()] == rows


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("plain_lines", [0, 10, 5000])
def test_rows_are_numbered_and_refused_alike_wherever_the_plain_part_ends(tmp_path, plain_lines, suffix):
    lines = [f"R{i},{60 + i % 40},{'dry ' * 300}" for i in range(plain_lines)]  # 5,000 are more than one block
    lines += ['"S""1",61,', "", "S2,62,,surplus", "S3", "\ufeffS4,64,", "S5,x,"]
    data = "\n".join(["record_id,heart_rate,note", *lines, ""]).encode()
    path = tmp_path / f"ward.csv{suffix}"
    path.write_bytes(gzip.compress(data) if suffix else data)
    cohort = Cohort.open(path)
    batch = cohort.batch()

    assert cohort.record_ids[plain_lines:].tolist() == ['S"1', "S2", "S3", "\ufeffS4", "S5"]
    assert batch.measurements["value"].tolist()[plain_lines:] == ["61", "64", "x"]
    assert batch.measurements["where"].tolist()[plain_lines:] == [
        f"ward.csv{suffix} row {plain_lines + row} column heart_rate" for row in (2, 6, 7)
    ]
    assert [problem.where for _, problem in batch.problems] == [f"ward.csv{suffix} row {plain_lines + 4}"]

    path.write_bytes(gzip.compress(data + b'"') if suffix else data + b'"')
    with pytest.raises(CohortError) as error:
        Cohort.open(path)
    assert str(error.value).startswith(f"COHORT_FORM: ward.csv{suffix} row {plain_lines + 8} cannot be read")
