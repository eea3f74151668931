"""Letters through real SMTP servers: in the clear, with STARTTLS, with a log-in, and when something is wrong."""

import datetime
import ipaddress
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cost_ops.domain.errors import Unavailable
from cost_ops.domain.letters import Letter, LetterKind
from cost_ops.domain.sessions import INVITE_TIME, RESET_TIME
from cost_ops.interfaces.clock import system_clock
from cost_ops.notifiers.letters import html_of, text_of, worded
from cost_ops.notifiers.outbox import MOST_WAITING, Outbox
from cost_ops.notifiers.smtp import Security, SmtpAccount, SmtpMailer
from tests.smtp_server import Mailbox, html_in, smtp_server, text_in

LETTER = Letter(LetterKind.RESET, "ana@example.com", "https://costs.example.com", "the-secret", RESET_TIME)


def account(mailbox: Mailbox, security: Security = "none", user: str = "", password: str = "") -> SmtpAccount:
    return SmtpAccount("127.0.0.1", mailbox.port, user, password, security, "LLM Cost Ops <costs@example.com>")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that its own key has signed, and that key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_letter_has_text_and_html_that_say_the_same() -> None:
    with smtp_server() as mailbox:
        SmtpMailer(account(mailbox), system_clock).send(LETTER)
        letter = mailbox.wait(1)
    assert letter["To"] == "ana@example.com"
    assert letter["Subject"] == "Set a new password for LLM Cost Ops"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@example.com>")
    for body in (text_in(letter), html_in(letter)):
        assert "https://costs.example.com/reset-password#token=the-secret" in body
        assert "--token the-secret" in body
        assert "30 minutes" in body


def test_a_server_that_asks_for_encryption_and_a_log_in_gets_both(certificate: Path) -> None:
    login = ("robot", "its password")
    with smtp_server(tls=serving(certificate), login=login) as mailbox:
        mailer = SmtpMailer(
            account(mailbox, "starttls", *login), system_clock, lambda: ssl.create_default_context(cafile=certificate)
        )
        mailer.send(LETTER)
        assert mailbox.wait(1)["To"] == "ana@example.com"
        wrong = SmtpMailer(
            account(mailbox, "starttls", "robot", "guess"),
            system_clock,
            lambda: ssl.create_default_context(cafile=certificate),
        )
        with pytest.raises(Unavailable) as refused:
            wrong.send(LETTER)
        assert "guess" not in refused.value.message


def test_a_certificate_that_nobody_vouches_for_is_not_believed(certificate: Path) -> None:
    with smtp_server(tls=serving(certificate)) as mailbox:
        with pytest.raises(Unavailable, match="did not take the letter"):
            SmtpMailer(account(mailbox, "starttls"), system_clock).send(LETTER)
        assert mailbox.letters == []


def test_a_server_without_encryption_gets_nothing_where_it_is_asked_for() -> None:
    with smtp_server() as mailbox:
        for security in ("starttls", "tls"):
            with pytest.raises(Unavailable):
                SmtpMailer(account(mailbox, security), system_clock).send(LETTER)
        assert mailbox.letters == []


def test_what_the_server_says_is_told_and_the_secret_is_not() -> None:
    with smtp_server() as mailbox:
        mailbox.refuse = "550 no such user here"
        with pytest.raises(Unavailable, match="550 no such user here") as refused:
            SmtpMailer(account(mailbox), system_clock).send(LETTER)
        assert "the-secret" not in str(refused.value.message)
    with pytest.raises(Unavailable, match="did not take the letter"):
        SmtpMailer(account(mailbox), system_clock).send(LETTER)


@pytest.mark.parametrize("kind", LetterKind)
def test_every_letter_is_worded_and_escaped(kind: LetterKind) -> None:
    letter = Letter(kind, "ana@example.com", "https://costs.example.com", "", INVITE_TIME, '<b onclick="x">org</b>')
    assert "\n" not in worded(letter).subject
    assert "<b onclick" not in html_of(letter)
    assert "https://costs.example.com" in text_of(letter)
    assert "token" not in text_of(letter)
    assert "http" not in html_of(letter).replace("https://costs.example.com", "")


def test_letters_do_not_show_their_secret() -> None:
    assert "the-secret" not in repr(LETTER)
    with smtp_server() as mailbox:
        assert "its password" not in repr(account(mailbox, "none", "robot", "its password"))


def test_work_that_fails_does_not_stop_the_next(caplog: pytest.LogCaptureFixture) -> None:
    outbox, done = Outbox(), []

    def fail() -> None:
        raise Unavailable("no such server")

    def break_down() -> None:
        raise ZeroDivisionError

    for work in (fail, break_down, lambda: done.append(1)):
        outbox.post(work)
    outbox.close()
    assert done == [1]
    assert "no such server" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_queue_has_an_end() -> None:
    outbox, gate = Outbox(), threading.Event()

    def wait() -> None:
        gate.wait(30)

    for _ in range(MOST_WAITING):
        outbox.post(wait)
    with pytest.raises(Unavailable):
        outbox.post(lambda: None)
    gate.set()
    outbox.close()
