"""The measurement table: codes, units, conversions and ranges, against sources other than the table itself."""

from __future__ import annotations

import csv

import pytest
from ucumvert import PintUcumRegistry

from multimodal.records import MeasurementKind, level_text, measurement_table, span

TABLE = measurement_table()
INF = float("inf")
QUANTITIES = [kind for kind in TABLE.values() if kind.kind == "quantity"]

# Standard atomic weights, conventional values: IUPAC, 2021.
WEIGHTS = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "P": 30.974, "Ca": 40.078, "Mg": 24.305}
MOLECULES = {
    "creatinine": {"C": 4, "H": 7, "N": 3, "O": 1},
    "bun": {"N": 2},  # the nitrogen of one urea
    "glucose": {"C": 6, "H": 12, "O": 6},
    "lactate": {"C": 3, "H": 6, "O": 3},  # lactic acid
    "calcium": {"Ca": 1},
    "calcium_ionized": {"Ca": 1},
    "magnesium": {"Mg": 1},
    "phosphate": {"P": 1},  # phosphorus
    "uric_acid": {"C": 5, "H": 4, "N": 4, "O": 3},
    "bilirubin_total": {"C": 33, "H": 36, "N": 4, "O": 6},
    "bilirubin_direct": {"C": 33, "H": 36, "N": 4, "O": 6},
    "cholesterol": {"C": 27, "H": 46, "O": 1},
    "triglycerides": {"C": 57, "H": 104, "O": 6},  # triolein, as laboratories do
    "ammonia": {"N": 1, "H": 3},
}
MOLAR_MASS = {code: sum(WEIGHTS[e] * n for e, n in atoms.items()) for code, atoms in MOLECULES.items()}
MOLAR_MASS["hemoglobin"] = 16114.0  # g/mol of one chain with its haem: ICSH, J Clin Pathol 49:271, 1996
VALENCE = {"magnesium": 2}


@pytest.fixture(scope="module")
def registry():
    """pint, with the units of UCUM as ucumvert reads them from UCUM's own table."""
    return PintUcumRegistry()


def by_pint(registry, code: str, value: float, unit: str, into: str) -> float:
    """`value` from one UCUM unit into another, by pint, with molar masses and valences of our own."""
    if {unit, into} & {"Cel", "[degF]", "K"}:
        return registry.Quantity(value, registry.from_ucum(unit).units).to(registry.from_ucum(into).units).magnitude
    one = {}
    for name in (unit, into):
        charges = VALENCE.get(code, 1) if name == "meq/L" else 1
        one[name] = registry.from_ucum(name.replace("meq", "mmol")) / charges
    amount, target = value * one[unit], one[into]
    if amount.check("[substance]/[volume]") and target.check("[mass]/[volume]"):
        amount = amount * MOLAR_MASS[code] * registry.from_ucum("g/mol")
    if amount.check("[mass]/[volume]") and target.check("[substance]/[volume]"):
        amount = amount / (MOLAR_MASS[code] * registry.from_ucum("g/mol"))
    return (amount / target).to("dimensionless").magnitude


def test_every_unit_of_the_table_is_one_of_ucum(registry):
    """But for pH, which pint does not have, and annotations, which are no units."""
    units = {unit for kind in QUANTITIES for unit in (kind.unit, *kind.units)} - {"[pH]", "{score}"}

    for unit in sorted(units):
        assert registry.from_ucum(unit) is not None, unit


@pytest.mark.parametrize(
    ("code", "unit", "factor", "offset"),
    [(kind.code, unit, *scale) for kind in QUANTITIES for unit, scale in kind.units.items()],
)
def test_each_conversion_is_that_of_pint_and_ucumvert(registry, code, unit, factor, offset):
    """Factors between units of one dimension to 1e-6; through a molar mass to 1e-4 (isotopes, rounding of weights)."""
    kind = TABLE[code]
    by_mass = code in MOLAR_MASS and ("mol" in unit) != ("mol" in kind.unit) and "meq" not in unit
    tolerance = 1e-4 if by_mass else 1e-6

    for value in (1.0, 98.6, 310.15):
        assert value * factor + offset == pytest.approx(by_pint(registry, code, value, unit, kind.unit), rel=tolerance)


