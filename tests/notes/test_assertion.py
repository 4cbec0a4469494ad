"""Assertion: of which findings a sentence says that they are absent, uncertain, of the past or of the family.

The expectations are a reader's, not the code's. The kinds of cue are those of NegEx (Chapman et al., J. Biomed. Inform.
34(5):301, 2001) and ConText (Harkema et al., J. Biomed. Inform. 42(5):839, 2009).
"""

from __future__ import annotations

import re

import pytest

from multimodal.notes import marked_words
from multimodal.notes.assertion import MARKS, Assertion

# Words that are no finding and say nothing of one: whether a scope takes them is not specified.
_FILLERS = set(
    "a an the this that these it i he she we us his her their which who what as at by for from in of on to with and or"
    " but nor is are was were be been has have had does do did should any both there now then seen noted described"
    " identified present evidence 有 无 为 患 及 下 其".split()
)
_KINDS = ("negated", "uncertain", "past", "family")


def findings(sentence: str, kind: str) -> str:
    """The words of one assertion without the fillers, joined by blanks; CJK characters are joined without."""
    mark = MARKS[Assertion[kind.upper()]]
    bare = [word.removeprefix(mark) for word in marked_words(sentence) if word.startswith(mark)]
    joined = " ".join(word for word in bare if word not in _FILLERS)
    return re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", joined)


def said(sentence: str) -> dict[str, str]:
    return {kind: found for kind in _KINDS if (found := findings(sentence, kind))}


def table(*rows: tuple[str, str, dict[str, str]]):
    """rows: (why this sentence, the sentence, its findings by assertion)."""
    return pytest.mark.parametrize(("sentence", "expected"), [row[1:] for row in rows], ids=[row[0] for row in rows])


@table(
    ("no", "No pneumothorax.", {"negated": "pneumothorax"}),
    ("no evidence of", "There is no evidence of pneumonia.", {"negated": "pneumonia"}),
    ("without", "Small effusion without infiltrate.", {"negated": "infiltrate"}),
    ("denies", "The patient denies chest pain.", {"negated": "chest pain"}),
    ("negative for", "Negative for pneumothorax.", {"negated": "pneumothorax"}),
    ("free of", "The lungs are free of consolidation.", {"negated": "consolidation"}),
    ("clear of", "The lungs are clear of infiltrate.", {"negated": "infiltrate"}),
    ("clear without", "The lungs are clear without effusion.", {"negated": "effusion"}),
    ("absence of", "Absence of edema.", {"negated": "edema"}),
    ("not before an adjective", "Not febrile.", {"negated": "febrile"}),
    ("not before a verb form", "She is not coughing.", {"negated": "coughing"}),
    ("never", "She has never had tuberculosis.", {"negated": "tuberculosis"}),
    ("no longer", "The patient no longer has fever.", {"negated": "fever"}),
    ("does not have", "The patient does not have pneumonia.", {"negated": "pneumonia"}),
    ("an apostrophe in the cue", "The patient doesn't have a fever.", {"negated": "fever"}),
    ("nothing to suggest: absent, not uncertain", "Nothing to suggest pneumonia.", {"negated": "pneumonia"}),
    ("a definite denial stays one", "No definite pneumonia.", {"negated": "definite pneumonia"}),
    ("resolution of", "Interval resolution of the left effusion.", {"negated": "left effusion"}),
    ("capitals", "NO PLEURAL EFFUSION.", {"negated": "pleural effusion"}),
    ("size: the heart is there, its enlargement is not", "The heart is not enlarged.", {"negated": "enlarged"}),
    ("no cue", "Large effusion on the left.", {}),
    ("'no' inside a word", "Nodule in the northern lobe, abnormal notch.", {}),
)
def test_a_cue_before_a_finding_negates_it(sentence, expected):
    assert said(sentence) == expected


@table(
    ("two with or", "No focal infiltrate or effusion.", {"negated": "focal infiltrate effusion"}),
    ("three with commas", "Denies fever, chills and night sweats.", {"negated": "fever chills night sweats"}),
    (
        "three, and the verb at the end",
        "No consolidation, pleural effusion, or pneumothorax is seen.",
        {"negated": "consolidation pleural effusion pneumothorax"},
    ),
    ("neither, nor", "There is neither effusion nor pneumothorax.", {"negated": "effusion pneumothorax"}),
    ("two cues", "No cough, no fever.", {"negated": "cough fever"}),
    (
        "cues on both sides of an 'and'",
        "Patient has cough, denies fever and has no chills.",
        {"negated": "fever chills"},
    ),
)
def test_a_negation_reaches_all_of_a_list(sentence, expected):
    assert said(sentence) == expected


