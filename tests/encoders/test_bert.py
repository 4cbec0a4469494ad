"""The BERT, compact and from a folder."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from multimodal.encoders.bert import BERT
from multimodal.encoders.pooling import pooled
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
    return Notes.of_texts(texts), y[:, None]


@pytest.fixture(scope="module")
def fitted(reports):
    inputs, y = reports
    return BERT(**QUICK, device="cpu").fit(inputs, ["effusion"], y, np.arange(160), random_state=0)


def test_it_learns_the_finding(fitted, reports):
    inputs, y = reports

    assert roc_auc_score(y[:, 0], fitted.encode(inputs).log_odds[:, 0]) > 0.99


def test_a_note_of_other_words_is_stranger_than_all_reports_and_no_note_has_no_novelty(fitted, reports, tmp_path):
    usual = fitted.encode(reports[0]).novelty["embedding"]
    notes = Notes.of_texts(["Mix two eggs with flour, milk and sugar, and bake.", "The lungs are clear."], [0, 2], n=3)
    found = fitted.encode(notes).novelty["embedding"]
    fitted.save(tmp_path)

    assert found[0] > usual.max()
    assert_array_equal(np.isnan(found), [False, True, False])
    assert_array_equal(BERT.load(tmp_path, device="cpu").encode(notes).novelty["embedding"], found)


def test_the_finding_in_the_last_sentence_of_a_long_note_counts(fitted):
    """2,000 sentences, some 10,000 tokens: nothing is cut off, and the last one is heard."""
    long = " ".join(FILLER * 500)
    notes = Notes.of_texts([long, f"{long} Large pleural effusion."])
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
    found = fitted.encode(Notes.of_texts(["Large pleural effusion."], [1], 3))

    assert found.present.tolist() == [False, True, False]
    assert np.isnan(found.log_odds[[0, 2]]).all()


def test_no_note_at_all_is_no_error(fitted):
    assert not fitted.encode(Notes.of_texts([], [], 2)).present.any()


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


def test_a_name_on_the_hub_is_fetched_only_where_the_network_is_allowed(monkeypatch):
    """The library's own switch keeps this test off the network."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError) as refused:
        BERT(checkpoint="nobody/no-such-bert", device="cpu").check()
    with pytest.raises(UsageError) as unreachable:
        BERT(checkpoint="nobody/no-such-bert", download=True, device="cpu").check()

    assert str(refused.value) == (
        "notes.checkpoint: there is no folder nobody/no-such-bert; a name is fetched from the hub only with "
        "notes.download=true"
    )
    assert str(unreachable.value).startswith("notes.checkpoint: nobody/no-such-bert cannot be fetched: ")


