"""Everything documented exists, and everything that exists is documented."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from io import StringIO
from pathlib import Path

import click
import pytest
import yaml
from dotenv import dotenv_values

from ci_observer.ingest.cli import main
from ci_observer.ingest.config import SETTINGS, Config
from ci_observer.ingest.config.multipliers import multipliers_text
from ci_observer.ingest.config.names import CERTIFICATE_VARIABLES
from ci_observer.ingest.config.settings import PARSERS
from ci_observer.ingest.github.proxies import PROXY_VARIABLES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PAGE_IDS = [str(page.relative_to(ROOT)) for page in PAGES]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
# Variables of the Compose file only, for a second instance on one machine.
COMPOSE_VARIABLES = {"CI_OBSERVER_NAME", "CI_OBSERVER_DATA"}
# Those of its profile.
REPLICA_VARIABLES = {"REPLICA_URL", "REPLICA_PORTS"}
# The settings that `ci-observer serve` reads itself; the others are in the database.
OF_WEB = (
    "CI_OBSERVER_DB",
    "CI_OBSERVER_HOST",
    "CI_OBSERVER_PORT",
    "CI_OBSERVER_BASE_URL",
    "CI_OBSERVER_ALLOWED_HOSTS",
    "FORWARDED_ALLOW_IPS",
    "ACCESS_TOKEN",
    "ACCESS_TOKEN_FILE",
    "ADHOC_SQL",
    "CSV_FORMULAS",
)
DEFAULTS = {field.name: field.default for field in fields(Config)}


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def prose_of(page: Path) -> str:
    """A page without its code blocks and generated parts' comments."""
    text = re.sub(r"<!--.*?-->", "", page.read_text(), flags=re.S)
    return re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)


def commented_settings() -> dict[str, str]:
    """The commented-out settings of .env.example, as if the # were removed."""
    lines = re.findall(r"^#([A-Z_]+=.*)$", text_of(".env.example"), flags=re.M)
    values = dotenv_values(stream=StringIO("\n".join(lines)))
    return {name: value or "" for name, value in values.items()}


def default_text(name: str) -> str:
    """A setting's default in the form of the documentation."""
    default = DEFAULTS[PARSERS[name][0]]
    if name == "MINUTE_MULTIPLIERS":
        default = multipliers_text(default)
    if name == "ALERT_EVENTS":
        default = ",".join(default)
    return "none" if default in (None, ()) else f"`{default}`"


def test_every_setting_has_a_section_and_there_are_no_others() -> None:
    headings = re.findall(r"^## `(.+)`$", text_of("docs/configuration.md"), re.M)

    assert sorted(headings) == sorted(SETTINGS)


def test_the_table_of_settings_names_each_with_its_default() -> None:
    rows = re.findall(
        r"^\| \[`([A-Z_]+)`\]\(#\w+\) \| (\S.*?) \|",
        text_of("docs/configuration.md"),
        re.M,
    )

    assert rows == [(name, default_text(name)) for name in SETTINGS]


def test_the_example_shows_every_setting_once() -> None:
    names = re.findall(r"^#?([A-Z_]+)=", text_of(".env.example"), re.M)

    network = {*PROXY_VARIABLES, *CERTIFICATE_VARIABLES}
    assert sorted(names) == sorted({*SETTINGS, *COMPOSE_VARIABLES, *network})


def test_the_unchanged_example_has_all_defaults() -> None:
    example = dotenv_values(ROOT / ".env.example")

    assert Config.from_environ({k: v or "" for k, v in example.items()}) == Config()


def test_the_commented_out_settings_of_the_example_are_the_defaults() -> None:
    shown = commented_settings()
    shown.pop("GITHUB_TOKEN_FILE")
    shown.pop("ACCESS_TOKEN_FILE")
    shown.pop("ALERT_URLS_FILE")
    shown.pop("PEER_TOKENS_FILE")

    assert Config.from_environ(shown) == Config()


def test_the_readmes_settings_exist() -> None:
    names = re.findall(r"^\| `([A-Z_]+)` \|", text_of("README.md"), re.M)

    assert names
    assert set(names) <= set(SETTINGS)


def test_compose_passes_every_setting_and_no_other() -> None:
    service = yaml.safe_load(COMPOSE)["services"]["ci-observer"]
    names = [item.partition("=")[0] for item in service["environment"]]

    assert sorted(names) == sorted((*SETTINGS, *PROXY_VARIABLES))


def test_compose_passes_the_settings_of_the_web_side_to_replicas() -> None:
    service = yaml.safe_load(COMPOSE)["services"]["replica"]
    names = {item.partition("=")[0] for item in service["environment"]}

    assert {name for name in names if not name.startswith("AWS_")} == set(OF_WEB)


def test_compose_uses_documented_variables_only() -> None:
    names = set(re.findall(r"\$\{?([A-Z_]+)", COMPOSE))

    assert names == COMPOSE_VARIABLES | REPLICA_VARIABLES | {"CI_OBSERVER_PORT"}
    for name in names:
        page = "scaling" if name in REPLICA_VARIABLES else "operations"
        assert f"`{name}`" in text_of(f"docs/{page}.md")


def test_the_table_of_network_variables_names_each() -> None:
    [table] = re.findall(
        r"^## Proxies and certificates$(.*?)^```",
        text_of("docs/configuration.md"),
        re.M | re.S,
    )

    names = re.findall(r"^\| `([A-Z_]+)` \|", table, re.M)
    assert sorted(names) == sorted((*PROXY_VARIABLES, *CERTIFICATE_VARIABLES))


def test_every_command_has_a_section_and_there_are_no_others() -> None:
    headings = re.findall(r"^## `ci-observer (.+)`$", text_of("docs/cli.md"), re.M)

    assert sorted(headings) == sorted(main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_option_is_in_its_commands_section_and_no_other(name: str) -> None:
    [section] = re.findall(
        rf"^## `ci-observer {name}`\n(.*?)(?=^## |\Z)",
        text_of("docs/cli.md"),
        re.M | re.S,
    )
    command = main.commands[name]
    context = click.Context(command, help_option_names=["-h", "--help"])
    options = {
        option
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
        if option.startswith("--")
    }

    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", section)) == options


def test_every_command_has_a_help_text() -> None:
    assert [name for name, command in main.commands.items() if not command.help] == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub generates for the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.M)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links and pictures within the project."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if not re.match(r"[a-z]+:", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_every_link_within_the_project_has_a_target(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_every_file_that_is_named_exists(page: Path) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", prose_of(page))
    # Files that are created at run time do not exist yet.
    mine = [n for n in named if n.split("/")[0] in folders - {"data", ".venv", ".node"}]

    assert [name for name in mine if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_every_make_verb_that_is_named_exists(page: Path) -> None:
    verbs = set(re.findall(r"^([a-z]+):.*## ", text_of("Makefile"), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.M))

    assert verbs
    assert named - verbs == set()


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached = [ROOT / "README.md"]
    for page in reached:
        targets = ((page.parent / link.split("#")[0]).resolve() for link in links(page))
        reached += [t for t in targets if t in PAGES and t not in reached]

    assert sorted(set(PAGES) - set(reached)) == []


def test_the_version_is_in_one_place() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    sources = [
        path
        for folder in ("ingest", "web", "plugins", "demo", "container")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in (".py", ".sql", ".sh")
    ]
    files = [*sources, ROOT / "Dockerfile", ROOT / "docker-compose.yml"]

    assert [path for path in files if f'"{version}"' in path.read_text()] == []
    assert [path for path in files if "__version__" in path.read_text()] == []
