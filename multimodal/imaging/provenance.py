"""What a DICOM header says about the picture's origin, as far as it cannot name a person."""

from __future__ import annotations

import pydicom
from pydicom import uid
from pydicom.dataset import Dataset

from .layout import Layout

LOSSY = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless}
# The values that may be told, in capitals; anything else could be a name or a number and is left out.
MODALITIES = frozenset(  # DICOM PS3.3, C.7.3.1.1.1, the retired ones too
    """
    AR ASMT AU BDUS BI BMD CD CF CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DS DX EC ECG EEG EMG EOG EPS ES FA FID FS
    GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR OPT OPTBSV OPTENF OPV OSS OT PA
    PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR
    SRF ST STAIN TEXTUREMAP TG US VA VF XA XAPROTOCOL XC
    """.split()
)
VIEWS = frozenset(  # PS3.3, C.8.1.1; PS3.16, CID 4010 and 4014; and what is seen for the lateral ones
    """
    AP PA LL RL RLD LLD RLO LLO LAO LPO RAO RPO LAT LATERAL
    ML MLO LM LMO CC CV FB SIO ISO XCC XCCL XCCM AT AXILLA TAN
    """.split()
)
LATERALITIES = frozenset("RLUB")  # PS3.3, C.7.3.1 and C.8.11.7: right, left, unpaired, both
BODY_PARTS = frozenset(  # PS3.16, Annex L, without single vessels; and THORAX, which is seen for CHEST
    """
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BILEDUCT BLADDER BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS
    CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS CLAVICLE COCCYX COLON CORNEA
    CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FIBULA FINGER FOOT
    FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS IAC ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER
    LSPINE LSSPINE LUNG MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY
    PANCREAS PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RECTUM RIB SCALP SCAPULA SCLERA SCROTUM SHOULDER
    SINUS SKULL SPINE SPLEEN SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THORAX THUMB THYMUS THYROID TIBIA TLSPINE
    TMJ TOE TONGUE TRACHEA TSPINE ULNA UPPERARM URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA
    """.split()
)
TERMS = {
    "modality": (("Modality",), MODALITIES),
    "view": (("ViewPosition",), VIEWS),
    "laterality": (("ImageLaterality", "Laterality"), LATERALITIES),
    "body_part": (("BodyPartExamined",), BODY_PARTS),
}


def provenance_of(dataset: Dataset, layout: Layout) -> dict[str, str]:
    """Text by name, see Image; what is absent, or no term of TERMS, is left out."""
    facts = {"format": "DICOM", "transfer_syntax": str(layout.syntax)}
    for name, (keywords, terms) in TERMS.items():
        facts[name] = next((term for keyword in keywords if (term := text(dataset, keyword)) in terms), "")
    facts["lossy"] = "yes" if _is_lossy(dataset, layout) else ""
    facts["burned_in"] = "yes" if text(dataset, "BurnedInAnnotation") == "YES" else ""
    facts["derived"] = "yes" if _image_type(dataset) == "DERIVED" else ""
    return {name: value for name, value in facts.items() if value}


def provenance_notes(dataset: Dataset, layout: Layout) -> list[tuple[str, str]]:
    """The warnings LOSSY, BURNED_IN and DERIVED, each where the header says so."""
    notes = []
    if _is_lossy(dataset, layout):
        notes.append(("LOSSY", "the image was compressed with loss."))
    if text(dataset, "BurnedInAnnotation") == "YES":
        notes.append(("BURNED_IN", "the file says that annotation is burned into the image."))
    if _image_type(dataset) == "DERIVED":
        notes.append(("DERIVED", "the file says that the image is derived from another."))
    return notes


def text(source: Dataset, keyword: str) -> str:
    """A header's value as text in capitals, "" where it is absent or damaged."""
    try:
        value = source.get(keyword)
    except Exception:  # a value that pydicom cannot convert tells nothing
        return ""
    return "" if value is None else str(value).strip().upper()


def _is_lossy(dataset: Dataset, layout: Layout) -> bool:
    return text(dataset, "LossyImageCompression") == "01" or layout.syntax in LOSSY


def _image_type(dataset: Dataset) -> str:
    value = dataset.get("ImageType")
    return str(value[0] if isinstance(value, pydicom.multival.MultiValue) and len(value) else value or "").upper()
