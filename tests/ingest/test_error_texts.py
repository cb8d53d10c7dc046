"""The error of a failed job, and its normalised text."""
# ruff: noqa: S108 (texts, and no files)

import pytest

from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.error_texts import MAX_BYTES, job_error
from ci_observer.ingest.github.normal_text import MAX_CHARACTERS, normal_text

EXIT = "Process completed with exit code 1."
NODE = "Node.js 16 actions are deprecated. Please update the following actions."
PULL = "toomanyrequests: You have reached your pull rate limit."
DISK = "You are running out of disk space. The runner will stop working: 12 MB left"
UUID = "1f2c3d4e-aaaa-bbbb-cccc-1234567890ab"
SHA = "e3f0542a11c0ffee00bd1e2a4b6c8d0e1f203142"


def failure(message, **fields):
    return Annotation(message, "failure", **fields)


def warning(message):
    return Annotation(message, "warning")


def message_of(*annotations):
    error = job_error(annotations)
    return error and error.message


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ([], None),
        ([failure(PULL)], PULL),
        ([failure(EXIT), failure(PULL)], PULL),
        ([failure(PULL), failure("second"), failure(EXIT)], PULL),
        ([failure(EXIT)], EXIT),
        ([warning(NODE), failure(EXIT)], EXIT),
        ([warning("Cache not saved"), failure(EXIT)], EXIT),
        ([warning(NODE)], None),
        ([Annotation("a notice", "notice")], None),
        ([Annotation("no level", None)], None),
        ([warning(NODE), warning(DISK), failure(EXIT)], DISK),
        ([failure(""), failure(" \n"), failure(PULL)], PULL),
        ([failure("", title="Type error")], "Type error"),
        ([failure("##[error]no space left on device")], "no space left on device"),
        ([failure("::error file=a.py,line=3::unused import")], "unused import"),
        ([failure("\x1b[31;1mFAIL\x1b[0m a\r\n  b\tc\u202e")], "FAIL a b c"),
        ([failure("\x1b]8;;https://x\x07link\x1b]8;;\x07")], "link"),
        ([failure("a lone \ud83d half")], "a lone half"),
    ],
)
def test_the_first_error_that_says_why_is_the_reason(annotations, expected):
    assert message_of(*annotations) == expected


@pytest.mark.parametrize(
    "message",
    [
        EXIT,
        "Error: Process completed with exit code 137.",
        "Process completed with exit code -1073741510.",
        "The process '/usr/bin/git' failed with exit code 128",
        "Docker build failed with exit code 1",
        "docker pull failed with exit code 1",
        "Command failed with exit code 2",
        "Process exited with code 1",
        "The process '/usr/bin/bash' failed with exit code 1. See the full logs",
        "The operation was canceled.",
        "The job was cancelled",
    ],
)
def test_a_text_that_says_no_reason_gives_way_and_joins_no_jobs(message):
    error = job_error([failure(message)])

    assert error is not None
    assert error.is_generic
    assert error.message == message
    assert message_of(failure(message), failure(PULL)) == PULL


@pytest.mark.parametrize(
    "message",
    [
        "The job has exceeded the maximum execution time of 30m0s",
        "The job running on runner GitHub Actions 4 has exceeded the maximum execution"
        " time of 360 minutes.",
    ],
)
def test_a_time_limit_is_the_reason_of_its_job_only(message):
    error = job_error([failure("The operation was canceled."), failure(message)])

    assert error is not None
    assert error.is_generic
    assert message_of(failure(PULL), failure(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        PULL,
        "Command failed with exit code 1: npm test",
        "The self-hosted runner: box-1 lost communication with the server.",
        "Input required and not supplied: token",
        "This request has been automatically failed because it uses a deprecated"
        " version of `actions/upload-artifact: v3`.",
        "The action 'Run tests' has timed out after 10 minutes.",
        "The operation was canceled by the server: quota exceeded",
    ],
)
def test_a_text_with_a_reason_is_telling(message):
    error = job_error([failure(EXIT), failure(message)])

    assert error is not None
    assert not error.is_generic
    assert error.message == message


