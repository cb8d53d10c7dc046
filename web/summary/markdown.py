"""The summary as Markdown, short enough for a chat.

Texts of GitHub are escaped: they add no HTML, link, mention or column of a table.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from ci_observer.web.pages.times import exact_duration, local_time, percent, zone_of
from ci_observer.web.summary.changes import Change
from ci_observer.web.summary.counts import Numbers
from ci_observer.web.summary.headline import state_words, word_of
from ci_observer.web.summary.markdown_rows import ROWS
from ci_observer.web.summary.markdown_texts import escaped, plain
from ci_observer.web.summary.page import ALARM_WORDS, slower, top, with_changes
from ci_observer.web.summary.report import Report
from ci_observer.web.summary.words import label_text, number, span_text

# Rows of a list.
LISTED = 3
Link = Callable[[str], str]
# A text with a link to a section of the page, or to a path.
Linked = Callable[[str, str], str]


class References:
    """The addresses of the text, at its end: between the words they would hide them."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}

    def link(self, text: str, address: str) -> str:
        """A link with a number for its address."""
        label = self._labels.setdefault(address, str(len(self._labels) + 1))
        return f"[{text}][{label}]"

    def lines(self) -> list[str]:
        return [f"[{label}]: {address}" for address, label in self._labels.items()]


def markdown_of(report: Report, link: Link) -> str:
    """The text; `link` makes the address of a path."""
    data = report.data
    workflows = [with_changes(row) for row in data["workflows"]]
    page = link(report.links.same_days())
    references = References()

    def to_section(text: str, section: str) -> str:
        return references.link(text, f"{page}#{section}")

    def to_path(text: str, path: str) -> str:
        return references.link(text, link(path))

    parts = [
        [f"# CI summary: {span_text(data['span'])}"],
        [_scope(report)],
        _main(data, to_section),
        _table(with_changes(data["total"]), to_section),
        *_lists(report, workflows, to_path),
        _queue(data["queue_labels"]),
        _most(data),
        _alarms(data["alarms"]),
        [escaped(sentence) for sentence in data["incomplete"]],
        [f"All numbers: {page}"],
    ]
    parts.append(references.lines())
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _scope(report: Report) -> str:
    data = report.data
    chosen = [plain(name) for values in data["filters"].values() for name in values]
    which = f"Only {', '.join(chosen)}. " if chosen else ""
    until = "" if data["span"]["is_over"] else " Today counts until now."
    days = f"Days are those of {data['timezone']}.{until}"
    return f"{which}Compared with {span_text(data['before'])}. {days}"


def _main(data: Numbers, to_section: Linked) -> list[str]:
    """Whether main is green, and what broke first: a line each."""
    main, first = data["main"], data["first_break"]
    since = main["since_at"]
    state = f"**{word_of(data)}** {state_words(main)}"
    lines = [f"{state}, since {_local(since, data)}." if since else f"{state}."]
    if main["unknown_workflows"] and main["state"] != "unknown":
        lines[0] += f" {number(main['unknown_workflows'])} workflows are not proved."
    if main["muted_workflows"]:
        lines[0] += f" {number(main['muted_workflows'])} muted."
    if first is not None:
        where = f"{plain(first['workflow_name'])} of {plain(first['repo'])}"
        lines += [
            "",
            f"{to_section('First to break', 'breaks')}: {where}, {_cause(first, data)}",
        ]
    return lines


def _cause(row: Numbers, data: Numbers) -> str:
    """The run, the person, the commit and the job that broke main."""
    sha, job, step = row["head_sha"], row["failed_job"], row["failed_step"]
    parts = (
        _local(row["broken_at"], data),
        f"run {row['run_number']}" if row["run_number"] else None,
        f"by {plain(row['actor'])}" if row["actor"] else None,
        f"commit {plain(sha[:7])}" if sha else None,
        f"job {plain(job)}" if job else None,
        f"step {plain(step)}" if step else None,
        f"red for {exact_duration(row['seconds'])}" if row["fixed_at"] else "still red",
    )
    return ", ".join(part for part in parts if part)


