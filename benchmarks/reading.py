"""What reading DICOM files gives: read or refused by code, what flipped bytes do, what the guard costs.

    python benchmarks/reading.py [FOLDER …] [--flips 5000] [--seed 0] [--guard]

The files are those of the folders and those that pydicom ships. Each is read through `load`, in the guarded process;
bytes are flipped in those that have pixels.
The memory and the crashes of the processes are found in /proc, so only on Linux. The program ends with 1 where a flip
caused anything but a picture or a refusal, or a worker process died.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from pydicom.data import get_charset_files, get_testdata_files

from multimodal.imaging import Preparation, load
from multimodal.imaging.worker import answer
from multimodal.records import Batch, ImageItem, InputError

PREPARATION = Preparation(size=128)
PIXELS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")  # the tag of the pixel data, in both byte orders
REGIONS = ("header", "start of the pixel data", "anywhere")
START = 600  # bytes, after the pixel data's tag
ROUNDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--flips", type=int, default=0, help="so many files with 1 to 8 bytes changed at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guard", action="store_true", help="measure what the guarded process costs a file")
    options = parser.parse_args()
    shipped = [Path(path) for path in get_testdata_files() + get_charset_files()]
    groups = {folder.name: files_of(folder) for folder in options.folders}
    groups["pydicom"] = sorted(path for path in shipped if path.is_file() and is_dicom(path))
    codes = {name: [outcome(path)[0] for path in files] for name, files in groups.items()}
    tell_outcomes(codes)
    files = [path for name in groups for path, code in zip(groups[name], codes[name]) if code != "NO_PIXELS"]
    if options.guard:
        tell_guard(files)
    return tell_flips(files, options.flips, options.seed) if options.flips else 0


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_dicom(path))


def is_dicom(path: Path) -> bool:
    """Whether the file has the DICOM preamble or a name that says so; broken files are meant to be here."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix in ("", ".dcm")


def outcome(path: Path):
    """The code of the refusal or "read", and the Images."""
    ids = np.array(["a"], dtype=object)
    batch = Batch(ids, ids, np.zeros(1), ids, images=[ImageItem(0, path)])
    images = load(batch, PREPARATION)
    return ("read" if len(images) else images.problems[0][1].code), images


def tell_outcomes(codes: dict[str, list[str]]) -> None:
    """One column a group of files, one row an outcome."""
    counts = {name: Counter(found) for name, found in codes.items()}
    print("".join(f"{name:>20}" for name in ("", *counts)))
    for code in sorted(set().union(*counts.values()), key=lambda code: (code != "read", code)):
        print(f"{code:>20}" + "".join(f"{count[code]:>20}" for count in counts.values()))
    print(f"{'files':>20}" + "".join(f"{count.total():>20}" for count in counts.values()))


def tell_guard(files: list[Path]) -> None:
    """The time of a file through the guarded process less that of the same reading in this one, best of rounds."""
    files = [path for path in files if outcome(path)[0] == "read"]
    here, guarded = (np.full((len(files), ROUNDS), np.inf) for _ in range(2))
    for turn in range(ROUNDS):
        for row, path in enumerate(files):
            started = time.perf_counter()
            answer(path, PREPARATION)
            between = time.perf_counter()
            outcome(path)
            here[row, turn], guarded[row, turn] = between - started, time.perf_counter() - between
    extra = 1000 * (guarded.min(axis=1) - here.min(axis=1))
    print(f"\nguard: {len(files)} files, best of {ROUNDS} rounds")
    for name, times in (("in this process", here), ("guarded", guarded)):
        print(f"{name:>20} {1000 * times.min(axis=1).mean():8.2f} ms a file")
    print(f"{'overhead':>20} {extra.mean():8.2f} ms a file, median {np.median(extra):.2f}, largest {extra.max():.2f}")


def tell_flips(files: list[Path], flips: int, seed: int) -> int:
    """Reads `flips` damaged copies; 1 where one of them gave no picture and no refusal, or a worker died."""
    rng = np.random.default_rng(seed)
    contents = [content for content in (path.read_bytes() for path in files) if content]
    counts, broken, seconds, slowest = Counter(), [], np.zeros(flips), []
    workers, memory = set(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flipped.dcm"
        for turn in range(flips):
            which, region = int(rng.integers(len(contents))), REGIONS[rng.integers(len(REGIONS))]
            path.write_bytes(flipped(contents[which], region, rng))
            started = time.perf_counter()
            try:
                code, images = outcome(path)
                if any("crashed" in problem.message for _, problem in images.problems):
                    broken.append((turn, which, "the worker crashed"))
            except InputError as error:
                code = f"{type(error).__name__} of the batch"
                broken.append((turn, which, code))
            except Exception as error:  # what this program looks for
                code = type(error).__name__
                broken.append((turn, which, code))
            seconds[turn] = time.perf_counter() - started
            counts[code] += 1
            slowest = sorted([*slowest, (seconds[turn], which, region, code)], reverse=True)[:5]
            workers |= children()
            if turn in (min(100, flips - 1), flips // 2, flips - 1):
                memory.append((turn, resident(os.getpid()), [resident(pid) for pid in sorted(children())]))
    print(f"\nflips: {flips} files, 1 to 8 bytes each, seed {seed}")
    for code, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        print(f"{code:>20}{count:>8}")
    p50, p99 = np.percentile(seconds, (50, 99))
    print(f"seconds: p50 {p50:.3f}, p99 {p99:.3f}, max {seconds.max():.3f}")
    print(f"worker processes: {len(workers)}")
    for turn, reader, others in memory:
        print(f"memory after {turn + 1}: reader {reader} MiB, worker {others} MiB")
    for took, which, region, code in slowest:
        print(f"slow: {took:.3f} s, {code}, {region}, file {which}")
    for turn, which, what in broken:
        print(f"BROKEN: flip {turn} of file {which}: {what}")
    return 1 if broken or len(workers) > 1 else 0


def flipped(content: bytes, region: str, rng: np.random.Generator) -> bytes:
    """`content` with 1 to 8 bytes of `region` replaced."""
    pixels = max((content.rfind(tag) for tag in PIXELS), default=-1)
    low, high = 0, len(content)
    if pixels > 0 and region == "header":
        high = pixels + 12
    elif pixels > 0 and region == "start of the pixel data":
        low, high = pixels, min(len(content), pixels + START)
    changed = bytearray(content)
    for place in rng.integers(low, min(high, len(content)), size=rng.integers(1, 9)):
        changed[place] = rng.integers(256)
    return bytes(changed)


def children() -> set[int]:
    """The child processes of this one; empty where there is no /proc."""
    found = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found |= {int(pid) for pid in path.read_text().split()}
        except OSError:  # a thread that has ended
            continue
    return found


def resident(pid: int) -> int:
    """The resident memory of a process, MiB; 0 where it cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
