"""The BERT, compact and from a folder."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from multimodal.encoders.bert import BERT, pooled
from multimodal.learning.loop import Schedule
from multimodal.notes import Notes
from multimodal.records import UsageError

QUICK = {"layers": 1, "width": 64, "schedule": Schedule(epochs=1, min_steps=120, max_steps=120, learning_rate=2e-3)}
FILLER = ["The lungs are clear.", "Heart size is normal.", "No pneumothorax.", "Bony structures are intact."]


@pytest.fixture(scope="module")
def reports():
    """160 notes of three sentences; half of them tell of an effusion, in any place."""
    rng = np.random.default_rng(0)
    y = (np.arange(160) % 2).astype(float)
    texts = []
    for row in range(160):
        parts = list(rng.permutation(FILLER)[:2])
        parts.insert(rng.integers(3), "Large pleural effusion." if y[row] else "The trachea is midline.")
        texts.append(" ".join(parts))
    return Notes(np.arange(160), texts, [], 160), y[:, None]


@pytest.fixture(scope="module")
def fitted(reports):
    inputs, y = reports
    return BERT(**QUICK, device="cpu").fit(inputs, ["effusion"], y, np.arange(160), random_state=0)


def test_it_learns_the_finding(fitted, reports):
    inputs, y = reports

    assert roc_auc_score(y[:, 0], fitted.encode(inputs).log_odds[:, 0]) > 0.99


def test_the_finding_in_the_last_sentence_of_a_long_note_counts(fitted):
    """2,000 sentences, some 10,000 tokens: nothing is cut off, and the last one is heard."""
    long = " ".join(FILLER * 500)
    notes = Notes(np.array([0, 1]), [long, f"{long} Large pleural effusion."], [], 2)
    plain, found = fitted.encode(notes).log_odds[:, 0]

    assert found > plain


def test_a_records_log_odds_do_not_depend_on_its_neighbours(fitted, reports):
    inputs, _ = reports
    alone = np.concatenate([fitted.encode(inputs.take(np.array([row]))).log_odds for row in (0, 7, 159)])

    assert_allclose(alone, fitted.encode(inputs).log_odds[[0, 7, 159]], atol=1e-5)


def test_saved_and_loaded_it_says_the_same_to_the_bit(fitted, reports, tmp_path):
    fitted.save(tmp_path)
    loaded = BERT.load(tmp_path, device="cpu")

    assert_array_equal(loaded.encode(reports[0]).log_odds, fitted.encode(reports[0]).log_odds)


def test_a_record_without_a_note_is_absent(fitted):
    found = fitted.encode(Notes(np.array([1]), ["Large pleural effusion."], [], 3))

    assert found.present.tolist() == [False, True, False]
    assert np.isnan(found.log_odds[[0, 2]]).all()


def test_no_note_at_all_is_no_error(fitted):
    assert not fitted.encode(Notes(np.zeros(0, np.int64), [], [], 2)).present.any()


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert", "ModernBert"])
def test_any_bert_family_folder_is_fine_tuned_saved_and_loaded(family, fitted, reports, tmp_path):
    """Small checkpoints with random weights, in the form in which the families are published."""
    import transformers

    names = {"vocab_size": len(fitted.tokenizer_), "num_hidden_layers": 1, "num_attention_heads": 2}
    names |= {"hidden_size": 32, "intermediate_size": 64, "pad_token_id": 0}
    if family == "DistilBert":
        names = {"vocab_size": len(fitted.tokenizer_), "n_layers": 1, "n_heads": 2, "dim": 32, "hidden_dim": 64}
    if family == "ModernBert":
        names |= {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = getattr(transformers, f"{family}Config")(**names)
    getattr(transformers, f"{family}Model")(config).save_pretrained(tmp_path / "checkpoint")
    fitted.tokenizer_.save_pretrained(tmp_path / "checkpoint")
    inputs, y = reports
    schedule = Schedule(epochs=1, max_steps=3, learning_rate=5e-4, batch_size=16)
    options = {"checkpoint": str(tmp_path / "checkpoint"), "schedule": schedule, "device": "cpu"}
    model = BERT(**options).fit(inputs, ["effusion"], y, np.arange(160), random_state=0)
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")

    loaded = BERT.load(tmp_path / "saved", device="cpu")
    assert_array_equal(loaded.encode(inputs).log_odds, model.encode(inputs).log_odds)


def test_a_folder_that_is_no_checkpoint_is_refused(reports, tmp_path):
    inputs, y = reports
    with pytest.raises(
        UsageError, match=r"notes.checkpoint: .* holds no config.json; give the folder of a BERT-family"
    ):
        BERT(checkpoint=str(tmp_path), device="cpu").fit(inputs, ["effusion"], y, np.arange(160), random_state=0)


def test_attention_pooling_by_hand():
    """Record 0: log-odds 2 and 4 with attention ln 3 and 0, so (3 * 2 + 4) / 4; record 1: one chunk."""
    log_odds, attention = torch.tensor([[2.0], [4.0], [-1.0]]), torch.tensor([[np.log(3.0)], [0.0], [5.0]])

    assert_allclose(pooled(log_odds, attention, torch.tensor([0, 0, 1]), 2), [[2.5], [-1.0]], rtol=1e-6)
