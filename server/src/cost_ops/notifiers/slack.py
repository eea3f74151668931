"""Telling people in Slack, through an incoming webhook: Block Kit, with the same as text for notifications.

What comes from outside stands in `plain_text` objects and is escaped, so that no name is a mention, a link or bold.
Limits as Slack documents them: 50 blocks, 150 characters in a header, 3,000 in a section, 10 fields of 2,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cost_ops.domain.notifications import Severity
from cost_ops.interfaces.notifications import Answer, Checked, Message, Target
from cost_ops.notifiers.json_posts import post_json, secret_url
from cost_ops.notifiers.notices import Notice, Section
from cost_ops.notifiers.plain_words import drawn
from cost_ops.notifiers.rendering import render

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELD_LIMIT = 2000
MOST_FIELDS = 10
_MARKS = {Severity.INFO: "🟢", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class SlackSender:
    """Posts to the incoming webhook of a channel."""

    fields = frozenset({"url"})

    def __init__(self, *, private: bool = False) -> None:
        """`private` allows addresses that are not public."""
        self._private = private

    def check(self, document: Mapping[str, Any]) -> Checked:
        """The webhook's URL. Raises InvalidInput."""
        return secret_url(document, private=self._private, example="https://hooks.slack.com/services/…")

    def send(self, target: Target, messages: Sequence[Message]) -> Answer:
        """Post one message."""
        return post_json(str(target.secret.get("url", "")), payload(render(messages)), private=self._private)


def payload(notice: Notice) -> dict[str, Any]:
    """The message as Slack takes it."""
    title = f"{_MARKS[notice.severity]} {notice.title}"
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(title, HEADER_LIMIT)}]
    several = len(notice.sections) > 1
    for section in notice.sections:
        blocks += _blocks(section, titled=several)
    end = " ".join(filter(None, (notice.more_line, notice.footer)))
    blocks.append({"type": "context", "elements": [_plain(end, FIELD_LIMIT)]})
    text = "\n".join([title, *(section.lines[0] for section in notice.sections if section.lines)])
    return {"text": escaped(text, SECTION_LIMIT), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def escaped(text: str, limit: int) -> str:
    """Text in which nothing is a control sequence of Slack's, cut so that it fits when it is escaped.

    >>> escaped("<!channel> R&D", 40), escaped("&&&", 11)
    ('&lt;!channel&gt; R&amp;D', '&amp;&amp;…')
    """
    whole = "".join(_ENTITIES.get(char, char) for char in text)
    if len(whole) <= limit:
        return whole
    kept, length = [], 1
    for char in text:
        piece = _ENTITIES.get(char, char)
        length += len(piece)
        if length > limit:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, limit), "emoji": False}


def _blocks(section: Section, *, titled: bool) -> list[dict[str, Any]]:
    lines = [f"{_MARKS[section.severity]} {section.title}"] if titled else []
    if section.used is not None:
        lines.append(drawn(section.used))
    block: dict[str, Any] = {"type": "section", "text": _plain("\n".join([*lines, *section.lines]), SECTION_LIMIT)}
    if section.facts:
        fields = [_plain(f"{label}:\n{value}", FIELD_LIMIT) for label, value in section.facts[:MOST_FIELDS]]
        block["fields"] = fields
    if not section.link:
        return [block]
    # A button would need an app that answers clicks; an address that is escaped and holds no bar is a link only.
    link = f"<{escaped(section.link.replace('|', '%7C'), FIELD_LIMIT)}|Open in LLM Cost Ops>"
    return [block, {"type": "context", "elements": [{"type": "mrkdwn", "text": link, "verbatim": True}]}]