@table(
    ("but", "No pneumothorax, but a small effusion.", {"negated": "pneumothorax"}),
    ("but, of two cues", "No fever, but has a cough and no chills.", {"negated": "fever chills"}),
    ("however", "Denies fever however coughs.", {"negated": "fever"}),
    ("other than", "No effusion other than a trace on the left.", {"negated": "effusion"}),
    ("except for", "No acute disease except for mild edema.", {"negated": "acute disease"}),
    ("although", "No fracture is identified, although there is a nodule.", {"negated": "fracture"}),
    ("there is, after 'and'", "No pneumothorax is seen and there is a small effusion.", {"negated": "pneumothorax"}),
    ("there is, after a comma", "No pneumothorax, there is a small effusion.", {"negated": "pneumothorax"}),
    ("a second clause, verbs in both", "No nodule is seen and the heart is enlarged.", {"negated": "nodule"}),
    ("the negated clause comes second", "There is a small effusion and no pneumothorax.", {"negated": "pneumothorax"}),
    ("persistent", "No pneumothorax with persistent effusion.", {"negated": "pneumothorax"}),
    ("a new subject with a verb", "Cardiomegaly without effusion, and a nodule is seen.", {"negated": "effusion"}),
    ("what is unchanged is there", "No pneumothorax, unchanged small effusion.", {"negated": "pneumothorax"}),
    ("a verb of having", "Denies fever, has a productive cough.", {"negated": "fever"}),
    ("another cue's scope begins", "No infiltrate, no change in effusion.", {"negated": "infiltrate"}),
    ("an uncertain finding", "No effusion, possible pneumonia.", {"negated": "effusion", "uncertain": "pneumonia"}),
)
def test_a_negation_ends_where_another_statement_begins(sentence, expected):
    assert said(sentence) == expected


@table(
    ("is absent", "Pleural effusion is absent.", {"negated": "pleural effusion"}),
    ("is not seen", "Pneumothorax is not seen.", {"negated": "pneumothorax"}),
    ("not seen, no verb", "Effusion not seen.", {"negated": "effusion"}),
    ("is not present", "Pneumothorax is not present.", {"negated": "pneumothorax"}),
    ("is no longer visible", "The opacity is no longer visible.", {"negated": "opacity"}),
    ("has resolved", "The infiltrate has resolved.", {"negated": "infiltrate"}),
    ("have cleared", "The infiltrates have cleared.", {"negated": "infiltrates"}),
    ("has completely resolved", "The pneumothorax has completely resolved.", {"negated": "pneumothorax"}),
    ("was ruled out", "Pneumonia was ruled out.", {"negated": "pneumonia"}),
    ("has been excluded", "Pneumonia has been excluded.", {"negated": "pneumonia"}),
    (": none", "Pleural effusion: none.", {"negated": "pleural effusion"}),
    (": no", "Cough: no", {"negated": "cough"}),
    (": not seen", "Pneumothorax: not seen.", {"negated": "pneumothorax"}),
    ("- none", "Effusion - none.", {"negated": "effusion"}),
    ("one entry of several", "Pleural effusion: none, edema: mild.", {"negated": "pleural effusion"}),
    ("not the entry before", "Effusion: large, pneumothorax: none.", {"negated": "pneumothorax"}),
    ("not before a comma", "Cardiomegaly is present, effusion is absent.", {"negated": "effusion"}),
    ("not before 'and'", "The heart is enlarged and the effusion is no longer seen.", {"negated": "effusion"}),
    ("not before 'but'", "Cardiomegaly persists but the effusion has resolved.", {"negated": "effusion"}),
    ("not after it", "The effusions have resolved and the heart is enlarged.", {"negated": "effusions"}),
)
def test_a_cue_after_a_finding_negates_it(sentence, expected):
    assert said(sentence) == expected


