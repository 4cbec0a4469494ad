"""Importers: public collections, from upstream's own files, and any folder of pictures, as cohort tables.

A new public set is one file with one function `import_x(path, **options) -> CohortTables`, and one entry here.
An importer drops no record, keeps raw values (implausible ones are refused where they are read, by everybody's
rules) and says in its account what was kept, what was not, and why.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ...records import UsageError, did_you_mean, shown
from ..tables import CohortTables

IMPORTERS = {
    "covid-chestxray": "multimodal.sources.importers.covid_chestxray:import_covid_chestxray",
    "hannover": "multimodal.sources.importers.hannover:import_hannover",
    "physionet2012": "multimodal.sources.importers.physionet2012:import_physionet2012",
    "openi": "multimodal.sources.importers.openi:import_openi",
    "mts-dialog": "multimodal.sources.importers.mts_dialog:import_mts_dialog",
    "image-folder": "multimodal.sources.importers.image_folder:import_image_folder",
}


def import_source(source: str, path: Path | str, **options: str | Path | Sequence[str] | bool) -> CohortTables:
    """The collection at `path` (upstream's folder, or its main file), read by IMPORTERS[source].

    Options: covid-chestxray `purpose` = diagnosis | outcome; openi `sections` = findings[,impression ...];
    image-folder `labels` = a table, `file_column`, `patient_column`, `label_columns` of it; `number_records`.
    Raises UsageError for an unknown source or option, CohortError where upstream's files or columns are missing.
    """
    if source not in IMPORTERS:
        raise UsageError(f"no importer is called {shown(source)}{did_you_mean(source, IMPORTERS)}")
    module, function = IMPORTERS[source].split(":")
    importer = getattr(import_module(module), function)
    accepted = list(inspect.signature(importer).parameters)[1:]
    for option in options:
        if option not in accepted:
            takes = ", ".join(accepted) or "no options"
            raise UsageError(f"{source} has no option {shown(option)}; it takes {takes}.")
    return importer(Path(path), **options)
