"""multimodal import image-folder: small folders written here, and the paediatric set by its README's counts."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from multimodal.records import CohortError, UsageError
from multimodal.sources import Cohort, write_cohort
from multimodal.sources.importers import import_source
from multimodal.sources.importers.image_files import identical, places_of
from multimodal.sources.importers.image_labels import target_name
from multimodal.sources.importers.image_table import PictureNames

DICOM = bytes(128) + b"DICM"
NO_PATIENT = (
    "CAUTION: no patient is known; patient_id is the record_id, so pictures of one patient cannot be kept apart in "
    "folds and splits, and figures may be too good. Give a table with a column of patients."
)


def png(seed: int) -> bytes:
    """A picture of its own, 12 x 12."""
    grey = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    """folder("a/1.png", "a/2.png", x=b"...") writes different pictures, and files of the given content."""

    def write(*names: str, **contents: bytes | str) -> Path:
        root = tmp_path / "pictures"
        root.mkdir(exist_ok=True)
        for seed, name in enumerate([*names, *contents]):
            content = contents.get(name, png(seed))
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write


def imported(path: Path, table: str | None = None, **options):
    """The cohort's tables; `table` is the text of labels.csv."""
    if table is not None:
        options["labels"] = path.parent / "labels.csv"
        options["labels"].write_text(table)
    return import_source("image-folder", path, **options)


def labels(cohort) -> dict[str, dict[str, int | None]]:
    """{record: {target: 1, 0, None}}"""
    rows = cohort.tables["labels"].set_index("record_id").astype(object)
    return {
        record: {name: None if pd.isna(v) else int(v) for name, v in row.items()} for record, row in rows.iterrows()
    }


def patients(cohort, *columns: str) -> dict[str, object]:
    rows = cohort.tables["patients"].set_index("record_id")
    return {record: tuple(row) if len(columns) > 1 else row.iloc[0] for record, row in rows[[*columns]].iterrows()}


def paths(cohort) -> dict[str, str]:
    return dict(cohort.tables["images"][["record_id", "path"]].itertuples(index=False))


def refusal(*arguments, **options) -> str:
    with pytest.raises(CohortError) as refused:
        imported(*arguments, **options)
    assert refused.value.code == "LAYOUT_UNCLEAR"
    return re.sub(r"^LAYOUT_UNCLEAR: (.*) `multimodal import --help` lists .*$", r"\1", str(refused.value))


# A folder per class


def test_class_folders_become_one_exclusive_group_at_any_depth_below_them(folder):
    cohort = imported(folder("Normal/1.png", "COVID-19/a/b/2.JPG", "2nd degree/3.tiff"))

    assert labels(cohort) == {
        "3": {"class_2nd_degree": 1, "covid_19": 0, "normal": 0},
        "2": {"class_2nd_degree": 0, "covid_19": 1, "normal": 0},
        "1": {"class_2nd_degree": 0, "covid_19": 0, "normal": 1},
    }
    assert {target.group for target in cohort.targets.values()} == {"class"}
    assert cohort.targets["covid_19"].description == "the folder says 'COVID-19'"
    assert paths(cohort) == {
        "1": "images/Normal/1.png",
        "2": "images/COVID-19/a/b/2.JPG",
        "3": "images/2nd degree/3.tiff",
    }


def test_two_classes_are_a_group_of_two(folder):
    cohort = imported(folder("normal/1.png", "pneumonia/2.png"))

    assert [(target.name, target.group) for target in cohort.targets.values()] == [
        ("normal", "class"),
        ("pneumonia", "class"),
    ]


def test_folders_of_splits_above_the_classes_become_the_split(folder):
    cohort = imported(folder("train/a/1.png", "train/b/1.png", "test/a/2.png", "val/b/3.png", "test/4.png"))

    assert patients(cohort, "split") == {
        "train/a/1.png": "train",
        "train/b/1.png": "train",
        "2": "test",
        "3": "val",
        "4": "test",
    }
    assert labels(cohort)["4"] == {"a": None, "b": None}
    assert "pictures in no class's folder, label unknown: 1" in cohort.account