@pytest.fixture
def checkpoint(fitted, tmp_path):
    """A whole folder of a small BERT."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=len(fitted.tokenizer_), num_hidden_layers=1, num_attention_heads=2, hidden_size=32,
        intermediate_size=64,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path / "whole")
    fitted.tokenizer_.save_pretrained(tmp_path / "whole")
    return tmp_path / "whole"


def checked(folder) -> str:
    with pytest.raises(UsageError) as refused:
        BERT(checkpoint=str(folder), device="cpu").check()
    return str(refused.value).replace(str(folder), "FOLDER")


def test_damaged_weights_are_refused(checkpoint):
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    assert checked(checkpoint).startswith("notes.checkpoint: FOLDER cannot be read: ")


def test_weights_of_another_model_are_refused_and_not_filled_up_at_random(checkpoint):
    config = checkpoint / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'))

    assert checked(checkpoint) == (
        "notes.checkpoint: FOLDER lacks weights, the first of them encoder.layer.1.attention.output.LayerNorm.bias: "
        "is config.json of another model?"
    )


def test_a_checkpoint_without_its_tokenizer_is_refused(checkpoint):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink(missing_ok=True)

    message = "notes.checkpoint: FOLDER holds no tokenizer (tokenizer.json or vocab.txt or vocab.json)"
    assert checked(checkpoint) == message


def test_a_checkpoint_in_half_precision_is_read_in_full(checkpoint):
    import transformers

    transformers.AutoModel.from_pretrained(checkpoint).half().save_pretrained(checkpoint)

    _, bert = BERT(checkpoint=str(checkpoint), device="cpu")._fresh([])
    assert {parameter.dtype for parameter in bert.parameters()} == {torch.float32}


def test_a_window_longer_than_the_checkpoint_reads_is_refused(fitted, tmp_path):
    """RoBERTa counts positions from behind its padding token: 64 of them read 62 tokens."""
    import transformers

    config = transformers.RobertaConfig(
        vocab_size=len(fitted.tokenizer_), num_hidden_layers=1, num_attention_heads=2, hidden_size=32,
        intermediate_size=64, max_position_embeddings=64, pad_token_id=1,
    )  # fmt: skip
    transformers.RobertaModel(config).save_pretrained(tmp_path)
    fitted.tokenizer_.save_pretrained(tmp_path)

    BERT(checkpoint=str(tmp_path), length=62, device="cpu").check()
    with pytest.raises(UsageError, match=r"^notes.length is 63, but the model of .* reads at most 62 tokens$"):
        BERT(checkpoint=str(tmp_path), length=63, device="cpu").check()


def test_what_was_learnt_without_labels_is_where_the_training_starts(reports, tmp_path):
    inputs, y = reports
    encoder = BERT(**QUICK, pretraining=3, device="cpu")
    losses = encoder.pretrain(inputs, tmp_path, random_state=0)

    begun = BERT(**QUICK, start=tmp_path, device="cpu")
    tokenizer, bert = begun._fresh(inputs.text)

    written = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, written[name]) for name, tensor in bert.state_dict().items() if name in written)
    assert len(losses) == encoder.pretraining_steps(inputs) == 3
    assert tokenizer.get_vocab() == encoder._fresh(inputs.text)[0].get_vocab()
    assert len(written) > 10
    model = begun.fit(inputs, ["effusion"], y, np.arange(160), random_state=0)
    assert roc_auc_score(y[:, 0], model.encode(inputs).log_odds[:, 0]) > 0.99


def test_the_assertion_of_a_word_reaches_the_network(fitted):
    """The same tokens, but for the cue's: what differs is what the words are said to be."""
    encoder = BERT(**QUICK, device="cpu")
    texts = ["Large effusion.", "No large effusion.", "Effusion is absent.", "Possible effusion."] * 40
    y = (np.arange(160) % 4 == 0).astype(float)[:, None]
    model = encoder.fit(Notes.of_texts(texts), ["effusion"], y, np.arange(160), random_state=0)

    ids = torch.tensor([model.tokenizer_("large effusion.")["input_ids"]])
    mask = torch.ones_like(ids)
    affirmed, negated = (model.network_.sentences(ids, mask, torch.full_like(ids, mark)) for mark in (0, 3))
    context = torch.zeros(1, model.context_.width)
    assert model.network_.answers(affirmed, context)[0] > model.network_.answers(negated, context)[0] + 1


def test_chinese_notes_are_learnt():
    texts = [
        "右侧胸腔积液。心影不大。",
        "左侧少量胸腔积液。",
        "未见胸腔积液。心影不大。",
        "无胸腔积液，心影增大。",
    ] * 40
    y = np.array([1.0, 1.0, 0.0, 0.0] * 40)[:, None]
    model = BERT(**QUICK, device="cpu").fit(Notes.of_texts(texts), ["effusion"], y, np.arange(160), random_state=0)

    found = model.encode(Notes.of_texts(["双侧胸腔积液。", "双侧未见胸腔积液。"])).log_odds[:, 0]
    assert found[0] > 0 > found[1]


def test_how_many_chunks_were_read_of_each_note_is_said(fitted):
    notes = Notes.of_texts(["The lungs are clear. Heart size is normal.", "Cough.", "word " * 300], [0, 0, 2], 3)

    facts = fitted.encode(notes).facts

    assert [(row, found["chunks_used"]) for row, _, found in facts] == [
        (0, "2"),
        (0, "1"),
        (2, "4"),
    ]  # 300 tokens, windows of 94 that overlap by 16


def test_several_notes_are_pooled_as_one_long_note_is(fitted):
    apart = Notes.of_texts(["The lungs are clear.", "Large pleural effusion."], [0, 0], 1)
    whole = Notes.of_texts(["The lungs are clear. Large pleural effusion."])

    assert_allclose(fitted.encode(apart).log_odds, fitted.encode(whole).log_odds, atol=1e-5)


def test_attention_pooling_by_hand():
    """Record 0: log-odds 2 and 4 with attention ln 3 and 0, so (3 * 2 + 4) / 4; record 1: one chunk."""
    log_odds, attention = torch.tensor([[2.0], [4.0], [-1.0]]), torch.tensor([[np.log(3.0)], [0.0], [5.0]])

    assert_allclose(pooled(log_odds, attention, torch.tensor([0, 0, 1]), 2), [[2.5], [-1.0]], rtol=1e-6)
