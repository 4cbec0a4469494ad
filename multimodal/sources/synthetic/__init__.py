"""The synthetic cohort, in which the best reachable AUROC is known.

A latent model (truth.py) gives each record its labels and what each modality sees of them; radiograph.py, note.py and
vitals.py show it; files.py and damage.py add what real exports have: formats, unusual units, broken items. Nothing
but the image, the notes and the measurements knows anything of the labels.
"""

from .cohort import MISSING_SHARE, synthesize, truth_of
from .truth import LATENT, MODALITIES, TARGETS, best_auroc, read_best

__all__ = ["LATENT", "MISSING_SHARE", "MODALITIES", "TARGETS", "best_auroc", "read_best", "synthesize", "truth_of"]
