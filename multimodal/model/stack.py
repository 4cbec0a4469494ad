"""Blends, head, choice of variant and calibration as one fitted thing: evidence in, log-odds for every set out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logit, softmax

from ..fusion.blend import Blend, fit_blend
from ..fusion.head import VARIANTS, Head, fit_head
from ..fusion.subsets import all_sets, set_index
from ..records import Target
from ..trust.calibration import AUTO, Calibrator, binary_loss, choose_calibrator, exclusive_loss
from ..trust.site import SiteMap

FUSED = -1


@dataclass(frozen=True)
class Stack:
    """What stands on the encoders' evidence.

    modalities   names, in order
    units        tuples of target indexes: one target, or the classes of an exclusive group
    base         float (T,), log-odds of the base rates (of a class: its log probability)
    blends       per modality
    variant      int (T,), index into VARIANTS; single  int (2 ** M, T): FUSED, or the one modality that is used for
                 this set because fusion was no better on held-out patients
    calibrators  one a unit; limit  float (T,), the largest log-odds that the labels support
    site         what another site was found to need on top
    """

    modalities: tuple[str, ...]
    units: tuple[tuple[int, ...], ...]
    base: np.ndarray
    blends: Mapping[str, Blend]
    head: Head
    variant: np.ndarray
    single: np.ndarray
    calibrators: tuple[Calibrator, ...]
    limit: np.ndarray
    site: SiteMap

    @property
    def baseline(self) -> np.ndarray:
        """float (T,): the log-odds without any input."""
        return self.site.value(self.base, self.base)

    def z(self, evidence: Mapping[str, np.ndarray]) -> np.ndarray:
        """evidence: {modality: (n, C, T)} -> calibrated log-odds minus the base, float (n, M, T)."""
        return calibrated(self.blends, self.modalities, self.base, self.units, evidence)

    def value(self, z: np.ndarray, present: np.ndarray) -> np.ndarray:
        """float (2 ** M, n, T): the calibrated log-odds with only each set shown; bit m of a set is modality m."""
        sets = all_sets(len(self.modalities))
        return np.stack([self.site.value(self._value(z, present & held), self.base) for held in sets])

    def _value(self, z: np.ndarray, present: np.ndarray) -> np.ndarray:
        logits = chosen_logits(self.head, z, present, self.variant, self.single)
        for unit, calibrator in zip(self.units, self.calibrators, strict=True):
            columns = list(unit)
            rows = _calibrated_rows(present, unit)
            logits[np.ix_(rows, columns)] = calibrator(logits[np.ix_(rows, columns)], self.base[columns])
        return logits.clip(-self.limit, self.limit)

    def before_site(self, probability: np.ndarray) -> np.ndarray:
        """float (n, T): the probabilities as they were at the site of the training."""
        with np.errstate(divide="ignore"):
            value = logit(probability)
            for unit in self.units:
                if len(unit) > 1:
                    # Up to a constant of the record, which the softmax does not see.
                    value[:, unit] = np.log(probability[:, unit])
        return self.probabilities(self.site.inverse(value, self.base))

    def sum_value(self, z: np.ndarray, present: np.ndarray) -> np.ndarray:
        """The plain sum of the log-odds of what is present, (n, T)."""
        return self.head.logits(z, present, "sum").clip(-self.limit, self.limit)

    def probabilities(self, value: np.ndarray) -> np.ndarray:
        """float (n, T) in [0, 1]: the sigmoid, and the softmax within an exclusive group."""
        out = expit(value)
        for unit in self.units:
            if len(unit) > 1:
                out[:, unit] = softmax(value[:, unit], axis=1)
        return out


def decide(probability: np.ndarray, thresholds: np.ndarray, units: Sequence[tuple[int, ...]]) -> np.ndarray:
    """float (n, T), 0 or 1: above the threshold; in an exclusive group the most probable class. NaN stays NaN."""
    out = (probability >= np.nan_to_num(thresholds)).astype(float)
    for unit in units:
        if len(unit) > 1:
            columns = list(unit)
            filled = np.where(np.isnan(probability[:, columns]), -1.0, probability[:, columns])
            out[:, columns] = filled.argmax(axis=1)[:, None] == np.arange(len(columns))
    return np.where(np.isnan(probability), np.nan, out)


def exclusive_units(targets: Mapping[str, Target]) -> list[tuple[int, ...]]:
    """Indexes of the targets that belong together: each target alone, or all classes of an exclusive group."""
    units: dict[str, list[int]] = {}
    for t, (name, target) in enumerate(targets.items()):
        units.setdefault(f"group {target.group}" if target.group else name, []).append(t)
    return [tuple(unit) for unit in units.values()]


def calibrated(
    blends: Mapping[str, Blend],
    modalities: Sequence[str],
    base: np.ndarray,
    units: Sequence[tuple[int, ...]],
    evidence: Mapping[str, np.ndarray],
) -> np.ndarray:
    """float (n, M, T): each modality's calibrated log-odds minus the base; of the classes of a group, their log
    probabilities minus the log shares, so that a modality that knows nothing moves nothing."""
    log_odds = np.stack([blends[name].calibrated(evidence[name]) for name in modalities], axis=1)
    for unit in units:
        if len(unit) > 1:
            columns = list(unit)
            log_odds[:, :, columns] = log_softmax(log_expit(log_odds[:, :, columns]), axis=2)
    return log_odds - base


def chosen_logits(
    head: Head, z: np.ndarray, present: np.ndarray, variant: np.ndarray, single: np.ndarray
) -> np.ndarray:
    """float (n, T): each target by its variant, or by one modality alone where `single` says so for the set shown."""
    out = np.empty((len(z), z.shape[2]))
    for index in np.unique(variant):
        columns = variant == index
        out[:, columns] = head.logits(z, present, VARIANTS[index])[:, columns]
    alone = single[set_index(present)]
    rows, targets = np.nonzero(alone != FUSED)
    out[rows, targets] = head.base[targets] + z[rows, alone[rows, targets], targets]
    return out


def fit_stack(
    evidence: Mapping[str, np.ndarray],
    present: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    units: Sequence[tuple[int, ...]],
    *,
    random_state: int,
    device: str,
    calibration: str = AUTO,
) -> Stack:
    """Fit everything that stands on out-of-fold evidence.

    evidence  {modality: float (n, C, T)}, out of fold; present  bool (n, M); y  float (n, T), NaN unknown
    folds     int (n,), those of the evidence: variant, fallback and calibration are chosen on logits of heads that
              did not see the fold
    calibration  a name of trust.calibration.CHOICES
    """
    modalities = tuple(evidence)
    base = base_log_odds(y, units)
    options = {"random_state": random_state, "device": device}
    held_out = {name: np.zeros((2 ** len(modalities), *y.shape)) for name in VARIANTS}
    z = np.zeros((len(y), len(modalities), y.shape[1]))
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        blends = _blends(evidence, present, y, inside)
        z[inside] = calibrated(blends, modalities, base, units, _rows(evidence, inside))
        head = fit_head(z[inside], present[inside], y[inside], base, **options)
        z[outside] = calibrated(blends, modalities, base, units, _rows(evidence, outside))
        for index, held in enumerate(all_sets(len(modalities))):
            for name in VARIANTS:
                held_out[name][index, outside] = head.logits(z[outside], present[outside] & held, name)
    variant = _choose_variants(held_out, present, y, units)
    chosen = np.stack([held_out[VARIANTS[variant[t]]][:, :, t] for t in range(y.shape[1])], axis=2)
    single = _keep_single(chosen, present, y, units)
    blends = _blends(evidence, present, y, np.ones(len(y), dtype=bool))
    z = calibrated(blends, modalities, base, units, evidence)
    limit = np.log((~np.isnan(y)).sum(axis=0) + 1)
    fused = _whole(chosen, single, present)
    return Stack(
        modalities=modalities,
        units=tuple(tuple(unit) for unit in units),
        base=base,
        blends=blends,
        head=fit_head(z, present, y, base, **options),
        variant=variant,
        single=single,
        calibrators=tuple(_calibrator(calibration, unit, fused, present, y, base, folds, limit) for unit in units),
        limit=limit,
        site=SiteMap.identity(y.shape[1]),
    )


def base_log_odds(y: np.ndarray, units: Sequence[tuple[int, ...]]) -> np.ndarray:
    """float (T,): the log-odds of each target's base rate; within an exclusive group the log of each class's share."""
    positives, known = np.nansum(y, axis=0), (~np.isnan(y)).sum(axis=0)
    out = np.log((positives + 1) / (known - positives + 1))
    for unit in units:
        if len(unit) > 1:
            shares = positives[list(unit)] + 1
            out[list(unit)] = np.log(shares / shares.sum())
    return out


def _blends(
    evidence: Mapping[str, np.ndarray], present: np.ndarray, y: np.ndarray, rows: np.ndarray
) -> dict[str, Blend]:
    return {
        name: fit_blend(np.nan_to_num(log_odds[rows]), present[rows, m], y[rows])
        for m, (name, log_odds) in enumerate(evidence.items())
    }


def _rows(evidence: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: log_odds[rows] for name, log_odds in evidence.items()}


def _unit_loss(logits: np.ndarray, y: np.ndarray, unit: Sequence[int]) -> np.ndarray:
    """Log-loss (n,) of one target or one group; NaN where the label is unknown."""
    columns = list(unit)
    known = ~np.isnan(y[:, columns]).any(axis=1)
    if len(columns) > 1:
        known &= np.nansum(y[:, columns], axis=1) == 1
    out = np.full(len(y), np.nan)
    loss = binary_loss if len(columns) == 1 else exclusive_loss
    out[known] = loss(logits[known][:, columns], y[known][:, columns])
    return out


def _choose_variants(
    held_out: Mapping[str, np.ndarray], present: np.ndarray, y: np.ndarray, units: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """The simplest variant, unless a richer one has a held-out loss lower by more than one standard error."""
    out = np.zeros(y.shape[1], dtype=np.int64)
    sets = [index for index, held in enumerate(all_sets(present.shape[1])) if held.sum() >= 2]
    for unit in units:
        best, best_loss = 0, None
        for index, name in enumerate(VARIANTS):
            shown = [np.where(_has(present, s), _unit_loss(held_out[name][s], y, unit), np.nan) for s in sets]
            losses = _mean_of_known(np.stack(shown)) if shown else np.zeros(0)
            if best_loss is None:
                best_loss = losses
                continue
            gain = (best_loss - losses)[~np.isnan(losses)]
            if len(gain) > 1 and gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
                best, best_loss = index, losses
        out[list(unit)] = best
    return out


def _mean_of_known(losses: np.ndarray) -> np.ndarray:
    """The mean over the sets (axis 0) of what is known; NaN where nothing is."""
    known = ~np.isnan(losses)
    total = np.where(known, losses, 0.0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(losses.shape[1], np.nan), where=known.any(axis=0))


def _has(present: np.ndarray, index: int) -> np.ndarray:
    """bool (n,): which records have every modality of the set."""
    return (set_index(present) & index) == index


def _keep_single(
    chosen: np.ndarray, present: np.ndarray, y: np.ndarray, units: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """int (2 ** M, T): FUSED, or the modality whose held-out loss alone is lower than the fused loss on that set."""
    out = np.full((len(chosen), y.shape[1]), FUSED)
    for index, held in enumerate(all_sets(present.shape[1])):
        if held.sum() < 2:
            continue
        rows = _has(present, index)
        for unit in units:
            losses = {FUSED: _unit_loss(chosen[index, rows], y[rows], unit)}
            losses |= {m: _unit_loss(chosen[1 << m, rows], y[rows], unit) for m in np.flatnonzero(held).tolist()}
            if (~np.isnan(losses[FUSED])).any():
                out[index, list(unit)] = min(losses, key=lambda m: np.nanmean(losses[m]))
    return out


def _whole(chosen: np.ndarray, single: np.ndarray, present: np.ndarray) -> np.ndarray:
    """float (n, T): the held-out logits with the whole of what each record has."""
    logits = chosen[-1]  # the last set, intersected with the record's own
    alone = single[set_index(present)]
    for m in range(present.shape[1]):
        logits = np.where(alone == m, chosen[1 << m], logits)
    return logits


def _calibrated_rows(present: np.ndarray, unit: Sequence[int]) -> np.ndarray:
    """bool (n,): who is calibrated once more. One modality alone is calibrated already, but as single targets, not as
    the classes of a group."""
    return present.sum(axis=1) >= (2 if len(unit) == 1 else 1)


def _calibrator(
    rule: str,
    unit: Sequence[int],
    fused: np.ndarray,
    present: np.ndarray,
    y: np.ndarray,
    base: np.ndarray,
    folds: np.ndarray,
    limit: np.ndarray,
) -> Calibrator:
    columns = list(unit)
    rows = ~np.isnan(_unit_loss(fused, y, unit)) & _calibrated_rows(present, unit)
    logits, labels = fused[np.ix_(rows, columns)], y[np.ix_(rows, columns)]
    return choose_calibrator(rule, logits, base[columns], labels, folds[rows], limit[columns])
