"""What users hold on to: the names, the light import, the README, the changelog."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import multimodal
from multimodal.sources import write_cohort
from multimodal.sources.synthetic import synthesize

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for _, block in BLOCKS for line in block.splitlines() if line.startswith("multimodal ")]

DOCUMENTED = [
    "Audit",
    "ClinicalModel",
    "Cohort",
    "Comparison",
    "Config",
    "Evaluation",
    "ImageRef",
    "InputError",
    "Measurement",
    "Note",
    "PatientRecord",
    "Prediction",
    "Target",
    "audit",
    "compare",
    "evaluate",
]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)


def test_the_public_names_are_the_documented_ones():
    assert sorted(multimodal.__all__) == DOCUMENTED
    for name in DOCUMENTED:
        assert getattr(multimodal, name).__doc__, name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'multimodal' has no attribute 'Clinic'$"):
        multimodal.Clinic  # noqa: B018


@pytest.mark.parametrize("code", ["import multimodal", "import multimodal.cli"])
def test_importing_loads_nothing_heavy(code):
    """`import multimodal` and `multimodal --help` answer at once."""
    heavy = ("torch", "torchvision", "transformers", "gradio", "pandas", "sklearn", "matplotlib", "skops")
    done = python("-c", f"{code}; import sys; print([name for name in {heavy} if name in sys.modules])")

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_importing_has_no_effects():
    """No logging set-up, no warning filter, no threads, no environment variable; numpy's own filters are numpy's."""
    code = """
import logging, os, threading, warnings
import numpy, pandas, pyarrow
def state():
    return len(logging.root.handlers), list(warnings.filters), threading.active_count(), dict(os.environ)
before = state()
import multimodal, multimodal.records, multimodal.sources, multimodal.notes, multimodal.vitals, multimodal.imaging
print(before == state())
"""

    assert python("-c", code).stdout == "True\n"


def test_one_version_stands_in_package_project_and_changelog():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    top = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert top is not None
    assert multimodal.__version__ == project == top.group(1)


def test_the_python_of_the_readme_runs_as_it_stands(tmp_path):
    """On a small synthetic cohort; only the options are made small, in the way that the block's comment names."""
    (block,) = [text for language, text in BLOCKS if language == "python"]
    imports = {
        name.name for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom) for name in node.names
    }
    assert imports <= set(multimodal.__all__)
    assert block.count("ClinicalModel()") == 1
    write_cohort(tmp_path / "cohort", synthesize(150, 0))
    small = (
        "from multimodal.model import read_config\n"
        "config = read_config(None, ['image.min_steps=20', 'image.epochs=1', 'image.size=32', "
        "'notes.encoders=words', 'vitals.encoders=logistic'])\n"
    )
    script = tmp_path / "script.py"
    script.write_text(small + block.replace("ClinicalModel()", "ClinicalModel(config)"), encoding="utf-8")

    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stderr
    assert re.match(r"model [0-9a-f]{16}: \d+ records of 30 patients\n  0 training patients left out, ", done.stdout)
    assert (tmp_path / "model" / "manifest.json").is_file()


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_readme_exists_with_its_options(line):
    _, command, *arguments = line.split()
    done = python("-c", "from multimodal.cli import main; main()", command, "--help")

    assert done.returncode == 0, done.stderr
    for option in (argument for argument in arguments if argument.startswith("--")):
        assert option in done.stdout, f"{command} has no {option}"


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set()
    for file in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        named |= set(re.findall(r"(?:`|^)make (\w+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE))

    assert {"demo", "test", "check"} <= named <= targets


def test_the_importers_of_the_readme_are_all_there_are():
    from multimodal.sources.importers import IMPORTERS

    assert {line.split()[2] for line in COMMANDS if line.startswith("multimodal import ")} == set(IMPORTERS)


def test_every_file_that_the_readme_links_to_exists():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_tree_of_the_readme_names_every_room():
    rooms = {item.name for item in (ROOT / "multimodal").iterdir() if (item / "__init__.py").is_file()}

    assert {room for room in rooms if f"\n  {room}/ " not in README} == set()
