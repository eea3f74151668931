"""The wording of letters, as plain text and as HTML that says the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from html import escape

from cost_ops.domain.letters import Letter, LetterKind


@dataclass(frozen=True, slots=True)
class Wording:
    """A letter's subject, its paragraphs, and what stands on the button to its link."""

    subject: str
    before: tuple[str, ...]
    button: str
    after: tuple[str, ...]


def worded(letter: Letter) -> Wording:
    """What a letter says."""
    return _WORDINGS[letter.kind](letter)


def _reset(letter: Letter) -> Wording:
    return Wording(
        "Set a new password for LLM Cost Ops",
        ("Someone, probably you, asked for a new password for this address.",),
        "Set a new password",
        (
            f"The link is good once, for {_for_people(letter.valid_for)}. A new password ends all log-ins.",
            "If it was not you, do nothing: your password stays as it is.",
        ),
    )


def _invite(letter: Letter) -> Wording:
    return Wording(
        f"You are invited to {letter.organization} on LLM Cost Ops",
        (f"You were made a member of the organisation {letter.organization}. Set a password to log in.",),
        "Set your password",
        (
            f"The link is good once, for {_for_people(letter.valid_for)}.",
            "If you do not know what this is, do nothing.",
        ),
    )


def _joined(letter: Letter) -> Wording:
    return Wording(
        f"You are now a member of {letter.organization} on LLM Cost Ops",
        (f"You were made a member of the organisation {letter.organization}. Log in with the password you have.",),
        "Open LLM Cost Ops",
        ("If you do not know what this is, do nothing.",),
    )


def _changed(_letter: Letter) -> Wording:
    return Wording(
        "Your LLM Cost Ops password was changed",
        ("The password for this address was changed, and other log-ins were ended.",),
        "Open LLM Cost Ops",
        ("If it was not you, ask for a new password at once and tell your administrator.",),
    )


def _channel_disabled(letter: Letter) -> Wording:
    return Wording(
        f"{letter.organization} on LLM Cost Ops: notifications to {letter.about} are turned off",
        (
            f"The channel {letter.about} of the organisation {letter.organization} was turned off,"
            " and is told nothing any more.",
            f"The reason: {letter.reason}",
        ),
        "Open LLM Cost Ops",
        ("Put right what is wrong, send it a test message, then turn it on again.",),
    )


_WORDINGS = {
    LetterKind.RESET: _reset,
    LetterKind.INVITE: _invite,
    LetterKind.JOINED: _joined,
    LetterKind.PASSWORD_CHANGED: _changed,
    LetterKind.CHANNEL_DISABLED: _channel_disabled,
}


def _for_people(time: timedelta) -> str:
    minutes = time // timedelta(minutes=1)
    return f"{time.days} days" if time.days else f"{minutes} minutes"


def command(letter: Letter) -> str:
    """How the same is done on the command line; empty where the letter has no token."""
    if not letter.token:
        return ""
    return f"cost-ops auth reset-password --api-url {letter.public_url} --token {letter.token}"


def text_of(letter: Letter) -> str:
    """The letter as plain text."""
    words = worded(letter)
    parts = [*words.before, f"{words.button}:\n{letter.link}"]
    if line := command(letter):
        parts.append(f"Or on the command line:\n{line}")
    return "\n\n".join([*parts, *words.after]) + "\n"


def html_of(letter: Letter) -> str:
    """The letter as HTML: no pictures, no scripts, nothing that is fetched."""
    words = worded(letter)
    link = escape(letter.link, quote=True)
    style = "background:#0b5fff;color:#ffffff;padding:12px 20px;border-radius:6px;text-decoration:none"
    parts = [
        *(f"<p>{escape(text)}</p>" for text in words.before),
        f'<p style="margin:24px 0"><a href="{link}" style="{style}">{escape(words.button)}</a></p>',
        f'<p style="font-size:13px">{link}</p>',
    ]
    if line := command(letter):
        pre = "white-space:pre-wrap;word-break:break-all;background:#f3f4f6;padding:10px;font-size:12px"
        parts.append(f'<p>Or on the command line:</p><pre style="{pre}">{escape(line)}</pre>')
    parts += [f"<p>{escape(text)}</p>" for text in words.after]
    body = "\n".join(parts)
    look = "font-family:system-ui,sans-serif;line-height:1.5;color:#111827;max-width:560px;margin:0 auto;padding:16px"
    return f'<!doctype html>\n<html lang="en"><body style="{look}">\n{body}\n</body></html>\n'
