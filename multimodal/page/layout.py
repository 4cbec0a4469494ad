"""The page's components and what their events call. One module knows gradio's components: this one."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import gradio as gr

from ..model import ClinicalModel
from ..model.watch import Watch
from ..records import ItemError, MeasurementKind, RecordError, span
from ..sources import Cohort
from .answer_html import NOTICE, START, about_html, answer_html, codes_html, mistakes_html, preview_html
from .answering import Filled, answer, learnt_codes, look_at, newer_measurements
from .examples import Example, ready_examples, warm_up
from .private import Picture, take_upload

NAMED_FIELDS = 8
OWN_FIELDS = 40
EMPTY_ROWS = 3
COLUMNS = ("Measurement", "Value", "Unit", "Hours")
TRAINED_ON = "The model was trained on some of these patients: of them it is too sure."
PRIVATE = {"api_visibility": "private"}


class Form:
    """What the events call, without gradio: text and pictures in, HTML out.

    codes  the measurements with a field of their own: the first few of the package's table, and the model's own, whose
           codes nobody else knows
    """

    def __init__(self, model: ClinicalModel):
        self.model = model
        learnt = learnt_codes(model)
        own = [code for code in learnt if code in model.own_measurements_]
        self.codes = [code for code in learnt if code not in own][:NAMED_FIELDS] + own[:OWN_FIELDS]
        # The encoders are shared: two answers at a time would not be quicker, and torch counts its threads globally.
        self._one_at_a_time = threading.Lock()

    def choose(self, upload: Mapping | None) -> tuple[Picture | None, str]:
        """An upload as a picture in memory, and its preview; a bad one gives a sentence."""
        if upload is None:
            return None, ""
        try:
            picture = take_upload(upload)
        except ItemError as error:
            return None, preview_html(None, [error.at("images[0]")])
        return picture, preview_html(*look_at(self.model, picture))

    def score(self, filled: Filled, watch: Watch | None = None) -> tuple[str, Picture | None]:
        """The answer's HTML, and what stays of the picture: nothing of an upload.

        watch: knows what this person's form got before
        """
        watch = watch or self.model.watch()
        left = None if filled.picture is not None and filled.picture.uploaded else filled.picture
        try:
            with self._one_at_a_time:
                prediction, places = answer(self.model, filled, watch)
        except RecordError as error:
            places = [place for place, _ in filled.measurements(self.model.table)]
            return mistakes_html(error.problems, places), filled.picture
        change = newer_measurements(watch)
        return answer_html(self.model, prediction, places, deleted=left is not filled.picture, change=change), left


def layout(model: ClinicalModel, cohort: Cohort | None) -> gr.Blocks:
    """The page of `model`, with ready examples out of `cohort`."""
    form = Form(model)
    examples = ready_examples(model, cohort) if cohort is not None else []
    if not examples:
        warm_up(model)
    table = model.table
    with gr.Blocks(title="multimodal-clinical", analytics_enabled=False, delete_cache=(60, 600)) as page:
        gr.HTML(f"<div class='mm-notice' role='note'>{NOTICE}</div>", elem_id="mm-notice")
        gr.HTML(
            "<h1>multimodal-clinical</h1><p class='mm-quiet'>A radiograph, a note, measurements: give what there is. "
            f"This model reads {', '.join(model.modalities)}.</p>",
            elem_id="mm-title",
        )
        picture = gr.State(None, time_to_live=600)
        watching = gr.State(None, time_to_live=600)
        with gr.Row(elem_id="mm-examples", visible=bool(examples)):
            buttons = [gr.Button(example.title, size="sm", min_width=120) for example in examples]
        if any(example.trained_on for example in examples):
            gr.HTML(
                "<p class='mm-quiet'>The model was trained on patients of these examples: of them it is too sure.</p>"
            )
        with gr.Row(equal_height=False):
            with gr.Column(min_width=280):
                upload = gr.File(
                    label="Radiograph (DICOM, picture; up to 32 MiB)",
                    height=165,
                    elem_id="mm-upload",
                )
                preview = gr.HTML("", elem_id="mm-preview")
                note = gr.Textbox(label="Note", lines=4, max_lines=8, placeholder="Findings, history, course")
                with gr.Row():
                    age = gr.Textbox(label="Age, years", max_lines=1, min_width=100)
                    choices = [("unknown", ""), ("female", "female"), ("male", "male"), ("other", "other")]
                    sex = gr.Dropdown(choices, value="", label="Sex", min_width=100)
                with gr.Row(elem_id="mm-fields"):
                    fields = [_field(table[code]) for code in form.codes]
                rows = gr.Dataframe(
                    [[""] * len(COLUMNS)] * EMPTY_ROWS,
                    headers=list(COLUMNS),
                    type="array",
                    datatype="str",
                    interactive=True,
                    column_count=(len(COLUMNS), "fixed"),
                    max_height=260,
                    label="Other or earlier measurements (hours before now are negative; empty: now)",
                    column_widths=["40%", "20%", "20%", "20%"],
                    buttons=[],
                )
                with gr.Row():
                    clear = gr.Button("Empty the form", variant="secondary", min_width=120)
                    go = gr.Button("Score", variant="primary", min_width=120, elem_id="mm-score")
            with gr.Column(min_width=280):
                shown = gr.HTML(START, elem_id="mm-shown")
        with gr.Accordion("About this model", open=False):
            gr.HTML(about_html(model))
        with gr.Accordion("Measurements that this model learnt from", open=False):
            gr.HTML(codes_html(learnt_codes(model), table))

        inputs = [watching, picture, note, age, sex, rows, *fields]
        answered = [shown, picture, preview, watching]
        filling = [picture, preview, note, age, sex, rows, *fields]

        def score(watch, picture, note, age, sex, rows, *texts):
            watch = watch or model.watch()
            typed = dict(zip(form.codes, (text or "" for text in texts), strict=True))
            cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
            said, left = form.score(Filled(picture, note or "", age or "", sex or None, typed, cells), watch)
            return said, left, (gr.skip() if left is picture else ""), watch

        def fill(example: Example):
            filled = example.filled
            cells = [list(row) for row in filled.rows] or [[""] * len(COLUMNS)] * EMPTY_ROWS
            seen = preview_html(*look_at(model, filled.picture)) if filled.picture is not None else ""
            return filled.picture, seen, filled.note, filled.age_years, filled.sex or "", cells, *[""] * len(fields)

        upload.upload(form.choose, upload, [picture, preview], preprocess=False, **PRIVATE).then(
            lambda: None, None, upload, **PRIVATE
        )
        go.click(score, inputs, answered, **PRIVATE)
        for button, example in zip(buttons, examples, strict=True):
            button.click(lambda chosen=example: fill(chosen), None, filling, **PRIVATE).then(
                score, inputs, answered, **PRIVATE
            )
        nothing = Example("", Filled(), False)
        clear.click(lambda: (*fill(nothing), START, None), None, [*filling, shown, watching], **PRIVATE)
    return page.queue(max_size=16, default_concurrency_limit=2, api_open=False)


def _field(kind: MeasurementKind) -> gr.Textbox | gr.Dropdown:
    """Where a value is typed, or, of a flag or a category, chosen."""
    label = f"{kind.display}{f', {kind.unit}' if kind.unit not in ('', '1') else ''}"
    if kind.kind == "quantity":
        return gr.Textbox(label=label, placeholder=span(kind), min_width=120, max_lines=1)
    choices = [("no", "0"), ("yes", "1")] if kind.kind == "flag" else [(level, level) for level in kind.categories]
    return gr.Dropdown([("unknown", ""), *choices], value="", label=label, min_width=120)