def test_a_patient_is_not_guessed_and_the_account_says_so(folder):
    cohort = imported(folder("a/person1_1.png", "a/person1_2.png", "b/person2_1.png"))

    assert patients(cohort, "patient_id") == {name: name for name in ("person1_1", "person1_2", "person2_1")}
    assert NO_PATIENT in cohort.account


def test_what_is_no_picture_by_name_is_left_out_and_counted_and_a_broken_picture_is_kept(folder):
    other = dict.fromkeys(("a/Thumbs.db", "README.md", "a/.DS_Store", "__MACOSX/a/._1.png", "a/notes"), b"text")
    cohort = imported(folder("a/1.png", "b/2.png", **other, **{"b/broken.png": b"no picture"}))

    assert sorted(paths(cohort)) == ["1", "2", "broken"]
    assert "files that are no pictures, left out: 3 (.db 1, .md 1, no ending 1)" in cohort.account
    assert "hidden files and folders, left out: 2" in cohort.account


def test_masks_beside_their_pictures_are_left_out_and_other_names_of_the_kind_kept(folder):
    names = ["benign/b (1).png", "benign/b (1)_mask.png", "benign/b (1)_mask_1.png", "normal/face_mask.png"]
    cohort = imported(folder(*names, "normal/images/x.png", "normal/masks/x.png", "normal/masks/y.png"))

    assert sorted(paths(cohort)) == ["b (1)", "face_mask", "x", "y"]
    assert "masks of other pictures, left out: 3" in cohort.account


def test_a_folder_of_dicom_files_below_the_class_is_one_series_without_endings_too(folder):
    slices = {f"ct/case{case}/IM{i}": DICOM + bytes([case, i]) for case in (1, 2) for i in (1, 2, 3)}
    alone = {"ct/case3/IM1": DICOM + b"3", "cr/4.dcm": DICOM + b"4", "cr/5.dcm": DICOM + b"5", "ct/DICOMDIR": DICOM}
    cohort = imported(folder(**slices, **alone))

    assert paths(cohort) == {
        "4": "images/cr/4.dcm",
        "5": "images/cr/5.dcm",
        "case1": "images/ct/case1",
        "case2": "images/ct/case2",
        "IM1": "images/ct/case3/IM1",
    }
    assert sorted(name for name in cohort.files if "case1" in name) == [f"images/ct/case1/IM{i}" for i in (1, 2, 3)]
    assert "folders of two or more DICOM files, each one series: 2" in cohort.account


def test_pictures_without_folders_have_no_labels(folder):
    cohort = imported(folder("1.png", "2.png"))

    assert cohort.targets == {}
    assert "labels" not in cohort.tables
    assert "no folders of classes: there are no labels, so this cohort can be scored, not trained on" in cohort.account


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.txt"], "'pictures' holds no pictures."),
        (["a/1.png"], "the folder holds one class only, 'a': there must be two or more."),
        (
            ["images/1.png", "masks/1.png"],
            "the folder 'images', 'masks' is named as no class is: give the folder that holds the classes' folders, "
            "or a table by --labels.",
        ),
        (
            ["train/a/1.png", "chest/a/1.png"],
            "'train' are named as splits, 1 other folders not: give a folder of either.",
        ),
        (
            ["COVID-19/1.png", "covid 19/2.png"],
            "the folder says 'COVID-19' and 'covid 19', which would both be the target covid_19: rename one.",
        ),
        (
            ["\u80ba/1.png", "a/2.png"],
            "the folder says '\\u80ba', of which no target's name can be made ([a-z][a-z0-9_]*): rename it.",
        ),
        (
            [f"{i}/1.png" for i in range(101)],
            "the folder holds 101 classes, over 100: these are patients or free text, not classes.",
        ),
    ],
)
def test_a_folder_that_tells_no_classes_is_refused_with_what_was_found(folder, names, message):
    assert refusal(folder(*names)) == message


# A table


