"""Telling people in Microsoft Teams, through a Workflows webhook: an Adaptive Card.

What comes from outside stands in text runs, which know no Markdown; a mention would need an entity, and there is none.
A post is kept well below the 28 KB that Teams takes: what matters least is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cost_ops.domain.notifications import Severity
from cost_ops.interfaces.notifications import Answer, Checked, Message, Target
from cost_ops.notifiers.json_posts import encoded, post_json, secret_url
from cost_ops.notifiers.notices import Notice, Section
from cost_ops.notifiers.plain_words import drawn
from cost_ops.notifiers.rendering import render

MOST_BYTES = 20_000
_STYLES = {Severity.INFO: "good", Severity.WARNING: "warning", Severity.CRITICAL: "attention"}
_EXAMPLE = "https://….api.powerplatform.com/powerautomate/…/triggers/manual/paths/invoke?…"


class TeamsSender:
    """Posts to the workflow of a channel."""

    fields = frozenset({"url"})

    def __init__(self, *, private: bool = False) -> None:
        """`private` allows addresses that are not public."""
        self._private = private

    def check(self, document: Mapping[str, Any]) -> Checked:
        """The workflow's URL. Raises InvalidInput."""
        return secret_url(document, private=self._private, example=_EXAMPLE)

    def send(self, target: Target, messages: Sequence[Message]) -> Answer:
        """Post one message."""
        return post_json(str(target.secret.get("url", "")), payload(render(messages)), private=self._private)


def payload(notice: Notice) -> dict[str, Any]:
    """The message as a workflow takes it; sections, then facts, are left out until it is small enough."""
    message = _message(notice)
    while len(encoded(message)) > MOST_BYTES and len(notice.sections) > 1:
        notice = replace(notice, sections=notice.sections[:-1], more=notice.more + 1)
        message = _message(notice)
    while len(encoded(message)) > MOST_BYTES and (facts := notice.sections[0].facts):
        notice = replace(notice, sections=(replace(notice.sections[0], facts=facts[:-1]),))
        message = _message(notice)
    return message


def _message(notice: Notice) -> dict[str, Any]:
    several = len(notice.sections) > 1 or bool(notice.more)
    body = [_banner(notice), *(_container(section, titled=several) for section in notice.sections)]
    end = " ".join(filter(None, (notice.more_line, notice.footer)))
    body.append(_text(_run(end, isSubtle=True, size="Small"), spacing="Medium"))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": notice.title,
        "msteams": {"width": "Full"},
        "body": body,
    }
    if notice.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in LLM Cost Ops", "url": notice.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "summary": notice.title, "attachments": [attachment]}


def _banner(notice: Notice) -> dict[str, Any]:
    title = _text(_run(notice.title, weight="Bolder", size="Large"))
    return {"type": "Container", "style": _STYLES[notice.severity], "bleed": True, "items": [title]}


def _container(section: Section, *, titled: bool) -> dict[str, Any]:
    items = [_text(_run(section.title, weight="Bolder"))] if titled else []
    if section.used is not None:
        items.append(_text(_run(drawn(section.used), color=_STYLES[section.severity].capitalize()), spacing="Small"))
    items += [_text(_run(line), spacing="Small") for line in section.lines]
    items += [
        _text(_run(f"{label}: ", isSubtle=True), _run(value), spacing="Small" if n else "Medium")
        for n, (label, value) in enumerate(section.facts)
    ]
    if titled and section.link:
        open_it = {"type": "Action.OpenUrl", "title": "Open", "url": section.link}
        items.append({"type": "ActionSet", "actions": [open_it], "spacing": "Small"})
    return {"type": "Container", "separator": titled, "spacing": "Medium", "items": items}


def _text(*runs: dict[str, Any], **look: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs), **look}


def _run(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **look}
