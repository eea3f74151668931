"""What a message to people says: the words for one budget, for many, for anything else, whatever the names are."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cost_ops.domain.notifications import Severity
from cost_ops.interfaces.notifications import Message
from cost_ops.notifiers.notices import text_of
from cost_ops.notifiers.plain_words import amount, drawn, on_day, percent, plain, share, time_left
from cost_ops.notifiers.rendering import MOST_SECTIONS, render
from tests.notifiers.receivers import HOSTILE, NOW, forty, message, trial


def only(*messages: Message) -> str:
    return render(messages).sections[0].lines[0]


def test_an_alert_says_how_much_how_long_and_what_comes_of_it() -> None:
    notice = render([message()])
    assert notice.title == 'Budget "Research" has reached 75 % of 5,000.00 USD'
    assert notice.severity is Severity.WARNING
    assert notice.sections[0].used == 76
    assert notice.sections[0].lines == (
        'Budget "Research" has used 76 % of 5,000.00 USD in 2026-11: 3,812.40 USD spent, 9 days left; '
        "at this rate 100 % on the 28th.",
    )
    assert "Spent: 3,812.40 USD of 5,000.00 USD (76 %)" in text_of(notice)


@pytest.mark.parametrize(
    ("data", "title", "severity"),
    [
        ({"threshold": Decimal("0.5")}, 'Budget "Research" has reached 50 % of 5,000.00 USD', Severity.INFO),
        ({"threshold": Decimal(1), "current_spend": Decimal(5000)}, 'Budget "Research" has reached 5,000.00 USD', Severity.CRITICAL),
        ({"threshold": Decimal(1), "current_spend": Decimal("5000.01")}, 'Budget "Research" is over 5,000.00 USD', Severity.CRITICAL),
        ({"enforcement": "hard", "current_spend": Decimal(5000)}, 'Budget "Research" has reached 75 % of 5,000.00 USD', Severity.CRITICAL),
        ({"event": "budget.forecast_exceeded"}, 'Budget "Research" is heading over 5,000.00 USD', Severity.WARNING),
        ({"event": "budget.recovered"}, 'Budget "Research" is back below 75 % of 5,000.00 USD', Severity.INFO),
        ({"event": "budget.escalated"}, 'Not acknowledged: budget "Research" has reached 75 % of 5,000.00 USD', Severity.WARNING),
        ({"event": "budget.acknowledged"}, 'Budget "Research": alert acknowledged', Severity.INFO),
    ],
)  # fmt: skip
def test_every_event_of_a_budget_has_its_title_and_severity(data: dict, title: str, severity: Severity) -> None:
    notice = render([message(**data)])
    assert (notice.title, notice.severity) == (title, severity)
    assert title in text_of(notice)


def test_what_is_short_of_a_limit_never_reads_as_if_it_had_reached_it() -> None:
    short = only(message(current_spend=Decimal("4999.9999999999")))
    assert "has used 99 % of 5,000.00 USD" in short
    assert "4,999.99 USD spent" in short
    over = only(message(limit=Decimal("0.001"), current_spend=Decimal("0.00100004"), currency="EUR"))
    assert "has used 100 % of 0.001 EUR" in over
    assert "0.001 EUR spent" in over
    assert "0.00000004 EUR over" in over


def test_what_qualifies_the_number_is_said_with_it() -> None:
    notice = render(
        [
            message(
                "budget.escalated",
                enforcement="hard",
                current_spend=Decimal(6000),
                threshold=Decimal(1),
                fired_at="2026-11-20T09:30:00Z",
                unpriced_requests=1200,
                late=True,
                held=Decimal("120.5"),
                scope={"project": ["research", "search"], "model": ["gpt-5"]},
            )
        ]
    )
    said = text_of(notice)
    assert "1,000.00 USD over" in said
    assert "Nobody has acknowledged the alert of 20 November 2026 09:30 UTC." in said
    assert "Its limit is hard: nothing more can be reserved from it in this period." in said
    assert "1,200 requests have no known price and are not in this." in said
    assert "Part of this came in late" in said
    assert "Reserved: 120.50 USD" in said
    assert "Counts: project: research, search; model: gpt-5" in said


def test_who_acknowledged_an_alert_and_what_they_said_is_told() -> None:
    said = text_of(render([message("budget.acknowledged", acknowledged_by="ana@example.com", comment="on it")]))
    assert "ana@example.com has seen it: on it" in said
    assert "at this rate" not in said


def test_days_are_those_of_the_budgets_zone() -> None:
    tokyo = only(message(timezone="Asia/Tokyo", projected_exceeded_at="2026-11-28T16:00:00Z"))
    assert tokyo.endswith("at this rate 100 % on the 29th.")
    unknown = only(message(timezone="Mars/Base", projected_exceeded_at="2026-11-28T16:00:00Z"))
    assert unknown.endswith("at this rate 100 % on the 28th.")


def test_the_highest_threshold_of_a_budget_speaks_and_the_lower_are_mentioned() -> None:
    half, most = message(threshold=Decimal("0.5")), message(threshold=Decimal("0.9"), current_spend=Decimal(4600))
    notice = render([half, most, message()])
    assert notice.title == 'Budget "Research" has reached 90 % of 5,000.00 USD'
    assert "It has also passed 50 % and 75 %." in notice.sections[0].lines
    assert len(notice.sections) == 1


def test_what_came_last_decides_whether_the_news_is_good() -> None:
    later = NOW + timedelta(minutes=1)
    fell = message("budget.recovered", at=later, current_spend=Decimal(3000))
    assert render([fell, message()]).severity is Severity.INFO
    rose = message(at=later, threshold=Decimal("0.9"))
    assert render([message("budget.recovered"), rose]).title.startswith('Budget "Research" has reached 90 %')
    assert render([message(), message("budget.acknowledged", at=later)]).title.endswith("alert acknowledged")
    both = [message("budget.recovered", threshold=Decimal(n) / 100) for n in (90, 75)]
    assert "below 75 %" in render(both).title


def test_another_period_of_a_budget_is_told_by_itself() -> None:
    notice = render([message(), message(period_start="2026-10-01T00:00:00Z", period_label="2026-10")])
    assert len(notice.sections) == 2
    assert notice.sections[0].key != notice.sections[1].key


def test_forty_alerts_are_one_message_that_names_ten() -> None:
    notice = render(forty())
    assert notice.title == "Acme: 40 budgets, 4 at or over their limit, 36 close to it"
    assert notice.severity is Severity.CRITICAL
    assert len(notice.sections) == MOST_SECTIONS
    assert [section.severity for section in notice.sections[:5]] == [Severity.CRITICAL] * 4 + [Severity.WARNING]
    assert notice.more_line == "and 30 more"
    assert "and 30 more" in text_of(notice)
    assert text_of(notice).count("has used") == MOST_SECTIONS


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_line_turns_the_text_or_goes_on_for_ever(name: str) -> None:
    notice = render([message(budget_name=name, period_label=name, scope={"project": [name]}, currency=name)])
    for text in (notice.title, *notice.sections[0].lines, *(v for fact in notice.sections[0].facts for v in fact)):
        assert text.isprintable() or "\u2068" in text
        assert not set("\r\n\x00\x1b\u202e\u2066\ud800") & set(text)
        assert len(text) < 700
        text.encode("utf-8")


def test_a_name_from_right_to_left_does_not_move_what_stands_beside_it() -> None:
    assert plain("مشروع 5") == "\u2068مشروع 5\u2069"
    assert plain("Research") == "Research"


def test_what_is_missing_or_odd_is_left_out_and_nothing_breaks() -> None:
    bare = Message("d", "budget.threshold_exceeded", NOW, "org_1", "", {})
    assert render([bare]).organization == "org_1"
    odd = message(
        current_spend="much", limit=Decimal("NaN"), threshold=None, period_end=5, scope=[1], url="javascript:x"
    )
    assert render([odd]).sections[0].used is None
    assert render([odd]).sections[0].link == ""
    zero = message(limit=Decimal(0), current_spend=Decimal(1))
    assert "100 %" in only(zero)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://",
        "https://a b",
        "//x",
        "https://é.example",
        5,
        "http://[",
        "https://x/" + "y" * 600,
    ],
)
def test_only_a_plain_web_address_becomes_a_link(url: object) -> None:
    assert render([message(url=url)]).link == ""


def test_other_events_are_told_by_what_they_hold() -> None:
    notice = render(
        [
            Message(
                "d",
                "export.completed",
                NOW,
                "o",
                "Acme",
                {"rows_written": 12000, "file_name": "a.csv", "ok": True, "url": "https://x.example/e"},
            )
        ]
    )
    assert notice.title == "An export is ready"
    assert notice.sections[0].facts == (("Rows written", "12,000"), ("File name", "a.csv"), ("Ok", "yes"))
    assert notice.link == "https://x.example/e"
    assert render([Message("d", "some.new_thing", NOW, "o", "Acme", {})]).title == "Some new thing"
    two = render([trial(), Message("e", "report.generated", NOW, "o", "Acme", {})])
    assert two.title == "Acme: 2 messages"
    assert len(two.sections) == 2


def test_a_test_says_that_it_is_one() -> None:
    assert "This is a test. What happens in Acme will be told here." in text_of(render([trial()]))


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [("1234567.899", 2, "1,234,567.89"), ("0", 2, "0.00"), ("0.05", 2, "0.05"), ("0.0123456", 2, "0.01234"), ("0.0000000001", 2, "0.0000000001"), ("-0.5", 2, "-0.50"), ("5000.125", 3, "5,000.125"), ("922337203.6854775807", 10, "922,337,203.6854775807")],
)  # fmt: skip
def test_amounts_are_cut_and_not_rounded(number: str, decimals: int, text: str) -> None:
    assert amount(Decimal(number), "USD", decimals) == f"{text} USD"


def test_shares_and_thresholds_in_percent() -> None:
    assert [share(Decimal(part), Decimal(100)) for part in ("-5", "0", "99.9999", "100", "250")] == [0, 0, 99, 100, 250]
    assert [percent(Decimal(text)) for text in ("0.5", "0.9", "0.999", "1")] == ["50 %", "90 %", "99.9 %", "100 %"]
    assert drawn(100).count("▓") == 10
    assert drawn(99).count("▓") == 9


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "the period is over"), (-5, "the period is over"), (59, "less than an hour left"), (3600, "1 hour left"), (7200, "2 hours left"), (86_400, "1 day left"), (172_799, "1 day left"), (9 * 86_400, "9 days left")],
)  # fmt: skip
def test_what_is_left_is_counted_in_full(seconds: int, text: str) -> None:
    assert time_left(NOW, NOW + timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("then", "text"),
    [
        (datetime(2026, 11, 21, 18, 30, tzinfo=UTC), "at 18:30 UTC"),
        (datetime(2026, 11, 22, tzinfo=UTC), "on the 22nd"),
        (datetime(2026, 11, 23, tzinfo=UTC), "on the 23rd"),
        (datetime(2026, 11, 30, tzinfo=UTC), "on the 30th"),
        (datetime(2026, 12, 1, tzinfo=UTC), "on 1 December"),
        (datetime(2027, 2, 11, tzinfo=UTC), "on 11 February 2027"),
    ],
)
def test_a_day_is_named_as_people_do(then: datetime, text: str) -> None:
    assert on_day(then, NOW, UTC) == text
