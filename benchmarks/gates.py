"""Gates: how many held-out records are stopped, and how many of planted foreign ones.

    python benchmarks/gates.py MODEL COHORT [--records 300] [--seed 0]

Of the patients of COHORT those whom MODEL has not seen (train it with --holdout, or give another cohort). For each gate
the share of their records that it stops, of those that it looks at, with a 95 % interval (Wilson). Then, for notes and
vital signs, the share of foreign kinds that NOVEL_INPUT stops, each shown alone: texts written here, and up to
--records held-out records whose measurements are changed in the way named.
"""

from __future__ import annotations

import argparse
import random
import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from multimodal import ClinicalModel, Cohort, PatientRecord
from multimodal.records import Batch, Predictions
from multimodal.trust.gates import GATES

NOTES = {
    "German": (
        "Der Patient klagt seit zwei Tagen über Schmerzen im Brustkorb.",
        "Lunge beidseits belüftet, kein Erguss, Herz normal groß.",
        "Kein Pneumothorax. Keine Infiltrate. Zwerchfell glatt begrenzt.",
        "Aufnahme wegen Fieber und Husten, Röntgen ohne Befund.",
    ),
    "French": (
        "Le patient se plaint de douleurs thoraciques depuis deux jours.",
        "Pas d'épanchement pleural. Coeur de taille normale.",
        "Les poumons sont clairs, sans foyer de condensation.",
        "Radiographie du thorax sans particularité, à revoir dans un mois.",
    ),
    "Spanish": (
        "Los pulmones están limpios. No hay derrame pleural ni neumotórax.",
        "El tamaño del corazón es normal, sin consolidación focal.",
        "Paciente con dolor en el pecho desde hace dos días.",
        "Se recomienda repetir la radiografía en un mes.",
    ),
    "Chinese": ("双肺清晰，未见胸腔积液。", "心脏大小正常，纵隔居中。", "患者两天前开始胸痛，伴发热。"),
    "recipe": (
        "Mix the flour with two eggs and sugar, add the butter and bake for 40 minutes until golden.",
        "Peel the potatoes, boil them in salted water, and mash with milk and butter. Serve warm.",
        "Heat oil in a large pan over medium heat. Add onion and garlic; cook until soft.",
        "Whisk cream until stiff, fold in the chocolate, and chill for three hours before serving.",
    ),
    "markup": (
        '<div class="note"><p>No acute disease.</p><br/></div>',
        "<table><tr><td>lungs</td><td>clear</td></tr></table>",
        "&lt;p&gt;Heart size &nbsp;is normal&lt;/p&gt;",
        '{"findings": [{"site": "lung", "state": "clear"}], "id": 3}',
    ),
    "next to nothing": ("ok", "n/a", "see above", "-1-", "test", "x"),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("--records", type=int, default=300, help="held-out records to change in each way")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    model, cohort = ClinicalModel.load(options.model), Cohort.open(options.cohort)
    held_out = cohort.take(np.flatnonzero(~np.asarray(model.trained_on(cohort.patient_ids))))
    found = model.predict(held_out)
    print(f"{len(found)} records of patients whom model {model.model_id} has not seen; false alarms stated: "
          f"{model.gates_.rate:.1%}")  # fmt: skip
    by_gate(found)
    if "notes" in model.modalities:
        foreign_notes(model, options.seed)
    if "vitals" in model.modalities:
        place = model.modalities.index("vitals")
        having = np.flatnonzero(found.present[:, place])
        foreign_vitals(model, held_out.take(having[: options.records]).batch(), options.seed)


def by_gate(found: Predictions) -> None:
    codes = [{(problem.code, problem.where) for problem in row} for row in found.problems]
    several = found.present.sum(axis=1) >= 2
    print(line("altogether", np.isin(found.abstained, GATES)[found.present.any(axis=1)]))
    for m, name in enumerate(found.modalities):
        print(
            line(
                f"NOVEL_INPUT {name}", [("NOVEL_INPUT", name) in codes[i] for i in np.flatnonzero(found.present[:, m])]
            )
        )
    for code in ("NOVEL_RECORD", "CONTRADICTION", "SET_UNVALIDATED"):
        rows = np.flatnonzero(found.present.any(axis=1) if code == "SET_UNVALIDATED" else several)
        print(line(code, [code in {one for one, _ in codes[i]} for i in rows]))


def line(name: str, stopped) -> str:
    """`NAME  3 of 120  2.5 % [0.9, 7.1]`, of bool (n,)."""
    k, n = int(np.sum(stopped)), len(stopped)
    if not n:
        return f"  {name:<36}none"
    low, high = binomtest(k, n).proportion_ci(method="wilson")
    return f"  {name:<36}{k:>5} of {n:<6}{100 * k / n:6.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def stopped_by(found: Predictions, modality: str) -> list[bool]:
    return [any(p.code == "NOVEL_INPUT" and p.where == modality for p in row) for row in found.problems]


def foreign_notes(model: ClinicalModel, seed: int) -> None:
    print("notes that are none of these, alone: stopped as NOVEL_INPUT")
    for kind, texts in (NOTES | {"random letters": letters(seed)}).items():
        records = [PatientRecord(record_id=str(i), patient_id=str(i), notes=[{"text": t}]) for i, t in enumerate(texts)]
        print(line(kind, stopped_by(model.predict(records), "notes")))


def letters(seed: int, n: int = 50) -> list[str]:
    draw = random.Random(seed)

    def word() -> str:
        return "".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 9)))

    return [" ".join(word() for _ in range(12)) for _ in range(n)]


