"""The cues of assertion in Chinese, as cues.py for English. Coarse: tried on sentences, not measured on a corpus."""

from __future__ import annotations

import re

from .cues import AFTER, BEFORE, BOTH, NOWHERE, Cue

CUES = (
    # Words that only look like a cue, and relatives who tell of the patient.
    Cue("NEUTRAL", NOWHERE, (
        "非小细胞|非典型|非实性|不慎|较前吸收|无力|不张|不适|不规则|不清|不明|不良|不全|不均|不齐|不稳|不典型|不足|不同",
        "(?:父亲|母亲|父母|家人|家属|家长|妻子|丈夫)(?:代?诉|述|称|发现|陪同|告知)",
    )),
    Cue("SAME", NOWHERE, ("(?:未见|无|没有|未)(?:明显|显著)?(?:变化|改变|吸收|好转|消散)",)),
    Cue("UNCERTAIN", BOTH, ("(?:不能?|无法|难以|尚不能)(?:完全)?(?:除外|排除)|待除外",)),
    Cue("UNCERTAIN", AFTER, ("待排查?|可能(?=[，,。；;]|$)|可能性大|不能确定|待查",)),
    Cue("NEGATED", AFTER, ("[：:]\\s*(?:无|未见|阴性)(?=[，,。；;、]|$)", "已?(?:完全)?(?:消失|吸收|痊愈|消散)")),
    Cue("NEGATED", BEFORE, ("未见|未闻|未及|未触及|未发现|未提示|没有|否认|不伴|不考虑|排除|除外|无|未|不|非",)),
    Cue("UNCERTAIN", BEFORE, ("可能|疑似|考虑|疑|或许|倾向",)),
    Cue("PAST", AFTER, ("病史|史(?=[，,。；;、]|$)",)),
    Cue("PAST", BEFORE, ("既往|曾|以前|往年",)),
    Cue("FAMILY", BEFORE, ("父亲|母亲|父母|兄弟|姐妹|哥哥|姐姐|弟弟|妹妹|祖父|祖母|家族|家人|亲属|儿子|女儿",)),
)  # fmt: skip
PATTERN = re.compile("|".join(f"(?P<c{i}>{'|'.join(cue.patterns)})" for i, cue in enumerate(CUES)))
CLAUSE = re.compile(r"[，,；;。：:\n]|但是?|然而|(?<=诱因)")
