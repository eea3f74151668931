"""Waking people through PagerDuty, Events API v2: one incident for a budget and period, which ends when it recovers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cost_ops.domain.alert_events import ACKNOWLEDGED, RECOVERED
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.periods import format_instant
from cost_ops.interfaces.notifications import Answer, Checked, Message, Target
from cost_ops.notifiers.budget_words import EVENTS, speaker_of
from cost_ops.notifiers.json_posts import post_json
from cost_ops.notifiers.plain_words import plain
from cost_ops.notifiers.posting import TIMEOUT_SECONDS
from cost_ops.notifiers.rendering import grouped, section_of

SERVERS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
SUMMARY_LIMIT = 1024
_KEY = re.compile(r"[A-Za-z0-9]{32}\Z")
_ACTIONS = {RECOVERED: "resolve", ACKNOWLEDGED: "acknowledge"}


class PagerDutySender:
    """Sends events with the `routing_key` of a channel to PagerDuty's servers in its `region`."""

    fields = frozenset({"routing_key", "region"})

    def __init__(self, servers: Mapping[str, str] = SERVERS, *, private: bool = False) -> None:
        """`servers` are the base URLs by region; `private` allows addresses that are not public."""
        self._servers = dict(servers)
        self._private = private

    def check(self, document: Mapping[str, Any]) -> Checked:
        """The key and the region. Raises InvalidInput with every problem."""
        problems: list[Problem] = []
        key, region = document.get("routing_key"), document.get("region") or "us"
        if key is None:
            message = "routing_key is required: the integration key of an Events API v2 integration"
            problems.append(Problem("routing_key", "missing_required_field", message))
        elif not isinstance(key, str) or not _KEY.match(key):
            message = "routing_key must be the 32 letters and digits of an Events API v2 integration key"
            problems.append(Problem("routing_key", "invalid_value", message))
        if not isinstance(region, str) or region not in SERVERS:
            message = f"region must be one of {', '.join(SERVERS)}; got {str(region)[:40]!r}"
            problems.append(Problem("region", "invalid_value", message))
        if problems:
            raise InvalidInput(problems)
        return Checked({"region": region, "key_ends": str(key)[-4:]}, {"routing_key": key})

    def send(self, target: Target, messages: Sequence[Message]) -> Answer:
        """Send what became of each budget; what was sent before is the same incident if it is sent again."""
        url = self._servers.get(str(target.config.get("region", "us")), self._servers["us"]) + "/v2/enqueue"
        key = str(target.secret.get("routing_key", ""))
        groups = grouped(messages)
        answer = Answer(False, error="there is nothing to send")
        for group in groups:
            answer = post_json(
                url, event_of(group, key), private=self._private, timeout_seconds=TIMEOUT_SECONDS / len(groups)
            )
            if not answer.ok:
                break
        return answer


def event_of(group: Sequence[Message], routing_key: str) -> dict[str, Any]:
    """What PagerDuty takes for all that happened to one thing."""
    section = section_of(group)
    message = speaker_of(group) if group[0].event in EVENTS else group[0]
    action = _ACTIONS.get(message.event, "trigger")
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": _incident(section.key or f"{message.organization_id}/{message.delivery_id}"),
    }
    if action != "trigger":
        return event
    organization = plain(message.organization_name or message.organization_id)
    details = {"message": " ".join(section.lines), **dict(section.facts)}
    event["payload"] = {
        "summary": plain(f"{section.title} ({organization})", SUMMARY_LIMIT),
        "source": organization,
        "severity": str(section.severity),
        "timestamp": format_instant(message.at),
        "component": "budget" if section.key else "cost-ops",
        "class": message.event,
        "custom_details": details,
    }
    event["client"] = "LLM Cost Ops"
    if section.link:
        event["client_url"] = section.link
        event["links"] = [{"href": section.link, "text": "Open in LLM Cost Ops"}]
    return event


def _incident(key: str) -> str:
    """What an incident goes by: at most 255 characters, whatever the parts are."""
    return f"cost-ops-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:40]}"