def test_the_table_names_file_patient_class_split_age_sex_and_view(folder):
    table = (
        ",Image Index,Patient ID,Label,split,Patient Age,gender,view,site\n"
        "0,x.png,P1,Normal,train,60,F,PA,north\n"
        "1,y,P1,Pneumonia,test,,m,,south\n"
        "2,SUB/Z.PNG,,,,7,unknown,,\n"
    )
    cohort = imported(folder("sub/x.png", "sub/y.jpg", "sub/z.png"), table)

    assert patients(cohort, "patient_id", "age_years", "sex", "split") == {
        "x": ("P1", "60", "female", "train"),
        "y": ("P1", "", "male", "test"),
        "z": ("z", "7", "", ""),
    }
    assert labels(cohort) == {
        "x": {"normal": 1, "pneumonia": 0},
        "y": {"normal": 0, "pneumonia": 1},
        "z": {"normal": None, "pneumonia": None},
    }
    assert cohort.tables["images"]["view"].tolist() == ["PA", "", ""]
    assert (
        "columns read: file 'Image Index'; patient 'Patient ID'; label 'Label'; split 'split'; age_years "
        "'Patient Age'; sex 'gender'; view 'view'; left out: 'site'"
    ) in cohort.account
    assert NO_PATIENT.replace("no patient is known", "records without a patient: 1") in cohort.account


def test_columns_of_0_and_1_are_targets_by_themselves_and_empty_is_unknown(folder):
    cohort = imported(folder("1.png", "2.png"), "file,Edema,Mass,comment\n1.png,1,0.0,x\n2.png,,1.0,y\n")

    assert labels(cohort) == {"1": {"edema": 1, "mass": 0}, "2": {"edema": None, "mass": 1}}
    assert {target.group for target in cohort.targets.values()} == {None}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("0", "1", ""), {"label": [0, 1, None]}),
        (("0", "2", ""), {"label_0": [1, 0, None], "label_2": [0, 1, None]}),
        (("Mass|Edema", "Mass", ""), {"edema": [1, 0, None], "mass": [1, 1, None]}),
    ],
)
def test_a_label_column_is_binary_graded_or_lists_words(folder, cells, expected):
    rows = "".join(f"{i}.png,{cell}\n" for i, cell in enumerate(cells))

    cohort = imported(folder("0.png", "1.png", "2.png"), "file,label\n" + rows)

    assert {name: [row[name] for row in labels(cohort).values()] for name in expected} == expected
    assert list(cohort.targets) == list(expected)


def test_given_columns_are_taken_and_several_labels_are_several_targets(folder):
    table = "scan,who,stage,spread,label\n1,P,I,0,x\n2,P,II,1,y\n"
    options = {"file_column": "scan", "patient_column": "who", "label_columns": ["stage", "spread"]}

    cohort = imported(folder("1.png", "2.png"), table, **options)

    assert {name: target.group for name, target in cohort.targets.items()} == {
        "i": "stage",
        "ii": "stage",
        "spread": None,
    }
    assert set(patients(cohort, "patient_id").values()) == {"P"}


def test_files_without_row_rows_without_file_and_missing_files_are_counted_and_no_row_is_dropped(folder):
    table = "file,patient,label\n1.png,P,a\ngone.png,Q,b\n,R,a\n../../secret.png,S,b\n"
    cohort = imported(folder("1.png", "2.png"), table)

    assert patients(cohort, "patient_id") == {"1": "P", "gone": "Q", "row-4": "R", "secret": "S"}
    assert paths(cohort) == {"1": "images/1.png", "gone": "images/gone.png", "secret": "images/secret.png"}
    assert list(cohort.files) == ["images/1.png"]
    assert "rows that name no file, each a record without a picture: 1" in cohort.account
    assert "files that are not here, refused as FILE_MISSING when read: 2" in cohort.account
    assert "pictures that no row names, left out: 1" in cohort.account


def test_rows_of_one_picture_are_one_record_and_contradictions_are_unknown(folder):
    table = "file,patient,age,target\n1.png,P,5,1\n1.png,,6,1\n2.png,P,,0\n2.png,P,7,1\n2.png,Q,,1\n"
    cohort = imported(folder("1.png", "2.png"), table)

    assert patients(cohort, "patient_id", "age_years") == {"1": ("P", ""), "2.png": ("P", "7"), "2.png-2": ("Q", "")}
    assert labels(cohort) == {"1": {"target": 1}, "2.png": {"target": None}, "2.png-2": {"target": 1}}
    for line in (
        "rows of the same picture and patient, merged: 2",
        "records whose rows differ in age_years, left unknown: 1",
        "label target unknown because rows of one picture contradict: 1 records",
        "CAUTION: of these groups, with different patients: 1",
    ):
        assert line in cohort.account


