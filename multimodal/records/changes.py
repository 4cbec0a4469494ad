"""What changed between two answers to one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from .forms import Form, Label, Prediction


class TargetChange(Form):
    """One target, before and now."""

    before: float | None = Field(description="the probability of the answer before; null: there was none")
    after: float | None = Field(description="the probability now; null: there is none")
    decision_before: Label = Field(None, description="the decision of the answer before; null: there was none")
    decision: Label = Field(None, description="the decision now; null: there is none")
    contributions: dict[str, float] = Field(
        {}, description="by modality, how much more log-odds it adds than before (absent: 0); those that moved alone"
    )


class ValueChange(Form):
    """The last value of one measurement, before and now, in the measurement table's unit; a category's level."""

    before: float | str | None = Field(description="null: it had not been measured")
    after: float | str | None = Field(description="null: it is no longer there")


class Change(Form):
    """What changed since a record was scored last."""

    record_id: str = Field(description="the record's key")
    read_again: tuple[str, ...] = Field(description="the modalities whose items are new, and which were read again")
    targets: dict[str, TargetChange] = Field(description="every target of the model")
    values: dict[str, ValueChange] = Field(
        {}, description="by code, the measurements whose last value is another; age_years and sex, too"
    )


def change_between(
    before: Prediction,
    after: Prediction,
    *,
    read_again: Sequence[str],
    values_before: Mapping[str, float | str],
    values: Mapping[str, float | str],
) -> Change:
    """before, after: two answers of one model to one record; values: by code, the last value at each of them."""

    def moved(name: str) -> TargetChange:
        old, new = before.targets[name], after.targets[name]
        modalities = dict.fromkeys([*old.contributions, *new.contributions])
        by = {m: new.contributions.get(m, 0.0) - old.contributions.get(m, 0.0) for m in modalities}
        return TargetChange(
            before=old.probability,
            after=new.probability,
            decision_before=old.decision,
            decision=new.decision,
            contributions={m: value for m, value in by.items() if value},
        )

    codes = sorted({*values_before, *values})
    return Change(
        record_id=after.record_id,
        read_again=tuple(read_again),
        targets={name: moved(name) for name in after.targets},
        values={
            code: ValueChange(before=values_before.get(code), after=values.get(code))
            for code in codes
            if values_before.get(code) != values.get(code)
        },
    )
