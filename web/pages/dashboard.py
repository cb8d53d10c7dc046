"""A page of datasette-dashboards: its filters, its period, and its script's data."""
# ruff: noqa: S608 (own SQL, and no value)

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from datasette.app import Datasette

from ci_observer.web.database import fetch_rows, fetch_snapshot
from ci_observer.web.pages.counted_runs import PROGRESS, day_text, progress_text
from ci_observer.web.pages.missing_jobs import FAILED_ONLY, IS_FETCHING
from ci_observer.web.texts import display_text

MAX_DAYS = 366
DEFAULT_DAYS = 30
# Filters of the dashboard that our other pages have, too.
SHARED = ("repo", "workflow", "branch")
# The keys of a chart that the script needs.
CHART_KEYS = (
    *("title", "library", "display"),
    # These are ours, not the plugin's.
    *("columns", "empty", "count"),
)
# A select with more choices is a text box that suggests them.
MAX_CHOICES = 200

NAMES = """
select repo, workflow, workflow_name from feeds where workflow_name is not null
order by workflow_name
"""
# `:until` is null for today. No row: the period is outside of the calendar.
PERIOD = """
select
  f.day as first_day, f.starts_at as since, l.day as last_day,
  strftime('%Y-%m-%dT%H:%M:%SZ', l.ends_at, '-1 second') as until, timezone
from today
join local_days l on l.day = coalesce(:until, today.day)
join local_days f on f.days = l.days - 1 + :days
"""
TODAY = PERIOD.replace(":until", "null")
SETTINGS = """
select value as fetch_jobs from instance where key = 'fetch_jobs'
"""
FETCHING = f"""
select 1 from feeds f left join feed_backfills b using (repo, workflow)
where (:repo = '' or f.repo = :repo) and (:workflow = '' or f.workflow = :workflow)
  and {IS_FETCHING}
limit 1
"""
STILL_FETCHING = (
    "The jobs of these days are still being fetched, those of failed runs first: until "
    "then too large a share of the minutes is wasted."
)
# For each value of `FETCH_JOBS`, a sentence about the jobs that are missing.
STORED_JOBS = {
    "failed": "Only jobs of failed runs are stored (FETCH_JOBS=failed), so the queue "
    "times and minutes of other runs are missing here.",
    "default-branch": "The jobs of failed runs and of runs on default branches are "
    "stored (FETCH_JOBS=default-branch). Queue times and minutes of other runs are "
    "missing here.",
    "none": "No jobs are fetched (FETCH_JOBS=none), so queue times and minutes are "
    "missing here.",
}


@dataclass(frozen=True)
class Choice:
    """One option of a select."""

    value: str
    label: str
    is_selected: bool


@dataclass(frozen=True)
class Field:
    """One filter of the form; `choices` is empty unless its kind is `select`."""

    name: str
    label: str
    kind: str
    value: str
    choices: list[Choice]
    bounds: dict[str, Any]


@dataclass
class DashboardPage:
    """The filters in the URL, checked, and the period that they select.

    `values` are the filters' values; `problems` are sentences about arguments that
    cannot be used, or about missing numbers; `period` has the keys of `PERIOD`;
    `stored_jobs` says whose jobs are missing.
    """

    slug: str
    values: dict[str, str]
    names: list[dict[str, Any]] = field(default_factory=list)
    period: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    stored_jobs: str = ""

    @property
    def period_text(self) -> str:
        """The filters and the days, as `acme/api · 1 Nov 2026 to 7 Nov 2026 (UTC)`."""
        first, last = (day_text(self.period[key]) for key in ("first_day", "last_day"))
        days = last if first == last else f"{first} to {last}"
        chosen = [_shown(self.values[name]) for name in SHARED if name in self.values]
        text = f"{days} ({self.period['timezone']})"
        return " \N{MIDDLE DOT} ".join([*chosen, text])

    @property
    def days(self) -> int:
        """The number of days in the period."""
        return int(self.values.get("days") or DEFAULT_DAYS)

    def fields(self, filters: Mapping[str, Mapping[str, Any]]) -> list[Field]:
        """The form's fields, for the filters of the dashboard's configuration."""
        return [self._field(name, options) for name, options in filters.items()]

    def _field(self, name: str, options: Mapping[str, Any]) -> Field:
        kind = options.get("type", "text")
        value = self.values.get(name, "") or str(options.get("initial", ""))
        choices: list[Choice] = []
        if kind == "select":
            choices = self._choices(name, options, value)
        return Field(
            name=name,
            label=options.get("name", name),
            kind="list" if len(choices) > MAX_CHOICES else kind,
            value=value,
            choices=choices,
            bounds={key: options[key] for key in ("min", "max") if key in options},
        )

    def _choices(
        self, name: str, options: Mapping[str, Any], value: str
    ) -> list[Choice]:
        """Every value, the empty one first; a value of the URL that is unknown, too."""
        known = [str(v) for v in options.get("options") or () if v is not None]
        selected = _stored_value(name, value, known)
        labels = {v: self._label(name, v) for v in known}
        everything = options.get("all") or f"All: {options.get('name', name)}"
        choices = [Choice("", everything, not value)]
        if value and selected is None:
            choices.append(Choice(value, f"{_shown(value)} (not in the list)", True))
        choices += [Choice(v, labels[v], v == selected) for v in known]
        return choices

    def _label(self, name: str, value: str) -> str:
        """A value for people: a workflow by its name and its file."""
        shown = _shown(value)
        if name != "workflow":
            return shown
        repo = self.values.get("repo", "").casefold()
        names = dict.fromkeys(
            display_text(row["workflow_name"])
            for row in self.names
            if row["workflow"] == value
            and repo in ("", row["repo"].casefold())
            # GitHub's name of a file that has none, or that is invalid.
            and row["workflow_name"] != f".github/workflows/{value}"
        )
        names.pop(None, None)
        first = next(iter(names), shown)
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return shown if first == shown else f"{first}{more} ({shown})"

    def query(self) -> dict[str, str]:
        """The arguments of the URL, and of the requests for the charts' rows."""
        return {name: value for name, value in self.values.items() if value}

    def query_for(self, filters: Iterable[str]) -> dict[str, str]:
        """The arguments that a dashboard with these filters has, too."""
        names = set(filters)
        return {name: value for name, value in self.query().items() if name in names}

    def data(
        self, charts: Mapping[str, Mapping[str, Any]], **others: Any
    ) -> dict[str, Any]:
        """The data of the script: charts that have a query, filters and period."""
        return {
            "charts": {
                slug: {key: chart[key] for key in CHART_KEYS if key in chart}
                for slug, chart in charts.items()
                if "query" in chart
            },
            "slug": self.slug,
            "args": self.query(),
            "selection": {n: v for n, v in self.query().items() if n in SHARED},
            "days": self.days,
            "period": self.period,
            "period_text": self.period_text,
            **others,
        }


