"""The page's server: this machine only by default, nothing from outside, no public interface."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .private import UPLOAD_BYTES

# The browser itself refuses whatever would come from, or go to, another place.
HEADERS = {
    "content-security-policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; form-action 'self'; "
    "base-uri 'self'; object-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class WithHeaders:
    """Adds HEADERS to every response of `app`."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        await self.app(scope, receive, with_headers)


def launch(page: gr.Blocks, *, host: str, port: int | None) -> str:
    """Serve `page` in the background; returns its address. Raises OSError if the port is taken."""
    theme = gr.themes.Default(
        primary_hue="cyan", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        share=False,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        max_file_size=UPLOAD_BYTES,
        state_session_capacity=64,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        run_history=False,
        footer_links=[],
        theme=theme,
        css_paths=Path(__file__).with_name("style.css"),
        app_kwargs={"middleware": [Middleware(WithHeaders)], "docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    return address