@pytest.mark.parametrize(
    ("code", "value", "unit", "converted"),
    [
        ("temperature", 98.6, "[degF]", 37.0),  # definition
        ("temperature", 310.15, "K", 37.0),  # definition
        ("creatinine", 88.4, "umol/L", 1.0),  # SI conversion tables, AMA Manual of Style
        ("glucose", 5.551, "mmol/L", 100.0),  # AMA
        ("bilirubin_total", 17.104, "umol/L", 1.0),  # AMA
        ("bun", 0.357, "mmol/L", 1.0),  # AMA
        ("hemoglobin", 140.0, "g/L", 14.0),
        ("paco2", 5.333, "kPa", 40.0),
        ("lactate", 9.008, "mg/dL", 1.0),
        ("height", 66.9, "[in_i]", 169.926),
        ("weight", 185.0, "[lb_av]", 83.9146),
        ("cholesterol", 5.172, "mmol/L", 200.0),  # AMA
        ("ast", 1.0, "ukat/L", 60.0),
        ("fio2", 40.0, "%", 0.4),
    ],
)
def test_values_that_clinicians_know_convert_as_they_know(code, value, unit, converted):
    """Printed conversion tables round to three or four digits."""
    factor, offset = TABLE[code].units[unit]

    assert value * factor + offset == pytest.approx(converted, rel=1e-3)


def test_the_names_and_units_of_physionet_2012_are_in_the_table(shared):
    """All 39 names of codes.csv, in the unit in which the values stand."""
    with (shared / "data/physionet2012/codes.csv").open(newline="") as lines:
        named = {row["code"]: row["unit"] for row in csv.DictReader(lines)}

    assert len(named) == 39
    assert {code: TABLE[code].unit for code in named} == named
    assert (TABLE["icu_type"].kind, TABLE["icu_type"].categories) == ("category", ("1", "2", "3", "4"))
    assert TABLE["mechanical_ventilation"].kind == "flag"


@pytest.mark.parametrize(
    ("use", "codes"),
    [
        ("covid-chestxray", "temperature oxygen_saturation pao2 wbc neutrophils lymphocytes"),
        ("hannover", "crp d_dimer factor_xiii ldh lymphocytes neutrophils paco2 pao2"),
        (
            "NEWS2",
            "respiratory_rate oxygen_saturation supplemental_oxygen systolic_bp heart_rate "
            "consciousness_acvpu temperature",
        ),
        ("qSOFA", "respiratory_rate gcs_total systolic_bp"),
        (
            "SOFA",
            "pao2 fio2 platelets bilirubin_total mean_bp gcs_total creatinine urine_output "
            "norepinephrine dopamine dobutamine epinephrine",
        ),
    ],
)
def test_the_inputs_of_each_source_and_score_are_in_the_table(use, codes):
    assert not set(codes.split()) - set(TABLE), use


def test_loinc_codes_are_unique_and_their_check_digits_hold():
    """Check digit: modulus 10 of the LOINC Users' Guide, appendix C (12345 has 5)."""

    def check_digit(number: str) -> int:
        doubled = str(2 * int(number[::-1][::2][::-1]))
        return -sum(map(int, number[::-1][1::2] + doubled)) % 10

    codes = [kind.loinc for kind in TABLE.values() if kind.loinc]

    assert check_digit("12345") == 5
    assert len(codes) == len(set(codes)) >= 80
    assert [code for code in codes if check_digit(code.split("-")[0]) != int(code.split("-")[1])] == []


# From the published R4 examples and Synthea's sample data: shared/data/fhir/README.md.
@pytest.mark.parametrize(
    ("loinc", "code"),
    [
        ("8867-4", "heart_rate"),
        ("9279-1", "respiratory_rate"),
        ("8310-5", "temperature"),
        ("2708-6", "arterial_oxygen_saturation"),
        ("59408-5", "oxygen_saturation"),
        ("8480-6", "systolic_bp"),
        ("8462-4", "diastolic_bp"),
        ("8478-0", "mean_bp"),
        ("9269-2", "gcs_total"),
        ("8302-2", "height"),
        ("29463-7", "weight"),
        ("39156-5", "bmi"),
        ("2160-0", "creatinine"),
        ("718-7", "hemoglobin"),
    ],
)
def test_loinc_codes_resolve_to_the_code(loinc, code):
    assert TABLE.resolve(loinc) == code
    assert TABLE.resolve(f" {code.upper()} ") == code


@pytest.mark.parametrize(
    ("code", "artefacts"),
    [
        ("heart_rate", [0, -1, 999]),
        ("temperature", [0, -17.8, 1, 3, 98.6, 999]),
        ("height", [-1, 0, 13, 365.8, 431.8]),
        ("weight", [-1, 0, 999]),
        ("oxygen_saturation", [170, 0, -9, 0.97]),
        ("ph_arterial", [735, 100, 94, 1, 3]),
        ("systolic_bp", [0, -1, 999]),
        ("diastolic_bp", [0, -1, 999]),
        ("mean_bp", [0, 0.76]),
        ("respiratory_rate", [0, 91, 98]),
        ("potassium", [10.9, 22.9, -1]),
        ("pao2", [0, 7.47]),
        ("paco2", [0.3]),
        ("gcs_total", [0, 2, 16]),
        ("fio2", [0, 1.5]),
    ],
)
def test_artefacts_and_sentinels_lie_outside_the_range(code, artefacts):
    """The dirt of shared/data/physionet2012/README.md and the examples of INPUTS.md."""
    kind = TABLE[code]

    assert [value for value in artefacts if kind.low <= value <= kind.high] == []