def _local(instant: str, data: Numbers) -> str:
    """A time in the zone whose days count."""
    return local_time(instant, zone_of(data["timezone"]) or ZoneInfo("UTC"))


def _table(total: Numbers, to_section: Linked) -> list[str]:
    """The numbers, in columns that stand below each other also as plain text."""
    cells = [("", "now", "before", "change")]
    for label, name, text, section in ROWS:
        change = _change(total["changes"].get(name))
        linked = to_section(label, section)
        cells.append((linked, text(total), text(total["before"]), change))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rules = ("-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:3]))
    heading, *rows = (_table_row(row, widths) for row in cells)
    return [heading, _table_row((*rules, "-" * widths[3]), widths), *rows]


def _table_row(row: tuple[str, ...], widths: list[int]) -> str:
    label, now, before, change = widths
    return (
        f"| {row[0]:<{label}} | {row[1]:>{now}} | {row[2]:>{before}}"
        f" | {row[3]:<{change}} |"
    )


def _change(change: Change | None) -> str:
    return change.words if change else ""


def _lists(
    report: Report, workflows: list[Numbers], to_path: Linked
) -> list[list[str]]:
    """The workflows with most of something, each in a line."""
    links = report.links

    def line(title: str, rows: list[Numbers], text: Callable[[Numbers], str]) -> str:
        found = [
            f"{to_path(_name(row), links.workflow(row))} {text(row)}"
            for row in rows[:LISTED]
        ]
        return f"**{title}:** {'; '.join(found)}" if found else ""

    lines = (
        line("Most failures", top(workflows, "failed_runs"), _failures),
        line("Flakiest", top(workflows, "flaky_commits"), _flaky),
        line("Slower than before", slower(workflows), _slower),
    )
    return [[text] for text in lines if text]


def _name(row: Numbers) -> str:
    name = row["workflow_name"] or row["workflow"]
    return f"{plain(name)} ({plain(row['repo'])})"


def _failures(row: Numbers) -> str:
    share = percent(row["failed_runs"] / row["decided_runs"])
    counts = f"{number(row['failed_runs'])} of {number(row['decided_runs'])} runs"
    return f"{counts}, {share}"


def _flaky(row: Numbers) -> str:
    commits = "commit" if row["flaky_commits"] == 1 else "commits"
    return f"{number(row['flaky_commits'])} {commits} of {row['tested_runs']} runs"


def _slower(row: Numbers) -> str:
    name = "duration_p50_seconds"
    return f"p50 {exact_duration(row[name])} ({row['changes'][name].text})"


def _queue(rows: list[Numbers]) -> list[str]:
    found = [_queue_of(row) for row in rows[:LISTED]]
    return [f"**Longest queues:** {'; '.join(found)}"] if found else []


def _queue_of(row: Numbers) -> str:
    jobs = f"{number(row['jobs'])} {'job' if row['jobs'] == 1 else 'jobs'}"
    p95 = exact_duration(row["queue_p95_seconds"])
    return f"{plain(label_text(row['labels']))} p95 {p95} of {jobs}"


def _alarms(rows: list[Numbers]) -> list[str]:
    found = [f"{_name(row)} {ALARM_WORDS[row['alarm']]}" for row in rows[:LISTED]]
    more = f"; {len(rows) - LISTED} more" if len(rows) > LISTED else ""
    title = "Stuck, overdue or disabled"
    return [f"**{title}:** {'; '.join(found)}{more}"] if found else []


def _most(data: Numbers) -> list[str]:
    """Who and what triggers most."""
    found = [
        ", ".join(f"{plain(row[name])} {number(row['runs'])}" for row in rows[:LISTED])
        for name, rows in (("event", data["events"]), ("actor", data["actors"]))
        if rows
    ]
    return [f"**Most runs:** {'; '.join(found)}"] if found else []
