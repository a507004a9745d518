"""A digest as an HTML document that stands alone."""

from __future__ import annotations

from markupsafe import Markup

from bots.web.site import ENVIRONMENT, read_static
from core.chat.message import Message


def render_html(message: Message) -> str:
    """Return a message as an HTML document that needs nothing else, its style within it."""
    title = " · ".join(filter(None, (message.heading, "paperboy")))
    page = ENVIRONMENT.get_template("document.html").render(
        message=message,
        title=f"SAMPLE · {title}" if message.sample else title,
        style=Markup(read_static("style.css")),  # noqa: S704 - our own file, and `<style>` knows no entities
    )
    # Half a surrogate pair can stand in scraped text, and cannot be sent.
    return page.encode("utf-8", "replace").decode()
