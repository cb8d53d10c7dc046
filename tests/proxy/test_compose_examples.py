"""The Compose files with a proxy in another container, as far as reading tells."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci_observer.ingest.config import Config
from ci_observer.ingest.config.settings import SETTINGS

ROOT = Path(__file__).parents[2]
TRAEFIK = ROOT / "contrib/proxy/traefik/docker-compose.override.yml"
PAGE = ROOT / "docs/proxy.md"


class Loader(yaml.SafeLoader):
    """Reads Compose's tag for a list that replaces another one."""


Loader.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))


def examples() -> list[str]:
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [TRAEFIK.read_text(), *blocks]


def load(text: str) -> Any:
    return yaml.load(text, Loader)  # noqa: S506 (a safe loader)


@pytest.mark.parametrize("text", examples())
def test_a_compose_example_publishes_only_the_proxy_and_has_good_settings(
    text: str,
) -> None:
    services = load(text)["services"]
    base = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    [ours] = set(services) & set(base)
    environ = dict(item.split("=", 1) for item in services[ours]["environment"])

    config = Config.from_environ(environ)

    assert set(environ) <= set(SETTINGS)
    assert (config.base_url, config.forwarded_allow_ips) == ("/ci/", "*")
    assert services[ours]["ports"] == []
    [proxy] = set(services) - {ours}
    assert services[proxy]["ports"] == ["80:80", "443:443"]


def test_the_mounted_example_exists() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    volumes = load(text)["services"]["caddy"]["volumes"]
    paths = [volume.partition(":")[0] for volume in volumes]

    [example] = [path for path in paths if path.startswith("./contrib/")]
    assert (ROOT / example).is_file()


def test_the_example_that_is_not_tested_says_so() -> None:
    assert "# Not tested." in TRAEFIK.read_text()
