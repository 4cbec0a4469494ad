"""scikit-learn models on disk: skops files with a fixed list of allowed types. No pickle."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from ..records import ModelError

ALLOWED = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
_SCHEMA = "schema.json"
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def save_sklearn(model: Any, path: Path) -> None:
    """The same model gives the same bytes: skops names its parts by memory address and time, which are replaced."""
    from skops.io import dumps

    with zipfile.ZipFile(io.BytesIO(dumps(model))) as parts:
        content = {name: parts.read(name) for name in parts.namelist()}
    schema = content.pop(_SCHEMA).decode()
    addresses = dict.fromkeys(re.findall(r'"__id__": (\d+)|"(\d+)\.np[yz]"', schema))
    order = {next(filter(None, pair)): str(place) for place, pair in enumerate(addresses)}
    schema = re.sub(r'("__id__": )(\d+)', lambda found: found[1] + order[found[2]], schema)
    schema = re.sub(r'"(\d+)(\.np[yz])"', lambda found: f'"{order[found[1]]}{found[2]}"', schema)
    renamed = {re.sub(r"^\d+", lambda found: order[found[0]], name): data for name, data in content.items()}
    with zipfile.ZipFile(path, "w") as out:
        for name, data in sorted({_SCHEMA: json.dumps(json.loads(schema)).encode(), **renamed}.items()):
            entry = zipfile.ZipInfo(name, _NO_TIME)
            out.writestr(entry, data, zipfile.ZIP_DEFLATED, 6)


def load_sklearn(path: Path) -> Any:
    """Raises ModelError if the file holds a type that is not allowed."""
    from skops.io import get_untrusted_types, load
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return load(path, trusted=[name for name in get_untrusted_types(file=path) if name in ALLOWED])
    except UntrustedTypesFoundException as error:
        raise ModelError(f"{path.name} holds types that a model of ours never has: {error}") from None