def test_a_row_may_name_a_series_folder_or_each_file_in_it(folder):
    root = folder(**{f"{case}/{i}.dcm": DICOM + bytes([i, case]) for case in (1, 2) for i in (1, 2)})

    cohort = imported(root, "path,label\n1,0\n2/1.dcm,1\n2/2.dcm,1\n")

    assert list(paths(cohort).values()) == ["images/1", "images/2/1.dcm", "images/2/2.dcm"]
    assert len(cohort.files) == 4


def test_a_row_with_more_cells_than_the_header_is_not_used(folder):
    cohort = imported(folder("1.png"), "file,label\n1.png,1\n2.png,0,shifted\n")

    assert labels(cohort) == {"1": {"label": 1}, "row-3": {"label": None}}
    assert "rows with more cells than the header has, of which nothing is used: 1" in cohort.account


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "name,label\n1.png,1\n",
            "'labels.csv' has no column that is called as a picture's file usually is: give --file-column, one of "
            "'name', 'label'.",
        ),
        (
            "1.png,Smith\n",
            "the first row of 'labels.csv' names no column that is known: is the header missing? If not, give "
            "--file-column.",
        ),
        ("file,path,label\na,b,1\n", "the columns 'file', 'path' may all be the file: give --file-column."),
        ("file,label,dx\n1.png,1,1\n", "the columns 'label', 'dx' may all be the label: give --label-column."),
        (
            "file,age,Patient Age,dx\n1.png,1,1,1\n",
            "the columns 'age', 'Patient Age' may all be the age_years: rename the others.",
        ),
        (
            "file,result\n1.png,good\n",
            "'labels.csv' has no column that is called as a label usually is, and none of 0 and 1: give "
            "--label-column, one of 'result'.",
        ),
        ("file,label\n1.png,\n", "the column label is empty: it says no label."),
        (
            "file,label\n1.png,1\n2.png,-1.0\n",
            "the column label holds '-1.0': a label is 0, 1, a class, or empty for unknown.",
        ),
        (
            "file,label\n1.png,a\n2.png,NA\n",
            "the column label holds 'NA': leave the cell empty where a label is unknown.",
        ),
        ("file,label\n8.png,1\n9.png,0\n", "none of the files that 'labels.csv' names is in 'pictures'."),
        (
            "file,label\n1.png,1\n3.png,0\n",
            "the file of row 3 may be 2 pictures: write its path from the folder on.",
        ),
        (
            "file,label\n1.png,1\nelsewhere/1.png,0\n",
            "the files of the rows 2, 3 would be one picture: write paths from the folder on.",
        ),
    ],
)
def test_a_table_that_is_unclear_is_refused_with_what_was_found(folder, table, message):
    assert refusal(folder("1.png", "2.png", "a/3.png", "b/3.png"), table) == message


def test_a_column_that_is_not_there_is_wrong_use(folder):
    with pytest.raises(UsageError) as lacking:
        imported(folder("1.png"), "file,label\n1.png,1\n", label_columns=["lable"])
    with pytest.raises(UsageError) as tableless:
        imported(folder("1.png"), file_column="file")

    assert str(lacking.value) == "--label-column: the table has no column 'lable'; did you mean 'label'?"
    assert str(tableless.value) == (
        "--file-column, --patient-column and --label-column are columns of a table: give --labels."
    )


def test_a_folder_or_table_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: 'nowhere' is no folder\."):
        imported(tmp_path / "nowhere")
    with pytest.raises(CohortError, match=r"^COHORT_NOT_FOUND: the table 'nothing\.csv' is no file\."):
        imported(tmp_path, labels=tmp_path / "nothing.csv")


# Names and bytes


