"""The shape of the YAML file: pydantic checks it, and makes its JSON schema.

Imported only when there is such a file. A value that `.env` also has is checked
again by the parser of its variable, so that both accept the same.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic_core import PydanticCustomError

from ci_observer.csv_formulas import CHOICES as CSV_FORMULAS
from ci_observer.ingest.alerts.events import EVENTS as ALERT_EVENTS
from ci_observer.ingest.config.alerts import MAX_AFTER
from ci_observer.ingest.config.schedules import EXAMPLES, longest_gap
from ci_observer.ingest.config.screens import parse_query
from ci_observer.ingest.config.values import (
    is_repo_item,
    is_workflow_item,
    parse_topic,
)
from ci_observer.ingest.config.watching import is_pattern
from ci_observer.ingest.config.yaml_nodes import Ambiguous
from ci_observer.ingest.github.names import is_ref_name

MAX_TEXT, MAX_NAME, MAX_ITEMS = 300, 60, 10_000
REPO_EXAMPLES = "acme/api, acme/*, a pattern such as acme/api-*"
_EXCLUSIONS = '"!acme/old-*" in quotes to leave repositories out'


def _wrong(text: str) -> PydanticCustomError:
    # Braces would be read as a template.
    return PydanticCustomError("wrong", "{text}", {"text": text})


def _refuse_ambiguous(value: Any) -> Any:
    if isinstance(value, Ambiguous):
        raise PydanticCustomError("ambiguous", "")
    # A block of lines ends with a line break.
    return value.rstrip("\n") if isinstance(value, str) else value


def _checked(is_good: Callable[[str], bool], text: str) -> AfterValidator:
    def check(value: str) -> str:
        if not is_good(value):
            raise _wrong(f"{value!r} {text}")
        return value

    return AfterValidator(check)


def _converted(parse: Callable[[str], Any]) -> AfterValidator:
    def convert(value: str) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise _wrong(str(error)) from None

    return AfterValidator(convert)


def _is_printable(text: str) -> bool:
    return bool(text.strip()) and not re.search(r"[\x00-\x1f\x7f-\x9f]", text)


def _is_branch(text: str) -> bool:
    # The characters of a pattern for SQLite that no branch has.
    name = text.removeprefix("!")
    return is_ref_name(name) and not re.search(r"[\[\]\s~^:\\]", name)


def _tile(text: str) -> tuple[str, str, str | None]:
    """The parts of OWNER/REPO/FILE or OWNER/REPO/FILE@BRANCH."""
    owner, _, rest = text.partition("/")
    repo, _, file = rest.partition("/")
    name, _, branch = file.partition("@")
    if not name.endswith((".yml", ".yaml")) and "@" in file:
        # A file name may have an @, too.
        found = re.match(r"(.*?\.ya?ml)(?:@(.*))?$", file, re.S)
        name, branch = (found[1], found[2] or "") if found else (name, branch)
    is_repo = is_repo_item(f"{owner}/{repo}") and not is_pattern(f"{owner}/{repo}")
    if not is_repo or not is_workflow_item(name) or name == "*":
        raise ValueError(
            f"{text!r} names no tile. Write OWNER/REPO/FILE, such as "
            "acme/api/nightly.yml, or OWNER/REPO/FILE@BRANCH for one branch."
        )
    return f"{owner}/{repo}", name, branch or None


def _until(text: str) -> date | datetime:
    found: date | datetime | None = None
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            found = date.fromisoformat(text)
        elif re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}", text):
            found = datetime.fromisoformat(text)
    except ValueError:
        pass
    if found is None or not 2000 <= found.year < 9000:  # noqa: PLR2004 (any day)
        raise ValueError(
            f"{text!r} is no day. Write the last day for which it is muted, such as "
            "2026-12-24, or a time such as 2026-12-24T18:00Z"
        )
    return found


def _gap(value: str | list[str]) -> int:
    try:
        return longest_gap((value,) if isinstance(value, str) else tuple(value))
    except ValueError:
        raise _wrong(f"{value!r} is no schedule. Write {EXAMPLES}.") from None


Text = Annotated[
    str, BeforeValidator(_refuse_ambiguous), Field(strict=True, max_length=MAX_TEXT)
]
Name = Annotated[
    Text,
    Field(max_length=MAX_NAME),
    _checked(_is_printable, "has no visible character, or one that cannot be seen."),
]
Repo = Annotated[
    Text,
    _checked(
        lambda item: not item.startswith("!") and is_repo_item(item),
        f"is no repository. Write {REPO_EXAMPLES}.",
    ),
]
RepoItem = Annotated[
    Text,
    _checked(
        is_repo_item, f"is no repository. Write {REPO_EXAMPLES}, or {_EXCLUSIONS}."
    ),
]
Workflow = Annotated[
    Text,
    _checked(
        is_workflow_item,
        "is no workflow file. Write the name of a file below .github/workflows, such "
        'as ci.yml, or "*" for every workflow.',
    ),
]
Topic = Annotated[Text, _converted(parse_topic)]
Branch = Annotated[
    Text,
    _checked(
        _is_branch,
        "is no branch. Write a name, a pattern such as release/*, or a pattern in "
        'quotes that leaves branches out, such as "!release/1.*"',
    ),
]
Schedule = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[list[Text], Field(max_length=20), Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list) else "text"),
    AfterValidator(_gap),
]
Workflows = Annotated[list[Workflow], Field(min_length=1, max_length=MAX_ITEMS)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RepositoryEntry(_Model):
    """Repositories with settings of their own."""

    repository: Annotated[
        Repo, Field(description="A name, or a pattern such as acme/api-* or acme/*.")
    ]
    workflows: Annotated[
        Workflows | None, Field(description="Their workflows, instead of the others.")
    ] = None
    branches: Annotated[
        list[Branch] | None,
        Field(
            description="The branches with a tile: names and patterns.", min_length=1
        ),
    ] = None
    team: Annotated[Name | None, Field(description="The team of their tiles.")] = None
    schedule: Annotated[
        dict[Workflow, Schedule] | None,
        Field(description="How often a workflow should run by its schedule."),
    ] = None


class TeamEntry(_Model):
    """A team: its repositories by name, by pattern or by topic."""

    repositories: Annotated[list[Repo], Field(description="Names and patterns.")] = []
    topics: Annotated[list[Topic], Field(description="Topics on GitHub.")] = []


class MutedEntry(_Model):
    """A tile that is hidden and counted for a while."""

    tile: Annotated[
        Text,
        _converted(_tile),
        Field(description="OWNER/REPO/FILE, or OWNER/REPO/FILE@BRANCH."),
    ]
    reason: Annotated[
        Text,
        # A text of several lines becomes one.
        AfterValidator(lambda text: " ".join(text.split())),
        _checked(_is_printable, "is no reason. Write a sentence."),
        Field(description="Why; shown to everybody who sees the wall."),
    ]
    until: Annotated[
        Text,
        _converted(_until),
        Field(description="The last day, such as 2026-12-24, or a time."),
    ]


Item = Annotated[
    Annotated[RepoItem, Tag("text")] | Annotated[RepositoryEntry, Tag("mapping")],
    Discriminator(lambda value: "mapping" if isinstance(value, dict) else "text"),
]
TeamItem = Annotated[
    Annotated[list[Repo], Tag("list")] | Annotated[TeamEntry, Tag("mapping")],
    Discriminator(lambda value: "mapping" if isinstance(value, dict) else "list"),
]
ScreenName = Annotated[
    Text,
    _checked(
        lambda name: re.fullmatch(r"[A-Za-z0-9_-]{1,50}", name) is not None,
        "is no name for an address. Write letters, digits, - and _.",
    ),
]
Whole = Annotated[int, Field(strict=True)]
Path = Annotated[str, Field(strict=True)]
Simple = Annotated[str, Field(strict=True)]
Hosts = Annotated[list[Simple], Field(min_length=1)]


def _setting(variable: str, description: str, **limits: Any) -> Any:
    """A field that replaces an environment variable; `.env` explains it in full."""
    return Field(
        default=None,
        description=description,
        json_schema_extra={"x-env": variable},
        **limits,
    )


class SettingsFile(_Model):
    """The settings of CI Observer that are no secrets."""

    repositories: list[Item] | None = _setting(
        "GH_REPOS",
        f"What to watch: {REPO_EXAMPLES}, or {_EXCLUSIONS}.",
        max_length=MAX_ITEMS,
    )
    topics: list[Topic] | None = Field(
        default=None,
        description="Of acme/* and of patterns, only repositories with one of these "
        "topics on GitHub.",
    )
    workflows: Workflows | None = _setting(
        "GH_WORKFLOWS", 'Workflow files, or "*" for every workflow.'
    )
    teams: dict[Name, TeamItem] | None = Field(
        default=None, description="The repositories of each team."
    )
    screens: (
        dict[
            ScreenName, Annotated[Text, _converted(parse_query), Field(max_length=2000)]
        ]
        | None
    ) = Field(
        default=None,
        description="Views of the wall at /s/NAME: the query string of its address.",
    )
    muted: list[MutedEntry] | None = Field(
        default=None, description="Tiles that are hidden and counted for a while."
    )
    title: Text | None = _setting("DASHBOARD_TITLE", "The heading of the wall.")
    timezone: Simple | None = _setting(
        "DASHBOARD_TIMEZONE", "An IANA time zone, such as Europe/Berlin."
    )
    refresh_seconds: Whole | None = _setting(
        "REFRESH_SECONDS", "Seconds from one poll to the next.", ge=5, le=86_400
    )
    history_days: Whole | None = _setting(
        "HISTORY_DAYS", "Days of history that the first start fetches.", ge=1, le=3650
    )
    fetch_jobs: Literal["failed", "default-branch", "all", "none"] | None = _setting(
        "FETCH_JOBS", "The runs whose jobs are fetched."
    )
    payload_days: Whole | None = _setting(
        "PAYLOAD_DAYS", "Days for which whole run objects are kept.", ge=1, le=36_500
    )
    minute_multipliers: (
        dict[Simple, Annotated[float, Field(strict=True, ge=0, le=1000)]] | None
    ) = _setting(
        "MINUTE_MULTIPLIERS", "By which factor a minute of a runner is billed."
    )
    adhoc_sql: Literal["on", "off"] | None = _setting(
        "ADHOC_SQL", "off: visitors cannot type SQL."
    )
    csv_formulas: Literal[CSV_FORMULAS] | None = _setting(  # type: ignore[valid-type]
        "CSV_FORMULAS", "CSV cells that a spreadsheet would run as a formula."
    )
    alert_events: list[Literal[ALERT_EVENTS]] | None = _setting(  # type: ignore[valid-type]
        "ALERT_EVENTS", "The events that are told.", min_length=1
    )
    alert_after: Whole | None = _setting(
        "ALERT_AFTER",
        "Failures in a row after which a workflow is told as broken.",
        ge=1,
        le=MAX_AFTER,
    )
    alert_repos: list[RepoItem] | None = _setting(
        "ALERT_REPOS",
        "The repositories that are told of: names, patterns and exclusions.",
        min_length=1,
        max_length=MAX_ITEMS,
    )
    alert_urls_file: Path | None = _setting(
        "ALERT_URLS_FILE", "A file that holds the addresses of alerts."
    )
    github_api_url: Simple | None = _setting(
        "GITHUB_API_URL", "https://HOST/api/v3 for GitHub Enterprise Server."
    )
    github_token_file: Path | None = _setting(
        "GITHUB_TOKEN_FILE", "A file that holds the token."
    )
    github_app_id: Simple | Whole | None = _setting(
        "GITHUB_APP_ID", "The client id or the number of a GitHub App."
    )
    github_app_private_key_file: Path | None = _setting(
        "GITHUB_APP_PRIVATE_KEY_FILE", "A file that holds the App's private key."
    )
    github_app_installation_id: Whole | None = _setting(
        "GITHUB_APP_INSTALLATION_ID", "The only installation of the App to use.", ge=1
    )
    access_token_file: Path | None = _setting(
        "ACCESS_TOKEN_FILE", "A file that holds the token that everybody needs to read."
    )
    peers: Hosts | None = _setting(
        "PEERS", "The addresses of other instances whose tiles the wall shows, too."
    )
    peer_tokens_file: Path | None = _setting(
        "PEER_TOKENS_FILE", "A file with an address of a peer and its token on a line."
    )
    db: Path | None = _setting("CI_OBSERVER_DB", "The database file.")
    host: Simple | None = _setting("CI_OBSERVER_HOST", "The address to serve on.")
    port: Whole | None = _setting(
        "CI_OBSERVER_PORT", "The port to serve on.", ge=1, le=65_535
    )
    base_url: Simple | None = _setting(
        "CI_OBSERVER_BASE_URL", "The path prefix behind a proxy, such as /ci/"
    )
    allowed_hosts: Hosts | None = _setting(
        "CI_OBSERVER_ALLOWED_HOSTS", "Accepted names in the Host header."
    )
    forwarded_allow_ips: Hosts | None = _setting(
        "FORWARDED_ALLOW_IPS", "Proxies whose X-Forwarded-* headers count."
    )


VARIABLES: dict[str, str] = {
    name: str(extra["x-env"])
    for name, field in SettingsFile.model_fields.items()
    if isinstance(extra := field.json_schema_extra, dict)
}