async def fetch_dashboard_page(
    datasette: Datasette, slug: str, args: Mapping[str, str]
) -> DashboardPage:
    """The page for the arguments of a URL, those of its filters only."""
    page = DashboardPage(slug, {name: value for name, value in args.items() if value})
    _check_days(page)
    until = _checked_until(page)
    rows = await fetch_snapshot(
        datasette,
        {
            "names": NAMES,
            "period": PERIOD,
            "today": TODAY,
            "progress": PROGRESS,
            "settings": SETTINGS,
        },
        {"days": page.days, "until": until},
    )
    page.names = [dict(row) for row in rows["names"]]
    page.period = dict((rows["period"] or rows["today"])[0])
    page.problems += filter(None, [progress_text(map(dict, rows["progress"]))])
    for row in rows["settings"]:
        page.stored_jobs = await _stored_jobs(datasette, page, row["fetch_jobs"])
    if not rows["period"]:
        page.problems.append(
            f"The days until {until} are outside of the calendar, which begins ten "
            "years ago and ends in a year. The newest days are shown."
        )
        page.values.pop("until", None)
    return page


async def _stored_jobs(
    datasette: Datasette, page: DashboardPage, fetch_jobs: str
) -> str:
    """Sentences about jobs that are missing, for good or for now."""
    found = STORED_JOBS.get(fetch_jobs, "")
    if fetch_jobs in FAILED_ONLY:
        return found
    params = {name: page.values.get(name, "") for name in ("repo", "workflow")}
    span = {name: page.period[name] for name in ("since", "until")}
    is_fetching = await fetch_rows(datasette, FETCHING, {**params, **span})
    return " ".join(filter(None, [found, STILL_FETCHING if is_fetching else ""]))


def _check_days(page: DashboardPage) -> None:
    days = page.values.get("days")
    if days is None:
        return
    is_number = days.isascii() and days.isdigit()
    if is_number and 1 <= int(days[:5]) <= MAX_DAYS:
        page.values["days"] = str(int(days))
        return
    del page.values["days"]
    page.problems.append(
        f"days={_shown(days)} is not a number from 1 to {MAX_DAYS}. "
        f"{DEFAULT_DAYS} days are shown."
    )


def _checked_until(page: DashboardPage) -> str | None:
    """The last day of the period as a date, or None for today."""
    until = page.values.get("until")
    if until is None:
        return None
    try:
        # `fromisoformat` also reads other forms, such as 20260301.
        if date.fromisoformat(until).isoformat() == until:
            return until
    except ValueError:
        pass
    del page.values["until"]
    page.problems.append(
        f"until={_shown(until)} is not a day. Write until=2026-03-01. "
        "The newest days are shown."
    )
    return None


def _stored_value(name: str, value: str, known: list[str]) -> str | None:
    """The value as it is stored: the letter case of a repository does not matter."""
    if value in known or name != "repo":
        return value if value in known else None
    folded = value.casefold()
    return next((v for v in known if v.casefold() == folded), None)


def _shown(text: str) -> str:
    return display_text(text) or text
