"""What a bad file costs: that item, in bounded time and memory, whatever its bytes do to a decoder."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from multimodal.imaging import Preparation, client, read_image
from multimodal.imaging.frames import ITEM
from multimodal.imaging.protocol import read_message, write_message
from multimodal.records import REASONS, ItemError

SMALL = Preparation(size=16)
RAMP = np.arange(32 * 24, dtype=np.uint16).reshape(32, 24) * 40


@pytest.fixture
def ramp(tmp_path) -> Path:
    path = tmp_path / "ramp.png"
    PIL.Image.fromarray(RAMP).save(path)
    return path


def processes_of_workers() -> set[int]:
    return {worker.process.pid for worker in client._idle}


def test_a_refused_file_costs_only_its_item(ramp, tmp_path, shared, load_files):
    (tmp_path / "note.png").write_text("no picture")
    bomb = shared / "data" / "dicom-malformed" / "deflate_bomb.dcm"

    images = load_files([ramp, tmp_path / "note.png", bomb, tmp_path / "absent.png", ramp])

    assert list(images.record) == list(images.item) == [0, 4]
    assert_array_equal(images.slices[0], images.slices[1])
    assert [(row, str(problem)) for row, problem in images.problems] == [
        (1, "NOT_AN_IMAGE: images[1]: the content is text."),
        (2, "IMAGE_TOO_LARGE: images[2]: the deflated header inflates to over 16777216 bytes."),
        (3, "FILE_MISSING: images[3]: there is no file 'absent.png'."),
    ]


def test_the_worker_gives_what_reading_in_this_process_gives(shared, load_files):
    from multimodal.imaging import prepare

    path = shared / "data" / "dicom" / "cr" / "CR-MONO1-10-chest"
    images = load_files([path], size=64)

    assert_array_equal(images.slices, prepare(read_image(path).grey, Preparation(size=64))[None])
    assert images.kind == ["radiograph"]


def test_two_workers_give_the_results_of_one_in_order(shared, load_files):
    paths = sorted((shared / "data" / "dicom" / "series-ct-ge-tilt").iterdir())

    one, two = load_files(paths, workers=1), load_files(paths, workers=2)

    assert_array_equal(one.slices, two.slices)
    assert one.digest == two.digest
    assert one.problems == two.problems


def test_the_worker_process_is_used_again(ramp, load_files):
    load_files([ramp])
    before = processes_of_workers()
    load_files([ramp, ramp])

    assert before
    assert processes_of_workers() == before


def test_a_worker_killed_between_files_costs_nothing(ramp, load_files):
    load_files([ramp])
    for worker in client._idle:
        worker.process.kill()
        worker.process.wait()

    assert len(load_files([ramp])) == 1


@pytest.fixture
def busy_worker():
    """busy_worker(worker) stops the process, which stands for a decoder at work, and kills it a moment later."""

    def stop_and_kill(worker: client.Worker) -> None:
        worker.process.send_signal(signal.SIGSTOP)
        threading.Timer(0.3, worker.process.kill).start()

    return stop_and_kill


def test_a_crash_of_a_fresh_worker_costs_that_image_and_the_next_is_read(ramp, busy_worker):
    client.close_workers()
    client._idle.append(client.Worker())
    busy_worker(client._idle[-1])

    with pytest.raises(ItemError) as refusal:
        client.decode(ramp, SMALL)

    assert refusal.value.problem == ("DECODE_FAILED", "", "the decoder crashed on this file.")
    assert client.decode(ramp, SMALL)[0].shape == (1, 16, 16)


def test_a_crash_of_a_used_worker_is_tried_again_in_a_fresh_one(ramp, busy_worker):
    """What an earlier file did to the process must not cost a later one."""
    client.decode(ramp, SMALL)
    busy_worker(client._idle[-1])

    assert client.decode(ramp, SMALL)[0].shape == (1, 16, 16)


def test_a_decoder_that_hangs_is_ended_in_time_and_the_next_file_is_read(ramp):
    client.decode(ramp, SMALL)
    client._idle[-1].process.send_signal(signal.SIGSTOP)
    start = time.perf_counter()

    with pytest.raises(ItemError) as refusal:
        client.decode(ramp, SMALL, seconds=0.5)

    assert refusal.value.problem.message == "decoding took more than 0.5 seconds."
    assert refusal.value.code == "DECODE_TIMEOUT"
    # A twentieth more, for which a worker may have kept quiet about what it did before.
    assert 0.5 * 1.05 <= time.perf_counter() - start < 5
    assert client.decode(ramp, SMALL)[0].shape == (1, 16, 16)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits a process's address space")
def test_memory_above_the_limit_is_refused_inside_the_worker():
    code = (
        "import multimodal.imaging.worker as worker; assert worker.limit_memory()\n"
        "try: bytearray(3 * 2**30)\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=client.ROOT, check=True)

    assert done.stdout == "refused\n"


def test_a_system_without_limits_and_alarms_decodes_all_the_same(ramp):
    """macOS has no /proc, Windows neither `resource` nor alarms: the header checks still hold there."""
    code = (
        "import signal, sys; sys.modules['resource'] = None; del signal.alarm\n"
        "import multimodal.imaging.worker as worker; worker.main()"
    )
    asked = io.BytesIO()
    write_message(asked, {"path": str(ramp), "preparation": {"size": 16}, "seconds": 10})
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=asked.getvalue(), capture_output=True, cwd=client.ROOT, check=True)

    answers = io.BytesIO(done.stdout)
    assert read_message(answers) == ({"ready": True, "limited": False}, b"")
    facts, pixels = read_message(answers)
    assert (facts["warnings"], len(pixels)) == ([], 16 * 16)


LOADS_WITH_TWO_WORKERS = """
import os, signal, sys, time, numpy as np
from multimodal.imaging import Preparation, client, load
from multimodal.records import Batch, ImageItem
ids = np.array(["a", "b"], dtype=object)
items = [ImageItem(i, path) for i, path in enumerate(sys.argv[2:])]
started = [client.Worker(), client.Worker()]
client._idle += started
load(Batch(ids, ids, np.zeros(2), ids, images=items), Preparation(size=8), workers=2)
print(*(worker.process.pid for worker in started), flush=True)
exec(sys.argv[1])
"""
ENDS = {
    "the script ends": "",
    "it is killed": "os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)",
    "it is killed while a worker decodes": (
        "import threading; fifo = sys.argv[2] + '.series'; os.mkdir(fifo); [os.link(sys.argv[2], f'{fifo}/{i}') for i "
        "in range(1000)]; threading.Thread(target=client.decode, args=(fifo, Preparation())).start(); "
        "time.sleep(0.01); os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)"
    ),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_no_worker_outlives_its_reader(ramp, end):
    environment = {**os.environ, "PYTHONPATH": str(client.ROOT)}
    command = [sys.executable, "-c", LOADS_WITH_TWO_WORKERS, end, ramp, ramp]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    workers = [int(pid) for pid in done.stdout.split()]
    assert len(workers) == 2

    deadline = time.perf_counter() + 20
    while any(is_running(pid) for pid in workers) and time.perf_counter() < deadline:
        time.sleep(0.05)
    assert [pid for pid in workers if is_running(pid)] == []


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie, which waits for nothing but to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_worker_loads_neither_torch_nor_gradio():
    code = "import sys, multimodal.imaging.worker; print(sorted({'torch', 'gradio', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=client.ROOT, check=True)

    assert done.stdout == "[]\n"


def test_a_plain_script_without_a_main_guard_can_load_images(ramp, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import json, numpy as np\n"
        "from multimodal.imaging import Preparation, load\n"
        "from multimodal.records import Batch, ImageItem\n"
        "ids = np.array(['a', 'b'], dtype=object)\n"
        f"items = [ImageItem(i, {str(ramp)!r}) for i in range(2)]\n"
        "batch = Batch(ids, ids, np.zeros(2), ids, images=items)\n"
        "print(json.dumps(load(batch, Preparation(size=8), workers=2).digest))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(client.ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=True)

    assert len(json.loads(done.stdout)) == 2
    assert done.stderr == ""


def test_digests_are_those_of_the_bytes(ramp, load_files):
    import hashlib

    assert load_files([ramp]).digest == [hashlib.sha256(ramp.read_bytes()).hexdigest()]


def test_dirty_files_print_nothing(shared, capfd, recwarn):
    """pydicom warns about each of these in plain use."""
    for name in ("bits/mr_12bit_signed_dirty_high_bits.dcm", "phi/name_undeclared_latin1.dcm", "cr/CR-MONO1-10-chest"):
        read_image(shared / "data" / "dicom" / name)

    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


SEEDS = (
    "dicom/ct13/ct_1.2.840.10008.1.2.4.70.dcm",
    "dicom/enhanced/emri_small_RLE.dcm",
    "dicom/enhanced/emr_siemens_6frames.dcm",
    "dicom/lut/voi_lut_small.dcm",
    "dicom-malformed/gray16.png",
    "dicom-malformed/float32.tif",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_flipped_bytes_and_cut_ends_give_an_image_or_a_typed_refusal(shared, tmp_path, seed, data):
    content = bytearray((shared / "data" / seed).read_bytes())
    # Mostly in the header, where a flip does most.
    for place in data.draw(st.lists(st.integers(0, min(len(content), 3000) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content)

    codes = outcome(path)

    assert set(codes) <= set(REASONS)


def outcome(path: Path) -> list[str]:
    """The warnings of an image that was read, or the code of its refusal."""
    try:
        pixels, facts = client.decode(path, SMALL)
    except ItemError as error:
        return [error.code]
    return (
        [code for code, _ in facts["warnings"]]
        if pixels.shape[0] in range(1, 17) and pixels.shape[1:] == (16, 16)
        else ["wrong shape"]
    )


@pytest.mark.parametrize("claimed", [(256, 1024), (60_000, 60_000)])
def test_an_extended_offset_table_leads_to_no_frame_but_the_checked_one(tmp_path, claimed):
    """It points into the one fragment, behind the frame, where another codestream hides that claims this size."""
    path = get_testdata_file("JPEG2000.dcm")
    dataset = pydicom.dcmread(path)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    encoded = io.BytesIO()
    PIL.Image.fromarray(np.arange(1024 * 256, dtype=np.uint16).reshape(1024, 256)).save(encoded, "JPEG2000")
    other = bytearray(encoded.getvalue())
    del other[: other.index(b"\xff\x4f\xff\x51")]  # the JP2 boxes
    struct.pack_into(">II", other, 8, *claimed)
    length = struct.Struct("<I")
    hidden = ITEM + length.pack(len(other)) + other
    fragment = frame + hidden + bytes((len(frame) + len(hidden)) % 2)
    dataset.PixelData = ITEM + length.pack(0) + ITEM + length.pack(len(fragment)) + fragment
    dataset["PixelData"].is_undefined_length = True
    dataset.ExtendedOffsetTable = struct.pack("<Q", len(ITEM) + length.size + len(frame))
    dataset.ExtendedOffsetTableLengths = struct.pack("<Q", len(other))
    dataset.save_as(tmp_path / "hidden.dcm")

    assert_array_equal(read_image(tmp_path / "hidden.dcm").values, read_image(Path(path)).values)


def test_each_file_and_slice_of_a_series_has_the_time_limit_for_itself(shared):
    """So the worker tells of each: ten files, ten slices decoded, and each of them denoised and finished. But it
    tells no oftener than every twentieth of the limit, and with one of 1000 seconds all is done before."""
    folder = shared / "data" / "dicom" / "series-ct-philips"
    asked = io.BytesIO()
    for seconds in (0, 1000):
        write_message(asked, {"path": str(folder), "preparation": {"size": 16}, "seconds": seconds})
    command = [sys.executable, "-m", "multimodal.imaging.worker"]
    done = subprocess.run(command, input=asked.getvalue(), capture_output=True, cwd=client.ROOT, check=True)

    told = io.BytesIO(done.stdout)
    _, *headers, last = [message[0] for message in iter(lambda: read_message(told), None)]
    assert headers[:40] == [{"step": True}] * 40
    assert headers[40:] == [last]
    assert last["facts"]["slices"] == "10 of 10"
