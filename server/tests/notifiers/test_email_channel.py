"""Alerts by e-mail through real SMTP servers: headers, threads, text and HTML that say the same, and what can go wrong."""

import html.parser
import re
import socket
from datetime import timedelta
from decimal import Decimal

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.interfaces.clock import system_clock
from cost_ops.interfaces.notifications import Message
from cost_ops.notifiers.email_channel import MOST_ADDRESSES, EmailSender
from cost_ops.notifiers.mail_layout import WIDTH_PX, html_of
from cost_ops.notifiers.notices import text_of
from cost_ops.notifiers.rendering import render
from cost_ops.notifiers.smtp import MailServer, SmtpAccount
from tests.notifiers.receivers import HOSTILE, NOW, forty, message, target, trial
from tests.smtp_server import Mailbox, html_in, smtp_server, text_in

PEOPLE = ["ana@example.com", "ben@example.com"]
VOID = {"meta", "br", "img", "hr"}


def sender(port: int, timeout_seconds: float = 10) -> EmailSender:
    account = SmtpAccount("127.0.0.1", port, "", "", "none", "LLM Cost Ops <costs@example.com>")
    return EmailSender(MailServer(account, system_clock, timeout_seconds=timeout_seconds))


def send(mailbox: Mailbox, *messages: Message, addresses: list[str] | None = None) -> None:
    answer = sender(mailbox.port).send(target("email", config={"addresses": addresses or PEOPLE}), messages)
    assert answer.ok, answer.error