def test_the_same_bytes_in_two_classes_splits_and_patients_are_told(folder):
    same = {"train/a/1.png": b"same", "test/b/2.png": b"same", "train/a/3.png": b"also", "train/a/4.png": b"also"}
    cohort = imported(folder("test/a/5.png", **same))

    told = [line for line in cohort.account if "bytes" in line or "these groups" in line]
    assert told == [
        "pictures with the same bytes as another: 4, in 2 groups",
        "CAUTION: of these groups, with different labels: 1",
        "CAUTION: of these groups, with different splits: 1",
    ]
    told = imported(folder(), number_records=True).account
    assert "CAUTION: of these groups, with different splits: 1 ('image-000002', 'image-000003')" in told


def test_files_are_the_same_by_content_not_by_size(tmp_path):
    for name, content in {"a": b"12", "b": b"34", "c": b"12"}.items():
        (tmp_path / name).write_bytes(content)

    assert identical({name: (tmp_path / name,) for name in "abc"}) == [["a", "c"]]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("a/1.png", {"a/1.png"}),
        ("./a\\1.png", {"a/1.png"}),
        ("/kaggle/input/set/a/1.png", {"a/1.png"}),
        ("1.png", {"a/1.png", "b/1.png"}),
        ("c/1.png", set()),
        ("2.png", {"b/c/2.png"}),
        ("c/2", {"b/c/2.png"}),
        ("C/2.PNG", {"b/c/2.png"}),
        ("c/2.jpg", set()),
        ("", set()),
    ],
)
def test_a_picture_is_found_by_its_path_or_its_unique_name_and_never_in_another_folder(cell, found):
    assert PictureNames(["a/1.png", "b/1.png", "b/c/2.png"]).find(cell) == found


@given(st.lists(st.text(min_size=1, max_size=30), unique=True, max_size=8))
def test_every_name_gets_a_place_of_its_own_inside_the_cohort(names):
    places = places_of(names)

    assert len({place.casefold() for place in places.values()}) == len(names)
    for place in places.values():
        assert re.fullmatch(r"images(/[A-Za-z0-9_+@=()-][A-Za-z0-9 ._+@=()-]*)+", place)
        assert ".." not in place.split("/")


@given(st.text(max_size=40))
def test_the_name_of_a_target_is_valid_or_empty(text):
    assert re.fullmatch(r"([a-z][a-z0-9_]*)?", target_name(text, "class"))


# Names of patients

NAMES = "CAUTION: record ids are made of file names; if these name patients, use --number-records"


def test_no_file_is_named_in_the_account_and_it_says_that_the_ids_are(folder):
    masked = ["a/Jane Doe.png", "a/Jane Doe_mask.png", "b/Jo Doe.png"]
    cohort = imported(folder(*masked, **{f"a/Jim Doe/{i}.dcm": DICOM + bytes([i]) for i in (1, 2)}))

    assert sorted(paths(cohort)) == ["Jane Doe", "Jim Doe", "Jo Doe"]
    assert not [line for line in cohort.account if "Doe" in line]
    assert cohort.account[-1] == NAMES


def test_no_cell_is_in_the_account_of_a_table(folder):
    table = "file,patient,label,comment\nJane Doe.png,Jane Doe,a,Doe\nJim Doe.png,Jim Doe,b,Doe\n,Jo Doe,,\n"
    cohort = imported(folder("Jane Doe.png", "Jo Doe.png"), table)

    assert not [line for line in cohort.account if "Doe" in line]
    assert cohort.account[-1] == NAMES


def test_numbered_records_and_their_files_hold_no_name(folder, tmp_path):
    """In the order of the pictures' paths; what is labelled, and that classes are folders, stays."""
    series = {f"b/Jim Doe/{name}": DICOM + name.encode() for name in ("Jim2", "Jim1.dcm")}
    root = folder("b/Jo Doe.JPG", "a/Jane Doe.png", **series)

    cohort = imported(root, number_records=True)
    write_cohort(tmp_path / "cohort", cohort)

    assert paths(cohort) == {
        "image-000001": "images/image-000001.png",
        "image-000002": "images/image-000002",
        "image-000003": "images/image-000003.jpg",
    }
    assert [record["b"] for record in labels(cohort).values()] == [0, 1, 1]
    assert {place: file.name for place, file in cohort.files.items()} == {
        "images/image-000001.png": "Jane Doe.png",
        "images/image-000002/000001.dcm": "Jim1.dcm",
        "images/image-000002/000002": "Jim2",
        "images/image-000003.jpg": "Jo Doe.JPG",
    }
    assert NAMES not in cohort.account
    for file in (tmp_path / "cohort").rglob("*"):
        assert not re.search("J(o|im|ane)", file.relative_to(tmp_path).as_posix())
        assert not file.is_file() or b"Doe" not in file.read_bytes()