@pytest.mark.parametrize(
    ("code", "extremes"),
    [
        ("temperature", [26.0, 42.1]),  # deep accidental hypothermia, heat stroke
        ("heart_rate", [20, 250]),
        ("weight", [0.6, 300]),  # an extremely preterm child
        ("height", [30, 230]),
        ("ph_arterial", [6.82, 7.8]),
        ("glucose", [10, 1143]),  # as in set A
        ("sodium", [98, 177]),  # as in set A
        ("wbc", [0.1, 187.5]),  # as in set A
        ("platelets", [6, 1047]),  # as in set A
        ("alt", [1, 11470]),  # as in set A
        ("lactate", [0.3, 29.3]),  # as in set A
        ("creatinine", [0.1, 22.1]),  # as in set A
        ("hematocrit", [9, 61.8]),  # as in set A
        ("arterial_oxygen_saturation", [26, 100]),  # as in set A
        ("systolic_bp", [30, 296]),
        ("fio2", [0.21, 1.0]),
        ("lymphocytes", [0.0, 131.0]),  # none; and chronic lymphocytic leukaemia
        ("crp", [0.1, 500.0]),
    ],
)
def test_extremes_of_real_patients_lie_inside_the_range(code, extremes):
    kind = TABLE[code]

    assert [value for value in extremes if not kind.low <= value <= kind.high] == []


def test_ranges_are_ordered_and_no_unit_is_its_own_other_unit():
    for kind in TABLE.values():
        assert kind.low < kind.high, kind.code
        assert kind.unit not in kind.units, kind.code
        assert all(factor > 0 for factor, _ in kind.units.values()), kind.code


@pytest.mark.parametrize(
    ("written", "ucum"),
    [
        ("mmHg", "mm[Hg]"),
        ("bpm", "/min"),
        ("breaths/min", "/min"),
        ("°C", "Cel"),
        ("C", "Cel"),
        ("degF", "[degF]"),
        ("Fahrenheit", "[degF]"),
        ("µmol/L", "umol/L"),  # micro sign
        ("μmol/L", "umol/L"),  # Greek mu
        ("mcg/kg/min", "ug/kg/min"),
        ("K/uL", "10*3/uL"),
        ("x10^9/L", "10*9/L"),
        ("G/L", "10*9/L"),
        ("g/L", "g/L"),
        ("IU/L", "U/L"),
        ("mEq/L", "meq/L"),
        ("lbs", "[lb_av]"),
        ("percent", "%"),
        ("MMOL/L", "mmol/L"),
        ("furlong", "furlong"),
    ],
)
def test_common_spellings_of_units_are_read_as_ucum(written, ucum):
    assert TABLE.ucum(written) == ucum


def test_what_may_be_given_is_said_in_words():
    ends = {"from 0": (0.0, INF), "up to 5": (-INF, 5.0), "0 to 5": (0.0, 5.0), "": (-INF, INF)}
    for words, (low, high) in ends.items():
        assert span(MeasurementKind("x", "x", "", "quantity", "kg", low, high)) == words
    assert (span(TABLE["supplemental_oxygen"]), span(TABLE["consciousness_acvpu"])) == ("0, 1", "A, C, V, P, U")


def test_a_code_that_a_cohort_declares_as_another_kind_is_what_the_model_learnt():
    learnt = MeasurementKind("x", "x", "", "flag", "1", -INF, INF)
    theirs = TABLE.extended({"X": MeasurementKind("X", "x", "", "quantity", "kg", 0.0, 5.0)})
    known = theirs.as_learnt({"x": learnt})

    assert known[known.resolve("X")] == learnt


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (" 3.0 ", "3"),
        ("-1.00", "-1"),
        (386661006, "386661006"),  # a SNOMED code is no number to be rounded
        ("386661007", "386661007"),
        ("2E5", "2E5"),
        ("1.5", "1.5"),
        ("nan", ""),
        (None, ""),
        (float("nan"), ""),
        (True, "1"),
    ],
)
def test_the_level_of_a_category_as_text(item, text):
    assert level_text(item) == text


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SpO2", "; did you mean 'oxygen_saturation'?"),  # by its letters it is nearest to pao2
        ("sbp", "; did you mean 'systolic_bp'?"),
        ("gcs", "; did you mean 'gcs_total'?"),
        ("heart_rat", "; did you mean 'heart_rate'?"),
        ("age", "; did you mean 'age_years'?"),
        ("xyzzy", ""),
    ],
)
def test_a_hint_names_what_clinicians_mean(name, hint):
    assert TABLE.did_you_mean(name, ["age_years"]) == hint
    assert TABLE.resolve(name) is None