@table(
    ("no change in", "No change in the effusion.", {}),
    ("no interval change in", "No interval change in the effusion.", {}),
    ("without change, and the finding before it", "Effusion without significant change.", {}),
    ("without change, and the finding after it", "Without significant change in the opacity.", {}),
    ("no increase in", "No increase in effusion.", {}),
    ("has not increased", "The effusion has not increased.", {}),
    ("has not resolved", "The pneumonia has not resolved.", {}),
    ("has not cleared", "The pneumonia has not cleared.", {}),
    ("has partially resolved", "The effusion has partially resolved.", {}),
    ("incomplete resolution of", "Incomplete resolution of the effusion.", {}),
    ("not only", "Not only effusion but also edema.", {}),
    ("no doubt", "Without doubt a pneumonia.", {}),
    ("before a true negation", "No change in the effusion, no pneumothorax.", {"negated": "pneumothorax"}),
    ("after a true negation", "No pneumothorax and no change in the effusion.", {"negated": "pneumothorax"}),
)
def test_a_pseudo_negation_leaves_the_finding_as_it_is(sentence, expected):
    assert said(sentence) == expected


@table(
    ("possible", "Possible pneumonia.", {"uncertain": "pneumonia"}),
    ("probable", "Probable lower lobe pneumonia.", {"uncertain": "lower lobe pneumonia"}),
    ("may represent", "Findings may represent pneumonia.", {"uncertain": "represent pneumonia"}),
    ("suggestive of", "Findings are suggestive of pneumonia.", {"uncertain": "pneumonia"}),
    ("suspicious for", "There is an opacity suspicious for malignancy.", {"uncertain": "malignancy"}),
    ("concern for", "Concern for pneumonia.", {"uncertain": "pneumonia"}),
    ("question of", "Question of nodule.", {"uncertain": "nodule"}),
    ("rule out, the question to the reader", "Rule out pneumonia.", {"uncertain": "pneumonia"}),
    ("r/o", "r/o pneumonia", {"uncertain": "pneumonia"}),
    ("evaluate for", "Evaluate for pneumonia.", {"uncertain": "pneumonia"}),
    ("a question mark before", "? pneumonia", {"uncertain": "pneumonia"}),
    ("a question mark before, without a blank", "?pneumonia", {"uncertain": "pneumonia"}),
    ("a question mark after", "Pneumonia?", {"uncertain": "pneumonia"}),
    ("is possible", "Pneumonia is possible.", {"uncertain": "pneumonia"}),
    ("is suspected", "Pneumonia is suspected.", {"uncertain": "pneumonia"}),
    ("cannot be excluded: not absent", "Pneumonia cannot be excluded.", {"uncertain": "pneumonia"}),
    ("cannot be ruled out", "A small effusion cannot be ruled out.", {"uncertain": "small effusion"}),
    ("could not be excluded", "Effusion could not be excluded.", {"uncertain": "effusion"}),
    ("not excluded", "Pneumonia not excluded.", {"uncertain": "pneumonia"}),
    ("cannot exclude", "Cannot exclude pneumonia.", {"uncertain": "pneumonia"}),
    ("cannot rule out", "Cannot rule out pneumonia.", {"uncertain": "pneumonia"}),
    ("both of two alternatives", "Effusion versus atelectasis.", {"uncertain": "effusion atelectasis"}),
    ("not the finding before it", "There is an effusion and possible pneumonia.", {"uncertain": "pneumonia"}),
    ("up to 'but'", "Possible pneumonia, but definite effusion.", {"uncertain": "pneumonia"}),
    ("up to 'there is'", "Possible pneumonia and there is an effusion.", {"uncertain": "pneumonia"}),
    (
        "beside a negated one",
        "Pneumonia cannot be excluded, but there is no effusion.",
        {"uncertain": "pneumonia", "negated": "effusion"},
    ),
    ("is possible: of its own clause", "Effusion is present, and pneumonia is possible.", {"uncertain": "pneumonia"}),
    (
        "cannot be excluded: of its own clause",
        "Effusion is present and pneumonia cannot be excluded.",
        {"uncertain": "pneumonia"},
    ),
)
def test_what_is_in_doubt_is_uncertain(sentence, expected):
    assert said(sentence) == expected


