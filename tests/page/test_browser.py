"""The page served, and driven in a real browser once."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from multimodal import page
from multimodal.page import private
from multimodal.page.answer_html import NOTICE
from multimodal.page.private import UPLOAD_BYTES
from multimodal.records import UsageError


@pytest.fixture(scope="module")
def address(model, cohort):
    """The address of the page, served while these tests run; afterwards its folder is gone."""
    served = page.build(model, cohort)
    folder = private.open_private_folder()
    yield page.start(served)
    served.close(verbose=False)
    private.remove_private_folder()
    assert not folder.exists()


@pytest.fixture
def left():
    """The files that lie in the private folder, whenever it is called."""
    return lambda: [path for path in private.open_private_folder().rglob("*") if path.is_file()]


def test_a_visitor_clicks_an_example_and_uploads_a_text_file(address, chromium, left, tmp_path):
    visit = chromium.new_page(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    visit.on("request", lambda request: asked.append(request.url))
    visit.goto(address)
    # The page is put together piece by piece: wait_for fails where a piece has not come to be seen in 30 s.
    visit.get_by_text(NOTICE).first.wait_for(state="visible")
    visit.get_by_text("Or click one of the ready examples.").wait_for(state="visible")
    visit.wait_for_selector("#mm-score")

    assert visit.get_by_label("Age, years").input_value() == ""
    visit.get_by_role("button", name="All: image + notes + vitals").click()
    visit.wait_for_selector("#mm-shown tr[data-target] .mm-share")
    shares = [float(text) for text in visit.locator("#mm-shown .mm-share").all_inner_texts()]
    assert len(shares) == 3
    assert all(0 < share < 1 for share in shares)
    assert visit.locator("#mm-shown figure img").count() == 3
    assert visit.locator("#mm-preview img").count() == 1

    visit.get_by_role("button", name="Empty the form").click()
    visit.wait_for_selector("#mm-shown .mm-start")
    text = tmp_path / "radiograph.png"
    text.write_text("this is no picture")
    visit.set_input_files("#mm-upload input[type=file]", text)
    visit.wait_for_selector("#mm-preview p")
    assert "The image: the content is text." in visit.locator("#mm-preview").inner_text()
    visit.get_by_role("button", name="Score").click()
    visit.wait_for_selector("#mm-shown .mm-problems")
    answered = visit.locator("#mm-shown").inner_text()
    assert "No answer." in answered
    assert "NOT_AN_IMAGE" in answered
    assert "Traceback" not in visit.content()
    assert visit.get_by_text(NOTICE).first.is_visible()

    assert left() == []
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}


def test_the_server_refuses_large_uploads_outside_pages_and_a_public_interface(address, left):
    with httpx.Client(base_url=address, trust_env=False) as client:
        headers = client.get("/").headers
        large = client.post("/gradio_api/upload", files={"files": ("x.dcm", bytes(UPLOAD_BYTES + 1))})
        functions = client.get("/gradio_api/info").json()
        docs = client.get("/docs")

    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http:" not in headers["content-security-policy"]
    assert large.status_code == 413
    assert functions["named_endpoints"] == {}
    assert docs.status_code == 404
    assert left() == []


def test_a_port_that_is_taken_is_said_so(address, model):
    port = urlsplit(address).port
    second = page.build(model)

    with pytest.raises(UsageError, match=f"the page cannot be served at 127.0.0.1:{port}: it is taken"):
        page.start(second, port=port)
