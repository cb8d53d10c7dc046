"""The files that run the published image: in Kubernetes, and with Docker Compose."""

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ci_observer.ingest.config import SETTINGS
from ci_observer.ingest.config.shard import parse_shard

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "contrib/kubernetes/ci-observer.yaml"
OBJECTS = {item["kind"]: item for item in yaml.safe_load_all(MANIFEST.read_text())}
SHARDS_MANIFEST = ROOT / "contrib/kubernetes/ci-observer-shards.yaml"
SHARDS = {o["kind"]: o for o in yaml.safe_load_all(SHARDS_MANIFEST.read_text())}
POD = OBJECTS["Deployment"]["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
USER = 10001
IMAGE = "ghcr.io/OWNER/REPO:0.1"


def text_of(path: str) -> str:
    return (ROOT / path).read_text()


def yaml_blocks(path: str) -> list[Any]:
    return [
        yaml.safe_load(text)
        for text in re.findall(r"^```yaml\n(.*?)^```", text_of(path), re.M | re.S)
    ]


@pytest.fixture
def kubernetes_validate() -> ModuleType:
    """Not imported above: it takes a second, in each process of the tests."""
    return importlib.import_module("kubernetes_validate")


@pytest.mark.parametrize("kind", OBJECTS)
def test_each_object_fits_the_schema_of_kubernetes(
    kind: str, kubernetes_validate: ModuleType
) -> None:
    kubernetes_validate.validate(OBJECTS[kind], "1.33", strict=True)


@pytest.mark.parametrize("kind", SHARDS)
def test_each_object_of_the_shards_fits_the_schema_of_kubernetes(
    kind: str, kubernetes_validate: ModuleType
) -> None:
    kubernetes_validate.validate(SHARDS[kind], "1.33", strict=True)


def test_each_pod_of_the_shards_has_its_own_number_token_and_volume() -> None:
    spec = SHARDS["StatefulSet"]["spec"]
    [container] = spec["template"]["spec"]["containers"]
    names = [variable["name"] for variable in container["env"]]
    values = {v["name"]: v.get("value", "") for v in container["env"]}
    numbers = [spec["ordinals"]["start"] + n for n in range(spec["replicas"])]
    shards = [values["SHARD"].replace("$(POD_INDEX)", str(n)) for n in numbers]

    assert [str(parse_shard(text, "SHARD")) for text in shards] == ["1/3", "2/3", "3/3"]
    # Kubernetes replaces only variables that are defined further up.
    assert names[0] == "POD_INDEX"
    assert values["GITHUB_TOKEN_FILE"].endswith("/github-token-$(POD_INDEX)")
    assert set(SHARDS["ConfigMap"]["data"]) | set(names[1:]) <= set(SETTINGS)
    [claim] = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert SHARDS["Service"]["metadata"]["name"] == spec["serviceName"]
    assert spec["selector"]["matchLabels"] == SHARDS["Service"]["spec"]["selector"]


def test_a_pod_of_the_shards_is_as_confined_as_the_single_one() -> None:
    pod = SHARDS["StatefulSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    other = {"env", "envFrom"}

    assert {k: v for k, v in container.items() if k not in other} == {
        k: v for k, v in CONTAINER.items() if k not in other
    }
    assert pod["securityContext"] == POD["securityContext"]
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False


def test_the_schema_refuses_an_unknown_key(kubernetes_validate: ModuleType) -> None:
    """Otherwise the test above could not fail."""
    broken = OBJECTS["Service"] | {"spec": {"prots": []}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.33", strict=True)


def test_only_one_pod_ever_writes_the_database() -> None:
    spec = OBJECTS["Deployment"]["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert OBJECTS["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_the_pod_runs_as_the_user_of_the_image_without_privileges() -> None:
    assert f"useradd --uid {USER} --gid app" in text_of("Dockerfile")
    security = POD["securityContext"]
    assert security["runAsNonRoot"] is True
    assert {security[n] for n in ("runAsUser", "runAsGroup", "fsGroup")} == {USER}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False


def test_the_probes_run_the_health_check_of_the_image() -> None:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        command = CONTAINER[probe]["exec"]["command"]
        assert command == ["python", "/app/container/healthcheck.py"]
        assert f'"{command[1]}"' in text_of("Dockerfile")


def test_no_variable_of_a_service_is_called_like_a_setting() -> None:
    """Kubernetes sets NAME_PORT and more for each Service in the namespace."""
    name = OBJECTS["Service"]["metadata"]["name"].upper().replace("-", "_")

    assert not [setting for setting in SETTINGS if setting.startswith(f"{name}_")]
    assert POD["enableServiceLinks"] is False


def test_the_settings_exist_and_every_secret_is_a_mounted_file() -> None:
    blocks = [OBJECTS["ConfigMap"], *yaml_blocks("docs/kubernetes.md")]
    folders = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}

    assert len(blocks) == 3
    for data in (block["data"] for block in blocks):
        assert set(data) <= set(SETTINGS)
        files = [value for name, value in data.items() if name.endswith("_FILE")]
        assert all(str(Path(file).parent) == folders["secrets"] for file in files)
    assert [v["name"] for v in POD["volumes"]] == list(folders)
    [secret] = [v["secret"] for v in POD["volumes"] if "secret" in v]
    assert secret["defaultMode"] == 0o440


def test_the_objects_refer_to_each_other() -> None:
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]

    assert OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert OBJECTS["Service"]["spec"]["selector"] == labels
    [port] = OBJECTS["Service"]["spec"]["ports"]
    assert port["targetPort"] == CONTAINER["ports"][0]["name"]
    assert f"CI_OBSERVER_PORT={CONTAINER['ports'][0]['containerPort']}" in text_of(
        "Dockerfile"
    )


def test_every_example_runs_the_same_image() -> None:
    [service] = yaml.safe_load(text_of("contrib/compose/compose.yml"))[
        "services"
    ].values()

    assert {CONTAINER["image"], service["image"]} == {IMAGE}
    assert set(re.findall(r"ghcr\.io/\S+:0\.1\b", text_of("docs/operations.md"))) == {
        IMAGE
    }


def test_the_published_image_is_as_confined_as_the_built_one() -> None:
    ours, published = (
        next(iter(yaml.safe_load(text_of(path))["services"].values()))
        for path in ("docker-compose.yml", "contrib/compose/compose.yml")
    )
    names = ("read_only", "tmpfs", "security_opt", "cap_drop", "cap_add", "restart")
    assert {n: published[n] for n in names} == {n: ours[n] for n in names}

    [command] = re.findall(
        r"^docker run --detach (.*?)^```", text_of("docs/operations.md"), re.M | re.S
    )
    assert "--read-only --tmpfs /tmp" in command
    assert re.findall(r"--cap-drop (\w+)", command) == ours["cap_drop"]
    assert re.findall(r"--cap-add (\w+)", command) == ours["cap_add"]
    assert "--security-opt no-new-privileges" in command