@table(
    ("history of", "History of tuberculosis.", {"past": "tuberculosis"}),
    ("past medical history of", "Past medical history of asthma.", {"past": "asthma"}),
    ("history is significant for", "History is significant for stroke.", {"past": "stroke"}),
    ("status post", "Status post lobectomy.", {"past": "lobectomy"}),
    ("s/p", "s/p CABG", {"past": "cabg"}),
    ("old", "Old rib fractures.", {"past": "rib fractures"}),
    ("prior", "Prior granulomatous disease.", {"past": "granulomatous disease"}),
    ("years ago", "Pneumonia two years ago.", {"past": "pneumonia"}),
    ("up to 'but'", "He has a history of asthma but no cough.", {"past": "asthma", "negated": "cough"}),
    ("a prior film showed", "Prior film showed an effusion.", {"past": "effusion"}),
    ("a prior study demonstrated", "Prior chest radiograph demonstrated cardiomegaly.", {"past": "cardiomegaly"}),
    ("on the prior study there was", "On the prior study there was an effusion.", {"past": "effusion"}),
    ("seen on the prior study", "An effusion was seen on the prior study.", {"past": "effusion"}),
    ("no history of: never had", "No history of asthma.", {"negated": "asthma"}),
    ("denies history of", "Patient denies history of asthma.", {"negated": "asthma"}),
    ("'now' is said of another finding", "History of asthma, now with cough.", {"past": "asthma"}),
)
def test_what_was_before_is_past(sentence, expected):
    assert said(sentence) == expected


@table(
    ("was there, is gone", "Previously seen effusion has resolved.", {"negated": "effusion"}),
    ("was there, is not seen", "Previously noted opacity is not seen.", {"negated": "opacity"}),
    ("gone, and something new", "Previously seen nodule has resolved, but there is edema.", {"negated": "nodule"}),
    ("was there, is there", "Previously seen effusion is unchanged.", {}),
    ("persists", "Previously described effusion persists.", {}),
    ("again seen", "The previously described nodule is again seen.", {}),
    ("a prior study showed what is stable", "Prior CT showed a nodule that is stable.", {}),
    ("compared to", "Compared to prior study, there is a new effusion.", {}),
    ("compared with the previous film of last year", "Compared to the previous film, the effusion is larger.", {}),
    ("than on", "The effusion is larger than on the prior study.", {}),
    ("since", "Unchanged effusion since the prior study.", {}),
    ("new, not seen on prior", "New effusion, not seen on prior exam.", {}),
)
def test_a_comparison_with_an_earlier_study_tells_what_is_there_now(sentence, expected):
    assert said(sentence) == expected


@table(
    ("mother had", "Mother had asthma.", {"family": "asthma"}),
    ("has, of a living one", "Her mother has diabetes.", {"family": "diabetes"}),
    ("father with", "Father with asthma.", {"family": "asthma"}),
    ("the patient's brother", "The patient's brother has asthma.", {"family": "asthma"}),
    ("family history of", "Family history of lung cancer.", {"family": "lung cancer"}),
    ("in the father", "Tuberculosis in the father.", {"family": "tuberculosis"}),
    ("up to the patient", "Family history of diabetes, the patient has hypertension.", {"family": "diabetes"}),
    ("up to 'she has'", "Her father has heart disease and she has chest pain.", {"family": "heart disease"}),
    ("not before it", "Patient with cough whose mother has tuberculosis.", {"family": "tuberculosis"}),
)
def test_what_a_relative_has_is_the_familys(sentence, expected):
    assert said(sentence) == expected


@table(
    ("reports", "Mother reports that the child has fever.", {}),
    ("states", "The father states that he coughs.", {}),
    ("says", "His daughter says he has a fever.", {}),
    ("noticed", "The wife noticed that he was confused.", {}),
    ("brought in", "The mother brought the child in for cough.", {}),
    ("reports what is absent", "The mother reports no cough.", {"negated": "cough"}),
    ("denies for the child", "Mother denies fever.", {"negated": "fever"}),
    ("deny, of two", "Parents deny fever.", {"negated": "fever"}),
    ("noted", "Mother noted a rash.", {}),
    ("told", "His wife told us that he coughs.", {}),
    ("per", "Per her mother, the child coughs.", {}),
    ("according to", "According to the mother, the child has a cough.", {}),
)
def test_a_relative_who_reports_speaks_of_the_patient(sentence, expected):
    assert said(sentence) == expected