def test_rows_of_a_table_are_numbered_by_their_pictures_and_those_without_come_last(folder):
    """Two patients of one picture are two records with one file; a file that is not here is numbered too."""
    table = "file,patient,label\n,P0,0\nz.png,P1,1\nb.png,P2,0\nb.png,P3,1\n../gone.png,P4,1\n,P5,1\n"

    cohort = imported(folder("b.png", "z.png"), table, number_records=True)

    assert patients(cohort, "patient_id") == {
        "image-000005": "P0",
        "image-000004": "P1",
        "image-000002": "P2",
        "image-000003": "P3",
        "image-000001": "P4",
        "image-000006": "P5",
    }
    assert paths(cohort) == {
        "image-000004": "images/image-000004.png",
        "image-000002": "images/image-000002.png",
        "image-000003": "images/image-000002.png",
        "image-000001": "images/image-000001.png",
    }
    assert sorted(cohort.files) == ["images/image-000002.png", "images/image-000004.png"]


# The cohort on disk


def test_the_cohort_opens_and_linked_files_are_the_same_files(folder, tmp_path):
    root = folder("a/1.png", "b/2.png")
    (root / "b" / "3.png").symlink_to(root / "a" / "1.png")

    for name, link in (("copied", False), ("linked", True)):
        write_cohort(tmp_path / name, imported(root), link=link)
        cohort = Cohort.open(tmp_path / name)

        assert cohort.labels().tolist() == [[1, 0], [0, 1], [0, 1]]
        assert all(Path(image.path).is_file() for image in cohort.batch().images)
        assert not any(Path(image.path).is_symlink() for image in cohort.batch().images)
        first = tmp_path / name / "images" / "a" / "1.png"
        assert os.path.samefile(first, root / "a" / "1.png") == link


def test_names_that_a_table_cannot_hold_are_escaped_and_stay_apart(folder, tmp_path):
    root = folder("a/x.png", "a/ x .png", "b/y.png", "b/line\nbreak.png")
    Path(os.fsdecode(os.fsencode(root) + b"/b/\xff.png")).write_bytes(png(9))

    write_cohort(tmp_path / "cohort", imported(root))
    cohort = Cohort.open(tmp_path / "cohort")

    assert list(cohort.record_ids) == ["a/ x .png", "a/x.png", "\\udcff", "line break", "y"]
    assert all(Path(image.path).is_file() for image in cohort.batch().images)


def test_the_paediatric_set_is_2681_records_of_three_exclusive_classes(shared):
    """Counts of cxr-paediatric/README.md; patients, and pictures that are the same, counted by csv and sha256sum."""
    folder = shared / "data" / "cxr-paediatric"
    cohort = import_source("image-folder", folder, labels=folder / "labels.csv")

    sums = cohort.tables["labels"].drop(columns="record_id").sum().to_dict()
    assert sums == {"bacteria": 1382 + 8, "normal": 617 + 8, "virus": 666}
    assert {target.group for target in cohort.targets.values()} == {"label"}
    assert len(cohort.tables["patients"]) == len(cohort.files) == 2681
    assert cohort.tables["patients"]["split"].value_counts().to_dict() == {"train": 2665, "val": 16}
    assert cohort.tables["patients"]["patient_id"].nunique() == 1420
    assert "pictures with the same bytes as another: 43, in 21 groups" in cohort.account


def test_folders_of_real_pictures_are_their_classes(shared):
    cohort = import_source("image-folder", shared / "data" / "other-images")

    assert cohort.tables["labels"].drop(columns="record_id").sum().to_dict() == {"medical": 13, "natural": 21}