def test_long_texts_are_cut_in_bytes_between_characters():
    error = job_error([failure("é" * 100_000)])

    assert error is not None
    assert len(error.message.encode()) <= MAX_BYTES
    assert error.message == "é" * 248 + "…"
    assert error.text == "é" * 250


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["exit code 1", "exit code 137"], "exit code <number>"),
        (["3 is not -4.5", "1,000 is not 2"], "<number> is not <number>"),
        (["3 tests failed", "12 tests failed"], "<number> tests failed"),
        (["shards 1, 2, 3 failed", "shards 4 failed"], "shards <number> failed"),
        (["needs 1.5 GB", "needs 900 MB"], "needs <size>"),
        ([f"no {UUID}", f"no {UUID.upper()}"], "no <id>"),
        ([f"at {SHA}", f"at {SHA[:7]}"], "at <hex>"),
        (["commit 1234567", "commit abcdefa", f"commit {SHA}"], "commit <hex>"),
        ([f"no sha256:{'0a' * 32}", f"no sha256:{'1' * 64}"], "no sha256:<hex>"),
        (["at 0x7fff2a3b", "at 0x10"], "at <hex>"),
        (
            ["runs/18293847561/job/52066512345", "runs/1/job/2"],
            "runs/<number>/job/<number>",
        ),
        (["2026-11-29T19:52:43.1Z bad", "2026-01-02 03:04:05 bad"], "<time> bad"),
        (["2026/11/29 19:52:43 bad", "2026-11-29 bad"], "<time> bad"),
        (["Sun Nov 29 19:52:43 UTC 2026: x", "Nov 2 01:02:03 2025: x"], "<time>: x"),
        (["Nov 29 19:52:43 host", "Dec  3 01:02:03 host"], "<time> host"),
        (["29 Nov 2026 19:52:43 GMT x", "1 Dec 2026 00:00:00 GMT x"], "<time> x"),
        (["at 12:34:56", "at 1:02:03.5"], "at <time>"),
        (["after 30m0s", "after 1h0m0s", "after 5 minutes"], "after <duration>"),
        (["in 2.53s", "in 1 min 30 s", "in 1 hour and 2 minutes"], "in <duration>"),
        (["of 5000ms exceeded", "of 2 seconds exceeded"], "of <duration> exceeded"),
        (
            ["open '/home/runner/work/api/api/x.js'", r"open 'D:\a\web\web/x.js'"],
            "open '<workspace>/x.js'",
        ),
        (["/__w/api/api/a.py", "/github/workspace/a.py"], "<workspace>/a.py"),
        (
            ["/opt/runner/_work/web/web/a.py", "/Users/runner/work/web/web/a.py"],
            "<workspace>/a.py",
        ),
        (
            [f"/home/runner/work/_temp/{UUID}.sh: line 3: foo", "/tmp/x: line 4: foo"],
            "<temp>: line <number>: foo",
        ),
        (
            [r"C:\Users\RUNNER~1\AppData\Local\Temp\a\b is gone", "/tmp/b is gone"],
            "<temp> is gone",
        ),
        (["dir '/tmp/pip-ab12/x'", "dir 'tmpab3x_9q'"], "dir '<temp>'"),
        (["/var/folders/zz/1x/T/a", "/private/var/folders/y/T/b"], "<temp>"),
        (["a.py:10:5: bad", "a.py:7: bad"], "a.py:<number>: bad"),
        (["a.ts(12,34): TS2304", "a.ts(1,2): TS2304"], "a.ts(<number>): TS2304"),
        (["line 42, column 7", "line 1, column 1"], "line <number>, column <number>"),
        (["to 127.0.0.1:5432", "to 10.0.0.7", "to [2001:db8::1]:443"], "to <address>"),
        (["to ::1:5432", "to fe80::1ff:fe23:4567:890a"], "to <address>"),
        (["pod/web-7d9f8b6c5-x2k4p", "pod/web-5c6d7f8b9d-zzxcv"], "pod/web-<id>"),
        (["at 0a:1b:2c:3d:4e:5f", "at FF:FE:FD:FC:FB:FA"], "at <address>"),
        (["image 'app-x8k2p'", "image 'app-q1w2e3'"], "image 'app-<id>'"),
        (
            [
                "The self-hosted runner: ip-10-0-1-23 lost communication",
                "The self-hosted runner: box lost communication",
            ],
            "The self-hosted runner: <runner> lost communication",
        ),
        (["\u2018a\u2019 \u201cb\u201d", "'a' \"b\""], "'a' \"b\""),
        (["[31mred[0m", "red"], "red"),
        (["\u00e9t\u00e9 1", "e\u0301te\u0301 2"], "\u00e9t\u00e9 <number>"),
        (["错误 42 发生", "错误 7 发生"], "错误 <number> 发生"),
        (["bad ٤٢", "bad 7"], "bad <number>"),
    ],
)
def test_texts_that_differ_in_passing_details_are_equal(texts, expected):
    assert {normal_text(text, MAX_BYTES) for text in texts} == {expected}


def test_the_name_of_the_own_repository_makes_no_difference():
    """When GitHub is down, each repository's checkout fails with its own address."""
    text = "unable to access 'https://github.com/{}/': The URL returned error: {}"
    expected = text.format("<repo>", "<number>")
    for repo, number in (("acme/api", 500), ("Acme/web.store", 503)):
        message = text.format(repo.lower(), number)
        assert normal_text(message, MAX_BYTES, repo=repo) == expected

    for other in ("acme/api-x", "acme/api.net", "x-acme/api", "acme/apis"):
        assert normal_text(other, MAX_BYTES, repo="acme/api") == other
    assert normal_text("acme/api.git", MAX_BYTES, repo="acme/api") == "<repo>.git"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TS2304: not found", "TS2322: not found"),
        ("error[E0599]: no method", "error[E0308]: no method"),
        ("Cannot find module 'left-pad'", "Cannot find module 'right-pad'"),
        ("ORA-00942: x", "ORA-00001: x"),
        ("needs sha256", "needs sha512"),
        ("on arm64", "on amd64"),
        ("src/a.py: bad", "src/b.py: bad"),
        ("rate(x[5m])", "rate(y[5m])"),
    ],
)
def test_texts_that_name_another_cause_stay_different(one, other):
    assert normal_text(one, MAX_BYTES) != normal_text(other, MAX_BYTES)


@pytest.mark.parametrize(
    "piece", ["1", "1:", "/a", "a1", "[::", "1.1", "1 s, ", "/tmp/", "C:\\a", "0x", "é"]
)
def test_any_text_is_normalised_within_the_limit(piece):
    text = normal_text(piece * MAX_CHARACTERS, MAX_BYTES)

    assert len(text.encode()) <= MAX_BYTES
    assert normal_text(text, MAX_BYTES) == text