CURRENT = {
    "a history of one thing, presenting with another": ("He has a history of asthma and presents with cough.", "cough"),
    "a history of, and 'presenting with'": ("Man with a history of COPD presenting with dyspnea.", "dyspnea"),
    "previously well": ("Previously healthy man with cough.", "cough"),
    "after an operation": ("Status post lobectomy with a new effusion.", "effusion"),
    "when an illness began is no past": ("Cough started one week ago.", "cough"),
    "how long it lasts": ("Cough for two weeks.", "cough"),
    "last year's and this": ("The patient had pneumonia last year and has cough now.", "cough"),
    "who else is at home": ("The patient has a cough and lives with her mother.", "cough"),
}


@pytest.mark.parametrize(("sentence", "finding"), CURRENT.values(), ids=CURRENT)
def test_what_the_patient_has_now_is_affirmed_whatever_stands_before_it(sentence, finding):
    assert finding in marked_words(sentence)


@table(
    ("a list up to the comma", "未见胸腔积液、气胸，左肺结节。", {"negated": "胸腔积液气胸"}),
    ("a list with 及", "无发热及咳嗽", {"negated": "发热咳嗽"}),
    ("an ASCII comma", "无发热,咳嗽三天", {"negated": "发热"}),
    ("up to 但", "没有发热但咳嗽", {"negated": "发热"}),
    ("not heard", "双肺呼吸音清，未闻及啰音。", {"negated": "啰音"}),
    ("denies", "否认高血压、糖尿病。", {"negated": "高血压糖尿病"}),
    ("no history of: never had", "既往无肺结核", {"negated": "肺结核"}),
    ("rules out", "排除肺炎", {"negated": "肺炎"}),
    ("not before a symptom", "不发热", {"negated": "发热"}),
    ("no change", "病灶较前无明显变化。", {}),
    ("has not been absorbed", "积液未吸收", {}),
    ("possible", "可能肺炎。", {"uncertain": "肺炎"}),
    ("suspected", "疑似肺结核", {"uncertain": "肺结核"}),
    ("considered", "考虑肺炎。", {"uncertain": "肺炎"}),
    ("cannot exclude: not absent", "不能排除肺炎。", {"uncertain": "肺炎"}),
    ("does not exclude", "不除外肺炎。", {"uncertain": "肺炎"}),
    ("formerly", "既往有哮喘。", {"past": "哮喘"}),
    ("once had, now another", "曾患肺结核，现咳嗽。", {"past": "肺结核"}),
    ("the father has, the patient another", "父亲患肺癌，患者咳嗽。", {"family": "肺癌"}),
    ("no cue", "左肺下叶结节", {}),
)
def test_chinese_cues_before_a_finding(sentence, expected):
    assert said(sentence) == expected


@table(
    ("to be excluded", "肺炎待排", {"uncertain": "肺炎"}),
    ("cannot be excluded", "肺炎不能排除", {"uncertain": "肺炎"}),
    (": none", "胸腔积液：无", {"negated": "胸腔积液"}),
    ("has been absorbed", "病灶已吸收", {"negated": "病灶"}),
    ("history", "高血压病史", {"past": "高血压"}),
)
def test_chinese_cues_after_a_finding(sentence, expected):
    assert said(sentence) == expected


@table(
    ("cannot exclude, in another word", "无法排除肺炎", {"uncertain": "肺炎"}),
    ("without a cause, there is a cough", "无明显诱因出现咳嗽", {"negated": "明显诱因"}),
    ("non-small-cell lung cancer is one", "非小细胞肺癌", {}),
    ("atypical pneumonia is one", "非典型肺炎", {}),
    ("the mother reports", "母亲诉患儿咳嗽", {}),
)
def test_chinese_words_that_only_look_like_another_cue(sentence, expected):
    assert said(sentence) == expected


def test_a_scope_ends_after_twenty_words():
    """A list without any sign between is seldom longer; what follows is another statement."""
    listed = [f"w{i}" for i in range(30)]

    assert findings("No " + " ".join(listed), "negated").split() == listed[:20]
    assert findings(" ".join(listed) + " is absent", "negated").split() == listed[-20:]


def test_where_scopes_meet_the_stronger_assertion_holds():
    """What a relative has not is still the relative's; what is said to be absent is not merely uncertain or past."""
    assert said("Her mother had no cancer.") == {"family": "cancer"}
    assert said("No possible asthma.") == {"negated": "asthma"}
    assert said("History of possible asthma.") == {"past": "asthma"}
