"""The cues of assertion in English, as patterns: what each says of a finding, and which way it reaches.

A pattern is matched on lower-cased text, between words. The first cue that fits at a place is taken, so what is longer
or means less (pseudo-negation) stands before what is shorter. In patterns, `_` is any blank, STEP any one word that
joins nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BEFORE, AFTER, BOTH, NOWHERE = "before", "after", "both", "nowhere"


class Cue(NamedTuple):
    """says: the name of an Assertion, or NEUTRAL; stands: before the words it reaches, after them, or between them."""

    says: str
    stands: str
    patterns: tuple[str, ...]


STEP = r"(?:(?!and_|or_|nor_|no_|but_|with_|without_)\w+_)"
SEEN = (
    r"(?:seen|identified|present|visuali[sz]ed|visible|demonstrated|evident|appreciated|noted|apparent|found|detected"
    r"|observed|shown|recogni[sz]ed|discernible|discerned|suspected|delineated|there|confirmed|depicted)"
)
BE = r"(?:(?:is|are|was|were|be|been|being|has|have|had|now|since|all|both|completely|entirely|fully|to)_){0,5}"
OLD = r"(?:old|older|prior|previous|earlier|last|outside|preceding|comparison)"
STUDY_NAME = (
    r"(?:(?:chest|ct|x-?ray|portable|outside|comparison|frontal|xxxx)_){0,3}(?:films?|study|studies|radiographs?|exams?"
    r"|examinations?|images?|imaging|x-?rays?|cts?|scans?|comparisons?|reports?|xxxx|tomograms?)"
)
CHANGE = (
    r"(?:increase|decrease|improvement|worsening|progression|resolution|clearing|difference|enlargement|reduction|growth"
    r"|regression|evolution|response|recovery)"
)
CHANGED = (
    r"(?:changed|improved|resolved|cleared|worsened|progressed|decreased|diminished|receded|regressed|disappeared|gone"
    r"|different|moved|evolved|shrunk|resorbed|reabsorbed)"
)
NEUTRAL = "NEUTRAL"  # says nothing, and is no other cue

CUES = (
    Cue("UNCERTAIN", BOTH, (
        rf"(?:cannot|can't|could_not|can_not|not|difficult_to|unable_to|impossible_to|hard_to)_{STEP}{{0,2}}(?:be_)?"
        rf"{STEP}{{0,1}}(?:excluded?|rule_out|ruled_out)",
        r"(?:versus|vs\.?)",
    )),
    # Words that only look like a cue.
    Cue(NEUTRAL, NOWHERE, (
        r"(?:years?|months?|weeks?|days?|yrs?|mos?|year-|month-)_old|year-old|month-old|week-old|day-old",
        r"(?:for_|over_|in_|during_)?the_past_(?:\w+_)?(?:hours?|days?|weeks?|months?|years?)|prior_to|earlier_(?:today"
        r"|this)|(?:for_|over_)?the_(?:last|previous)_(?:\w+_)?(?:hours?|days?|weeks?|months?|years?)",
        r"not_a_candidate|could_not_\w+_because|twin_pregnancy",
    )),
    Cue("SAME", NOWHERE, (
        r"not_(?:improving|resolving|worsening|clearing)|no_(?:worse|larger|smaller|better|bigger)",
        rf"(?:no|not|without|nor|never|little|any|minimal)_{STEP}{{0,3}}?changes?(?:_(?:in|of|to))?",
        rf"(?:no|without|nor|little)_{STEP}{{0,3}}?{CHANGE}_(?:in|of|to|from|since|compared|over|as)",
        rf"(?:no|without|nor|little)_{STEP}{{0,3}}?{CHANGE}(?=\s*(?:[,.;:)]|$))",
        rf"(?:not|never|hasn't|haven't)_{STEP}{{0,2}}?{CHANGED}",
        rf"(?:has|have|had|did|does)_not_{STEP}{{0,2}}?(?:enlarged|increased|grown|enlarge|increase|grow|change|resolve"
        r"|clear|improve)",
        rf"not_{STEP}{{0,1}}?(?:previously|before)_{SEEN}",
        rf"not_{STEP}{{0,1}}?{SEEN}_{STEP}{{0,1}}?(?:previously|before|earlier|on_(?:the_|an?_)?{OLD})",
        r"not_(?:only|just|merely|simply|insignificant|inconsiderable|uncommon|small|negligible|unexpected)",
        r"(?:no|without|little|beyond)_(?:doubt|question)",
        r"(?:partial|incomplete|near|near-complete|nearly|almost|mostly|largely|partially|incompletely|partly|some|slow"
        r"|interval_partial|slowly|gradual|gradually)_(?:complete_|completely_)?"
        r"(?:resolution|clearing|resolved|cleared|resolving)",
        r"unresolved|nonresolving|non-resolving",
        r"(?:previously|otherwise)_(?:healthy|well|fit)",
    )),
    Cue("FAMILY", BEFORE, (
        r"family_(?:history|hx|members?)|fam_hx|familial|maternal|paternal|(?:his|her|the|their|patient's)_family",
        r"(?:step|grand|god)?(?:mother|father|parents?|brothers?|sisters?|siblings?|sons?|daughters?)(?!'s_side)",
        r"aunts?|uncles?|cousins?|nieces?|nephews?|wife|husband|spouse|(?:identical_)?twin_(?:brother|sister)|relatives"
        r"|mom|dad|half-brother|half-sister|first-degree|in-laws?",
    )),
    Cue("NEGATED", AFTER, (
        rf"{BE}(?:non-?visualized|not_{STEP}{{0,2}}?{SEEN}|no_longer_{STEP}{{0,2}}?{SEEN}(?!_an?\b)|ruled_out|gone"
        r"|cleared(?:_up)?|disappeared|vanished|negative|(?:does|do|did)_not_(?:recur|persist|reappear|return)"
        r"|not_(?:recurred|returned|reappeared)|healed|nonexistent|invisible|unseen|remitted|resorbed|reabsorbed)"
        r"(?!_(?:of|for)\b)",
        rf"(?:is|are|was|were|be|been|being|has|have|had)_{BE}(?:absent|excluded|resolved|lacking|missing|denied)(?!_of\b)",
        r"(?:absent|excluded|resolved|denied)(?=\s*(?:[.,;)]|$|and_|or_))",
        r"(?:is|are|was|were|does|do|did)_not(?=\s*(?:[.,;]|$))",
        rf"(?:is|are|was|were)n't_{SEEN}|(?:cannot|can't|could_not)_be_{STEP}{{0,1}}?{SEEN}|fails?_to_appear",
        r"shows?_(?:complete_)?resolution|(?:has|have)_undergone_(?:complete_)?resolution",
    )),
    Cue("PAST", BEFORE, (
        r"(?:past_)?(?:medical_)?(?:history|hx)_(?:is_)?(?:of(?!_present)|significant_for|notable_for|includes?)|h/o|hx"
        r"|prior_history|pmh|(?:known_)?history_(?:remarkable|positive)_for|status_post|s/p",
        rf"(?:{OLD}|remote)_{STEP}{{0,2}}?{STUDY_NAME}_{STEP}{{0,2}}?(?:showed|shows|demonstrated|revealed|described|had"
        r"|documented|reported|depicted|noted|with|of|for)",
        rf"(?:on|at|in)_(?:the_|an?_)?{OLD}_{STEP}{{0,2}}?{STUDY_NAME}\s*,?_(?:there_(?:was|were)|showed)",
    )),
    Cue("PAST", AFTER, (
        rf"(?:{SEEN}|described|reported|documented|treated|diagnosed|known)_(?:only_)?(?:previously|before|earlier"
        rf"|in_the_past|on_(?:the_|an?_|his_|her_)?{OLD}_{STEP}{{0,2}}?{STUDY_NAME})",
        r"(?:many|several|few|\d+|two|three|four|five|six|seven|eight|nine|ten|one|an?)_(?:years?|months?|weeks?)_"
        r"(?:ago|earlier|back)",
        r"in_the_(?:remote_)?past|last_(?:year|month|winter|summer|spring|fall)|in_childhood|as_an?_(?:child|infant)"
        r"|in_(?:19|20)\d\d|by_history",
    )),
    Cue(NEUTRAL, NOWHERE, (
        r"(?:from|to|with|since|than|as|on|versus|relative_to)_(?:the_|an?_|his_|her_)?(?:most_recent_)?"
        rf"{OLD}(?:_{STEP}{{0,2}}?{STUDY_NAME}|(?=\s*(?:[.,;)]|$|with\b|and\b|there\b)))",
        rf"{OLD}_{STEP}{{0,2}}?{STUDY_NAME}",
    )),
    Cue("PAST", BEFORE, (r"previously|previous|prior|formerly|former|past|earlier|old|remote",)),
    Cue("UNCERTAIN", AFTER, (
        r"(?:is|are|remains?|would_be|as|be)_(?:an?_)?(?:also_)?(?:possible|possibility|questionable|suspected|uncertain"
        r"|unlikely|likely|queried|consideration|considered|conceivable|indeterminate|favou?red|equivocal|doubtful"
        r"|suggested|concern)(?=\s*(?:[.,;)]|$|and_|but_|given_|on_|in_|at_))",
        r"questioned|not_certain|(?:is_|are_|be_)?(?:less|more)_likely(?=\s*(?:[.,;)]|$))|(?:be|is|are)_considered",
    )),
    Cue("UNCERTAIN", BEFORE, (
        r"possible|possibly|possibility_of|probable|probably|perhaps|maybe|questionable|questionably|question_of|queried"
        r"|query|consider|question|doubt|less_likely|concerned_(?:for|about)|not_clear_(?:if|whether)|suspicious_for|suspicion_(?:of|for)|suspected|suspect|concern_(?:for|of)|concerning_for|worrisome_for",
        r"may|might|could|suggests?|suggestive_of|suggesting|suggested|suggestion_of|equivocal(?:_for)?|likely|presumably"
        r"|presumed|presumptive|potential|potentially|conceivably|indeterminate|r/o|rule_out|if_any|unlikely|uncertain"
        r"|(?:evaluate|assess|evaluation|assessment)_for|unclear_(?:if|whether)|doubtful|differential|tentative"
        r"|borderline|appears?_to_be|favou?red_to_represent",
    )),
    Cue("NEGATED", BEFORE, (
        r"no_longer|no|not|without|w/o|denies|denied|deny|never|neither|nor|none|negative_for|neg_for"
        r"|free(?:_(?:of|from))?|clear_of|absence_of|absent|lack_of|lacks?|lacking|devoid_of|cannot|fails?_to|failed_to"
        r"|rules_out|ruling_out|excludes?|excluding|nonvisualization_of|non-visualization_of|unremarkable_for|zero"
        r"|(?:complete_|interval_)*(?:resolution|clearing|disappearance)_of|nothing|nowhere|resolved|against",
        r"(?:is|are|was|does|do|did|has|have|ca|wo)n't",
    )),
)  # fmt: skip
# Signs, which stand between no words.
SIGNS = (
    Cue("NEGATED", AFTER, (r"(?:[:=]|\s-)\s*(?:none|no|absent|negative|nil|neg|not_\w+)(?=\s*(?:[.,;]|$))",)),
    Cue("UNCERTAIN", AFTER, (r"\?(?=\s*$)",)),
    Cue("UNCERTAIN", BEFORE, (r"(?<!\w)\?(?=\s*\w)",)),
)

ENDS = (
    r"but|however|except|although|though|apart_from|aside_from|besides|otherwise|which|yet|other_than|whereas|save_for"
    r"|outside_of|beyond|in_addition_to|as_well_as|despite|instead|rather|there_(?:is|are|remains?)|while|then"
    r"|with_(?:an?_)?(?:persistent|residual|persisting|stable|unchanged|new)|followed_by|now(?!_(?:resolved|cleared|absent"
    r"|gone))|who_(?:presents?|presented|has|is)|(?:and_)?(?:presents?|presented|presenting|complains?|complaining)"
    r"|here_(?:with|for)|admitted_(?:with|for)"
)
# What ends the scope of a negation alone: "may be due to edema" doubts the edema too.
ENDS_OF_NEGATION = (
    r"due_to|because|secondary_to|following|positive_for|after|status_post|s/p"
    r"|with_(?:an?_)?(?:small|mild|moderate|large|severe|tiny|trace|minimal|bilateral)"
)
VERBS = (
    r"is|are|was|were|has|have|had|remains?|remained|persists?|persisted|appears?|shows?|showed|demonstrates?|continues?"
    r"|reveals?|obscures?|blunts?|occupies|represents?|stays?|resolved|cleared|cannot|can|could|should|may|might|will"
    r"|elevates?"
)
# A comma before one of these begins another statement; the second unless a list goes on ("or").
STARTS = rf"(?:an?|the|this|these|there|both|it)_|(?:{VERBS})\b"
# These begin one in every case.
REPORTED = r"(?:reports?|reported|endorses?|endorsed|admits?|complains?)_"
STARTS_UNLISTED = (
    r"(?:small|mild|moderate|large|severe|tiny|trace|minimal|bilateral|positive|productive|with|unchanged|stable|persistent|persisting|increas(?:ed|ing)|decreas(?:ed|ing)|improv(?:ed|ing)|worsen(?:ed|ing)"
    r"|new|residual|chronic)_"
)
SUBORDINATE = r"although|though|while|whereas|despite|since|because|if|when|apart_from|aside_from"
PERSISTS = (
    r"persist\w*|recurr\w*|unchanged|stable|again|still|remain\w*|increas\w*|decreas\w*|enlarg\w*|worsen\w*|improv\w*"
    r"|larger|smaller|similar|redemonstrat\w*|re-demonstrat\w*|unresolved|continu\w*|grown|ongoing|residual|current\w*"
    r"|started|began|begun|onset|since"
)
# A relative who tells of the patient, or is only there.
REPORTS = (
    r"_(?:states?|stated|reports?|reported|says?|said|notes?|noted|noticed|thinks?|called|brought|worried|accompanied"
    r"|(?:is_|was_)?present|at_(?:the_)?bedside|gave|describes?|described|feels?|believes?|asks?|informed|den(?:y|ies|ied)"
    r"|declined?|refused?|wants?|agrees?|updated|told|tells?|confirms?|confirmed)\b"
)
REPORTED_BY = (
    r"\b(?:per|according_to|reported_by|history_from|obtained_from|lives?_with|living_with)_"
    r"(?:the_|his_|her_|their_)?$"
)
OWN = (
    r"\b(?:but|however|whereas|while)\b|\b(?:the_|this_|our_)?patient\b(?!'s)|\b(?:he|she)_(?:has|is|had)\b"
    r"|\bpatient's_own\b"
)
IN_RELATIVE = r"\b(?:in|of|by|from|like|with)_(?:(?:the|his|her|their|an?|both|patient's|one)_){0,2}$"


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of this page as a regular expression: `_` is any blank."""
    return re.compile(pattern.replace("_", r"\s+"))
