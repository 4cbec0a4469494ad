"""A folder of image files that is no cohort."""

import pytest

from multimodal.records import Problem
from multimodal.sources.loose_files import image_file_batches


@pytest.fixture
def folder(tmp_path):
    """Five files at three depths, a hidden file and folder, and a link out."""
    home = tmp_path / "home"
    for path in ("b.png", "a/2.dcm", "a/1.dcm", "a/deep/er/x.jpg", "notes.txt", ".hidden.png", ".git/y.png"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(b"content")
    (tmp_path / "outside.png").write_bytes(b"content")
    (home / "link.png").symlink_to(tmp_path / "outside.png")
    (home / "loop").symlink_to(home)
    return home


def test_every_file_is_a_record_by_path_in_order(folder):
    batches = list(image_file_batches(folder, 4))
    paths = [item.path.relative_to(folder).as_posix() for batch in batches for item in batch.images]

    assert paths == ["b.png", "notes.txt", "a/1.dcm", "a/2.dcm", "a/deep/er/x.jpg"]
    assert [list(batch.record_ids) for batch in batches] == [["1", "2", "3", "4"], ["5", "6"]]
    assert [[item.record for item in batch.images] for batch in batches] == [[0, 2, 3], [0, 1]]
    assert [item.where for item in batches[1].images] == ["file 5", "file 6"]


def test_a_link_out_of_the_folder_is_refused(folder):
    problems = [problem for batch in image_file_batches(folder) for problem in batch.problems]

    assert problems == [(1, Problem("PATH_OUTSIDE", "file 2", "a link or device that leads out of the folder"))]
