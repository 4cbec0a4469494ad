"""torchvision works beside a CPU build of torch, and nothing is changed where its extension loads."""

from __future__ import annotations

import subprocess
import sys

import torch

from multimodal.learning.torchvision_shim import declare_missing_operators, torchvision

# The operator is there before we come, as where the extension loads; torchvision would fail to declare it twice.
DECLARED_BEFOREHAND = """
import torch
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.impl("nms", lambda dets, scores, iou_threshold: torch.tensor([42]), "CPU")
from multimodal.learning import torchvision_shim
assert torchvision_shim._library is None
assert torchvision_shim.declare_missing_operators() is False
print(torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5).item())
"""

# The other way round: what would happen without the shim, and that it mends a process in which that did happen.
MISSING = """
import sys
try:
    import torchvision
    print("loads")
except RuntimeError as error:
    print(error)
    from multimodal.learning import torchvision_shim
    from transformers import BertModel
    print(torchvision_shim.declare_missing_operators(), BertModel.__name__)
"""


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_both_operators_have_a_schema():
    for name in ("nms", "qnms"):
        schema = str(getattr(torch.ops.torchvision, name).default._schema)
        assert schema == f"torchvision::{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def test_asking_twice_declares_once():
    assert declare_missing_operators() == declare_missing_operators()


def test_a_backbone_of_torchvision_computes():
    network = torchvision.models.resnet18(weights=None).eval()

    with torch.inference_mode():
        features = network(torch.zeros(1, 3, 64, 64))

    assert features.shape == (1, 1000)
    assert torch.isfinite(features).all()


def test_an_operator_that_is_there_already_is_left_alone():
    assert run(DECLARED_BEFOREHAND)[-1] == "42"


def test_where_the_extension_is_missing_the_shim_mends_even_a_failed_import():
    lines = run(MISSING)

    assert lines in (["loads"], ["operator torchvision::nms does not exist", "True BertModel"])
