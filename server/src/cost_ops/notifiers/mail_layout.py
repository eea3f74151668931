"""A notice as HTML for mail clients: tables and inline styles, nothing that is fetched, legible in the dark.

What a client takes away still reads: the bar is a table with a background, its number stands beside it as text.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from cost_ops.domain.notifications import Severity
from cost_ops.notifiers.notices import Notice, Section

WIDTH_PX = 600
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_TABLE = 'role="presentation" cellpadding="0" cellspacing="0" border="0"'
_COLOURS = {Severity.INFO: "#1a7f4b", Severity.WARNING: "#b45309", Severity.CRITICAL: "#c0262d"}
_WORDS = {Severity.INFO: "For your information", Severity.WARNING: "Warning", Severity.CRITICAL: "Critical"}

# Clients without media queries show the light colours that stand inline.
_STYLE = """
:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.page{background:#15181d !important}
.card{background:#1f242b !important;border-color:#39414b !important}
.strong{color:#f2f4f7 !important}
.text{color:#d5dae1 !important}
.quiet{color:#a3adb9 !important}
.line{border-color:#39414b !important}
.rest{background:#39414b !important}
.link{color:#8ab8ff !important}
}
@media (max-width:480px){
.pad{padding-left:16px !important;padding-right:16px !important}
.outer{padding:0 !important}
.card{border-radius:0 !important;border-left:0 !important;border-right:0 !important}
}
"""


def html_of(notice: Notice) -> str:
    """The message as a page."""
    rows = [_heading(notice), *(_section(notice, section) for section in notice.sections)]
    if notice.more_line:
        rows.append(_row(_text(notice.more_line, "quiet", "#4b5563", "font-size:15px")))
    title = escape(notice.title)
    hidden = "display:none;max-height:0;overflow:hidden;mso-hide:all"
    preheader = escape(notice.sections[0].lines[0]) if notice.sections[0].lines else title
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>{title}</title><style>{_STYLE}</style></head>
<body class="page" style="margin:0;padding:0;background:#f3f4f6;{_FONT}">
<div style="{hidden}">{preheader}</div>
<table {_TABLE} width="100%" class="page" style="background:#f3f4f6"><tr>
<td align="center" class="outer" style="padding:24px 12px">
<table {_TABLE} width="100%" class="card" style="max-width:{WIDTH_PX}px;background:#ffffff;\
border:1px solid #dfe3e8;border-radius:8px">
{"".join(rows)}
</table>
<table {_TABLE} width="100%" style="max-width:{WIDTH_PX}px"><tr>
<td class="pad quiet" style="padding:14px 28px 20px;font-size:13px;line-height:1.5;color:#5b6570;text-align:left">\
{escape(notice.footer)}</td></tr></table>
</td></tr></table>
</body></html>
"""


def _heading(notice: Notice) -> str:
    colour = _COLOURS[notice.severity]
    label = (
        f'<span style="display:inline-block;background:{colour};color:#ffffff;font-size:12px;font-weight:600;'
        f'line-height:1;padding:5px 9px;border-radius:10px">{_WORDS[notice.severity]}</span>'
    )
    style = "margin:10px 0 0;font-size:20px;line-height:1.35;font-weight:600;color:#111827;word-break:break-word"
    title = f'<h1 class="strong" style="{style}">{_shown(notice.title)}</h1>'
    return _row(label + title, f"padding:24px 28px {4 if len(notice.sections) == 1 else 16}px")


def _section(notice: Notice, section: Section) -> str:
    alone = len(notice.sections) == 1
    parts = []
    if not alone:
        style = "margin:0 0 6px;font-size:16px;line-height:1.4;font-weight:600;color:#111827;word-break:break-word"
        parts.append(f'<h2 class="strong" style="{style}">{_shown(section.title)}</h2>')
    if section.used is not None:
        parts.append(_bar(section.used, section.severity))
    parts += [_text(line, "text", "#374151", "font-size:15px") for line in section.lines]
    if section.facts:
        parts.append(_facts(section.facts))
    if section.link:
        parts.append(_link(section.link, button=alone))
    line = "" if alone else ";border-top:1px solid #e5e8ec"
    return _row("".join(parts), f"padding:16px 28px{line}", "pad line")


def _bar(used: int, severity: Severity) -> str:
    """How much is used, drawn and said."""
    full = min(max(used, 0), 100)
    colour = _COLOURS[severity]
    cell = "height:12px;font-size:0;line-height:12px"
    done = f'<td width="{full}%" style="width:{full}%;background:{colour};{cell};border-radius:6px">&nbsp;</td>'
    rest = f'<td style="{cell}">&nbsp;</td>' if full < 100 else ""
    return (
        f'<table {_TABLE} width="100%" style="margin:4px 0 10px"><tr>'
        f'<td style="vertical-align:middle"><table {_TABLE} width="100%" class="rest" '
        f'style="background:#e3e7ec;border-radius:6px;table-layout:fixed">'
        f"<tr>{done if full else ''}{rest}</tr></table></td>"
        f'<td width="64" class="strong" style="width:64px;padding-left:10px;font-size:16px;font-weight:600;'
        f'color:#111827;text-align:right;white-space:nowrap">{used:,}&nbsp;%</td></tr></table>'
    )


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    left = "padding:6px 12px 6px 0;font-size:14px;line-height:1.4;color:#5b6570;vertical-align:top;width:34%"
    right = "padding:6px 0;font-size:14px;line-height:1.4;color:#111827;vertical-align:top;word-break:break-word"
    line = "border-top:1px solid #e5e8ec"
    rows = [
        f'<tr><td class="quiet line" style="{left};{line}">{_shown(label)}</td>'
        f'<td class="strong line" style="{right};{line}">{_shown(value)}</td></tr>'
        for label, value in facts
    ]
    return f'<table {_TABLE} width="100%" style="margin:10px 0 4px">{"".join(rows)}</table>'


def _link(url: str, *, button: bool) -> str:
    target = escape(url, quote=True)
    if not button:
        style = "font-size:14px;color:#0b57d0;text-decoration:underline"
        return f'<p style="margin:6px 0 2px"><a class="link" href="{target}" style="{style}">Open</a></p>'
    style = (
        "display:inline-block;background:#0b57d0;color:#ffffff;font-size:15px;font-weight:600;"
        "padding:11px 20px;border-radius:6px;text-decoration:none"
    )
    return f'<p style="margin:16px 0 8px"><a href="{target}" style="{style}">Open in LLM Cost Ops</a></p>'


def _text(text: str, name: str, colour: str, more: str) -> str:
    style = f"margin:0 0 8px;line-height:1.5;color:{colour};word-break:break-word;{more}"
    return f'<p class="{name}" style="{style}">{_shown(text)}</p>'


def _shown(text: str) -> str:
    """Text as HTML; a number stays with its percent sign."""
    return escape(text).replace(" %", "&nbsp;%")


def _row(inner: str, style: str = "padding:14px 28px", name: str = "pad") -> str:
    return f'<tr><td class="{name}" style="{style};text-align:left">{inner}</td></tr>\n'
