"""Names that are no settings and look like one, such as `GH_REPO`. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from ci_observer.ingest.github.proxies import PROXY_VARIABLES

# Read by the Compose file.
COMPOSE_VARIABLES = ("CI_OBSERVER_NAME", "CI_OBSERVER_DATA")
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
OUR_PREFIX = "CI_OBSERVER_"
# How alike a name and a setting are: from 0 to 1.
ALIKE, VERY_ALIKE = 0.75, 0.85
MAX_MISSING_LETTERS = 2

# Variables of Docker Compose itself: https://docs.docker.com/compose/how-tos/environment-variables/envvars/
_COMPOSE = re.compile(r"(COMPOSE|DOCKER|BUILDX|BUILDKIT)_\w+")
# Kubernetes sets these for each Service, here for one called ci-observer…:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_KUBERNETES = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)
# Of GitHub Actions and of the command gh. Two of gh's names are left out, because they
# are near misses: GH_REPO and, without GITHUB_TOKEN, GH_TOKEN.
# https://docs.github.com/en/actions/reference/workflows-and-actions/variables
# https://cli.github.com/manual/gh_help_environment
_OTHERS = re.compile(
    r"GITHUB_(ACTION\w*|ACTOR\w*|API_URL|BASE_REF|CODESPACE\w*|ENTERPRISE_TOKEN|ENV"
    r"|EVENT_\w+|GRAPHQL_URL|HEAD_REF|JOB|OUTPUT|PATH|REF\w*|REPOSITORY\w*"
    r"|RETENTION_DAYS|RUN_\w+|SERVER_URL|SHA|STATE|STEP_SUMMARY|TRIGGERING_ACTOR|USER"
    r"|WORKFLOW|WORKFLOW_REF|WORKFLOW_SHA|WORKSPACE)"
    r"|GH_(ENTERPRISE_TOKEN|HOST|TOKEN)"
)
_LIKE_A_TOKEN = re.compile(r"(gh[a-z]|github_pat)_\w{10,}", re.I)


def without_network() -> dict[str, str]:
    """Variables that switch proxies and own certificates off, also those in `.env`."""
    lower = (name.lower() for name in PROXY_VARIABLES)
    return dict.fromkeys((*PROXY_VARIABLES, *lower, *CERTIFICATE_VARIABLES), "")


def unknown_in_file(names: Iterable[str], settings: Iterable[str]) -> Iterator[str]:
    """A warning for each name in `.env` that is none of ours."""
    ours = {*settings, *CERTIFICATE_VARIABLES, *PROXY_VARIABLES}
    others = {*COMPOSE_VARIABLES, *(name.lower() for name in PROXY_VARIABLES)}
    for name in names:
        if name in ours | others or _COMPOSE.fullmatch(name):
            continue
        found = _suggestion(name, ours, ALIKE)
        shown = "a line" if _LIKE_A_TOKEN.match(name) else name
        yield f".env: {shown} is not a setting.{_question(found)}"


def near_misses(
    environ: Mapping[str, str], settings: Iterable[str], given: Iterable[str]
) -> Iterator[str]:
    """A warning for each variable that looks like a misspelt setting.

    `given` are the settings that are set: who has set one does not mean it by another
    name. Other programs' variables give no warning.
    """
    known = set(settings)
    missing = known - set(given)
    for name in sorted(environ):
        is_other = (
            name in {*known, *COMPOSE_VARIABLES}
            or _KUBERNETES.fullmatch(name)
            or _OTHERS.fullmatch(name)
        )
        if is_other:
            continue
        is_ours = name.startswith(OUR_PREFIX)
        found = _suggestion(name, missing, ALIKE if is_ours else VERY_ALIKE)
        is_near = found and abs(len(found) - len(name)) <= MAX_MISSING_LETTERS
        if is_near or is_ours:
            yield f"{name} is not a setting.{_question(found)}"


def is_set_by_kubernetes(value: str) -> bool:
    """Whether a value is the address of a Service, such as tcp://10.0.0.1:8089.

    For a Service called ci-observer, `CI_OBSERVER_PORT` has one.
    """
    return re.fullmatch(r"(tcp|udp|sctp)://\S+", value.strip()) is not None


def _suggestion(name: str, known: Iterable[str], cutoff: float) -> str | None:
    matches = get_close_matches(name.upper(), sorted(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def _question(found: str | None) -> str:
    return f" Did you mean {found}?" if found else ""