class Page(html.parser.HTMLParser):
    """The tags, links and words of a page; tags have to be closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\xa0", " ").split())


def test_people_behind_one_channel_get_one_message_together() -> None:
    with smtp_server() as mailbox:
        send(mailbox, message())
        letter = mailbox.wait(1)
        assert len(mailbox.letters) == 1
    assert letter["To"] == "ana@example.com, ben@example.com"
    assert letter["From"] == "LLM Cost Ops <costs@example.com>"
    assert letter["Subject"] == 'Budget "Research" has reached 75 % of 5,000.00 USD'
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"] == "<dlv_1@example.com>"
    assert letter["List-Id"] == "<ch_1.channels.example.com>"
    assert letter.get_content_type() == "multipart/alternative"


def test_messages_about_one_budget_and_period_are_one_thread() -> None:
    with smtp_server() as mailbox:
        later = message(at=NOW + timedelta(hours=1), threshold=Decimal("0.9"))
        for one in (message(), later, message(number=2), message(period_start="2026-12-01T00:00:00Z")):
            send(mailbox, one)
        first, second, other, next_period = (mailbox.wait(n)["References"] for n in (1, 2, 3, 4))
        assert mailbox.letters[0]["In-Reply-To"] == first
        send(mailbox, message(), message(number=2))
        assert mailbox.wait(5)["References"] is None
    assert first == second
    assert len({first, other, next_period}) == 3
    assert re.fullmatch(r"<budget-[0-9a-f]{32}@example\.com>", first)


@pytest.mark.parametrize(
    "messages",
    [
        [message(url="https://costs.example.com/budgets?a=1&b=2")],
        [message("budget.recovered")],
        [message(number=n, threshold=Decimal(1)) for n in range(3)],
        forty(),
        [trial(note="<b>hello</b> & goodbye")],
    ],
    ids=["one", "recovered", "three", "forty", "test"],
)
def test_text_and_html_say_the_same(messages: list[Message]) -> None:
    notice = render(messages)
    page = Page(html_of(notice))
    assert notice.title in page.text
    for line in filter(None, map(str.strip, text_of(notice).splitlines())):
        label, _, value = line.partition(": ")
        shown = line in page.text or (label in page.text and value in page.text)
        assert shown or ("href", line) in page.attributes, line
    assert f"max-width:{WIDTH_PX}px" in html_of(notice)


def test_html_fetches_nothing_and_runs_nothing() -> None:
    pages = [
        Page(html_of(render([message(budget_name=name, scope={"tag": [name]}, url="https://c.example/b")])))
        for name in HOSTILE
    ]
    for page in pages:
        assert not set(page.tags) & {"script", "img", "link", "iframe", "object", "form", "base", "svg", "a:b"}
        names = {name for name, _ in page.attributes}
        assert not {name for name in names if name.startswith("on") or name in ("src", "background", "srcset")}
        assert {value for name, value in page.attributes if name == "href"} == {"https://c.example/b"}
        assert not [value for name, value in page.attributes if name == "style" and "url(" in str(value)]
    assert len({tuple(page.tags) for page in pages}) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_a_header_or_breaks_one(name: str) -> None:
    with smtp_server() as mailbox:
        hostile = message(budget_name=name, budget_id=name, period_start=name)
        hostile = Message(name, hostile.event, hostile.at, name, name, hostile.data)
        send(mailbox, hostile)
        letter = mailbox.wait(1)
    assert letter["Bcc"] is None
    assert letter["To"] == "ana@example.com, ben@example.com"
    assert len(str(letter["Subject"])) <= 182
    assert re.fullmatch(r"<[A-Za-z0-9._-]+@example\.com>", letter["Message-ID"])
    assert not letter.defects
    assert text_in(letter)
    assert html_in(letter)


def test_unicode_arrives_as_it_was() -> None:
    with smtp_server() as mailbox:
        send(mailbox, message(budget_name="🚀 Größe 研究"))
        letter = mailbox.wait(1)
    for body in (str(letter["Subject"]), text_in(letter), html_in(letter)):
        assert "🚀 Größe 研究" in body


def test_forty_alerts_are_one_message() -> None:
    with smtp_server() as mailbox:
        send(mailbox, *forty())
        letter = mailbox.wait(1)
        assert len(mailbox.letters) == 1
    assert letter["Subject"] == "Acme: 40 budgets, 4 at or over their limit, 36 close to it"
    assert "and 30 more" in text_in(letter)
    assert "and 30 more" in html_in(letter)
    assert len(html_in(letter)) < 100_000  # Gmail cuts off at 102 KB


def test_what_goes_wrong_is_an_answer() -> None:
    to_all = target("email", config={"addresses": PEOPLE})
    with smtp_server() as mailbox:
        mailbox.refuse = "451 try later"
        refused = sender(mailbox.port).send(to_all, [message()])
        port = mailbox.port
    assert not refused.ok
    assert "451 try later" in refused.error
    down = sender(port).send(to_all, [message()])
    assert not down.ok
    assert "did not take the letter" in down.error
    nobody = EmailSender(None).send(to_all, [message()])
    assert nobody.error == "no mail server is set up: set notifications.smtp_host"
    broken = sender(port).send(
        target("email", config={"addresses": ["ana@example.com\r\nBcc: x@example.com"]}), [message()]
    )
    assert not broken.ok
    assert "cannot be written" in broken.error


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = sender(silent.getsockname()[1], 0.2).send(target("email", config={"addresses": PEOPLE}), [message()])
    assert not answer.ok
    assert "timed out" in answer.error


def test_an_address_that_is_refused_does_not_hold_up_the_others() -> None:
    with smtp_server() as mailbox:

        async def handle_RCPT(_server, _session, envelope, address, _options) -> str:
            if address == "ben@example.com":
                return "550 no such user"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        mailbox.handle_RCPT = handle_RCPT  # type: ignore[attr-defined]
        answer = sender(mailbox.port).send(target("email", config={"addresses": PEOPLE}), [message()])
        nobody = sender(mailbox.port).send(target("email", config={"addresses": PEOPLE[1:]}), [message()])
    assert answer.ok
    assert answer.text == "refused for ben@example.com: 550 no such user"
    assert not nobody.ok
    assert "ben@example.com: 550 no such user" in nobody.error


def test_addresses_are_taken_in_their_normal_form_each_once() -> None:
    checked = EmailSender(None).check(
        {"addresses": ["Ana@Example.com ", "ana@example.com", "ben@example.com"], "name": "x"}
    )
    assert checked.config == {"addresses": ["ana@example.com", "ben@example.com"]}
    assert checked.secret == {}
    assert EmailSender(None).check({"addresses": "ana@example.com, ben@example.com"}).config == checked.config
    assert EmailSender(None).check({**checked.config}).config == checked.config


@pytest.mark.parametrize(
    ("addresses", "fields"),
    [
        (None, ["addresses"]),
        ([], ["addresses"]),
        (5, ["addresses"]),
        (["ana", 5, "ok@example.com", "é@example.com"], ["addresses[0]", "addresses[1]", "addresses[3]"]),
        (["a@example.com\r\nBcc: b@example.com"], ["addresses[0]"]),
        ([f"a{n}@example.com" for n in range(MOST_ADDRESSES + 1)], ["addresses"]),
    ],
)
def test_every_problem_with_addresses_is_named(addresses: object, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        EmailSender(None).check({} if addresses is None else {"addresses": addresses})
    assert [problem.field for problem in refused.value.problems] == fields