def foreign_vitals(model: ClinicalModel, batch: Batch, seed: int) -> None:
    print("vital signs, alone: stopped as NOVEL_INPUT")
    rng = np.random.default_rng(seed)
    values = batch.measurements.assign(value=pd.to_numeric(batch.measurements["value"], errors="coerce"))
    values = values[values["value"].notna()]
    plain = replace(batch, notes=[], images=[])
    ways: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "as they are": lambda rows: rows,
        "the last pulse alone": lambda rows: last(rows[rows["code"] == "heart_rate"]),
        "last pulse, pressure, temperature": lambda rows: last(
            rows[rows["code"].isin(["heart_rate", "systolic_bp", "diastolic_bp", "temperature"])]
        ),
        "weight in pounds": lambda rows: scaled(rows, "weight", 2.2046),
        "potassium 1.6-fold": lambda rows: scaled(rows, "potassium", 1.6),
        "haematocrit halved": lambda rows: scaled(rows, "hematocrit", 0.5),
        "diastolic pressure: systolic less 5": pressures,
        "each code's values of another patient": lambda rows: of_others(rows, rng),
        "extremes in all": lambda rows: extremes(rows, rng),
    }
    for name, way in ways.items():
        changed = way(values.copy())
        touched = np.unique(changed["record"])
        if name not in ("as they are", "the last pulse alone", "last pulse, pressure, temperature"):
            before, after = (one.groupby("record")["value"].sum() for one in (values, changed))
            touched = np.intersect1d(touched, before.index[~np.isclose(before, after.reindex(before.index))])
        rows = changed.assign(value=changed["value"].map("{:.6g}".format))
        found = model.predict_batch(replace(plain, measurements=rows))
        print(line(name, np.array(stopped_by(found, "vitals"), dtype=bool)[touched]))


def last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["record", "hours"], kind="stable").groupby(["record", "code"]).tail(1).sort_index()


def scaled(rows: pd.DataFrame, code: str, factor: float) -> pd.DataFrame:
    return rows.assign(value=rows["value"] * np.where(rows["code"] == code, factor, 1.0))


def pressures(rows: pd.DataFrame) -> pd.DataFrame:
    """The diastolic pressure of each moment, from the systolic of the same moment."""
    systolic = rows[rows["code"] == "systolic_bp"].drop_duplicates(["record", "hours"]).set_index(["record", "hours"])
    moments = pd.MultiIndex.from_frame(rows[["record", "hours"]])
    beside = systolic["value"].reindex(moments).to_numpy()
    mine = (rows["code"] == "diastolic_bp").to_numpy() & ~np.isnan(beside)
    return rows.assign(value=np.where(mine, beside - 5, rows["value"]))


def of_others(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The series of each code taken over from another patient who has it: each quantity usual, together none's."""
    parts = []
    for _, one in rows.groupby("code", sort=True):
        owners = one["record"].unique()
        parts.append(one.assign(record=one["record"].map(dict(zip(owners, rng.permutation(owners), strict=True)))))
    return pd.concat(parts).sort_values("record", kind="stable")


def extremes(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each code of a record at the lowest or highest 2 % of all its values, by a coin."""
    low, high = (rows.groupby("code")["value"].transform(lambda v, q=q: v.quantile(q)) for q in (0.02, 0.98))
    groups = rows.groupby(["record", "code"]).ngroup().to_numpy()
    coin = rng.random(groups.max() + 1 if len(groups) else 0) < 0.5
    return rows.assign(value=np.where(coin[groups], low, high))


if __name__ == "__main__":
    main()
