"""The texts of alerts: the limits of GitHub's texts in them."""

import re
from dataclasses import replace

import pytest

from ci_observer.ingest.alerts.messages import (
    MAX_BODY,
    MAX_TITLE,
    Fact,
    digest_of,
    message_of,
)
from ci_observer.ingest.alerts.neutral import link, neutral

FACT = Fact(
    alert_id="a1",
    repo="acme/api",
    workflow="ci.yml",
    workflow_name="CI",
    event="broken",
    at="2026-03-01T12:00:00Z",
    found_at="2026-03-01T12:01:00Z",
    branch="main",
    streak=1,
    red_seconds=None,
    detail=None,
    run_id=1,
    run_attempt=1,
    run_number=12,
    run_event="push",
    display_title="Add totals",
    head_sha="0" * 40,
    actor="ada",
    html_url="https://github.com/acme/api/actions/runs/1",
    failed_job="test",
    failed_step="Run tests",
)
TEXTS = (
    *("workflow", "workflow_name", "branch", "display_title", "actor"),
    *("failed_job", "failed_step"),
)


@pytest.mark.parametrize(
    "text",
    [
        *("@here", "@channel", "@everyone", "@all", "<!here>", "<!channel>"),
        *("<@U123ABC>", "<@&42>", "<!subteam^S1>", "<#C1>", "<users/all>"),
        *("<at>everyone</at>", '<at user_id="all"></at>', "@**all**", "\uff20here"),
        *("<b>bold</b>", "<img src=x onerror=alert(1)>", "[safe](http://evil.example)"),
        *("[safe] (http://evil.example)", "![x](https://evil.example/x.png)"),
        *("<https://evil.example|safe>", "`code`", "```\nblock\n```", "**bold**"),
        *("~~gone~~", "||spoiler||", "a\u202eb", "one\ntwo\r\nthree", "\x1b[31mred"),
        *("www.evil.example", "https://evil.example", "\u200b@here", "&#64;here"),
        *("&commat;here", "&lt;!here&gt;"),
    ],
)
def test_a_text_of_github_neither_mentions_nor_formats_nor_links(text):
    fact = replace(FACT, **dict.fromkeys(TEXTS, text))

    message = message_of(fact, "UTC")

    own = message.body.replace(str(FACT.html_url), "")
    names = [str(message.data[name]) for name in ("workflow", "branch")]
    for shown in (message.title, own, *names):
        assert not re.search(r"[@\uff20<>`*|~\u202e\u200b\x1b\r]|\]\(", shown)
        assert not re.search(r"&#|&\w+;", shown)
        assert "://" not in shown
        assert "www." not in shown
    assert len(message.body.splitlines()) == 5


def test_lengths_are_limited_in_characters():
    fact = replace(
        FACT, **dict.fromkeys((*TEXTS, "repo", "detail"), "\U0001f600" * 900)
    )

    message = message_of(fact, "UTC")
    digest = digest_of([fact] * 200, "d1")

    for one in (message, digest):
        assert len(one.title) <= MAX_TITLE
        assert len(one.body) <= MAX_BODY
    assert "185 more" in digest.body or len(digest.body) == MAX_BODY
    assert len(neutral("@" * 300)) <= 100


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://x/ y", "https://x/<b>", "//x/y", None]
)
def test_only_a_plain_address_is_a_link(url):
    assert link(url) == ""


def test_times_are_those_of_the_settings():
    assert "2026-03-01 13:00 CET" in message_of(FACT, "Europe/Berlin").body


def test_a_branch_that_no_run_has_fixed_has_no_time_of_a_fix():
    body = message_of(replace(FACT, event="fixed", detail="no_fix"), "UTC").body

    assert "No run fixed it" in body
    assert "since" not in body


@pytest.mark.parametrize(
    ("event", "attempt", "is_named"),
    [("push", 1, True), ("schedule", 1, False), ("schedule", 2, True)],
)
def test_nobody_is_named_for_a_schedule(event, attempt, is_named):
    fact = replace(FACT, run_event=event, run_attempt=attempt)

    assert ("by ada" in message_of(fact, "UTC").body) == is_named
