"""The wall of several instances together."""

import json
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from archive import NOW
from instances import TOKEN, A, B, Instance, NewInstance, in_a_cycle
from raw_server import head, raw_server

from ci_observer.ingest.commands.ports import free_port
from ci_observer.web.peers import watch
from ci_observer.web.peers.body import MAX_BYTES
from ci_observer.web.peers.peer import Peer

Cycle = tuple[Instance, Instance]


def test_two_instances_show_each_other_once(cycle: Cycle) -> None:
    a, b = cycle

    assert list(a.tiles().items()) == [
        (("acme/shared", None), "failing"),
        (("beta/web", b.name), "failing"),
        (("acme/api", None), "passing"),
        (("acme/shared", b.name), "passing"),
    ]
    wall = a.get("/api/wall").json()
    counts = wall["counts"]
    assert (counts["total"], counts["failing"], counts["passing"]) == (4, 2, 2)
    assert [peer["state"] for peer in wall["peers"]] == ["ok"]
    assert a.tiles("?peers=no") == {
        ("acme/api", None): "passing",
        ("acme/shared", None): "failing",
    }
    theirs = b.get("/api/wall", Authorization=f"Bearer {TOKEN}").json()
    assert theirs["counts"]["total"] == 4
    assert TOKEN not in a.get("/").text + a.get("/api/config").text


QUERIES = {
    "repo=ACME/shared": ["acme/shared", "acme/shared"],
    "q=beta": ["beta/web"],
    "state=failing": ["acme/shared", "beta/web"],
    "workflow=no.yml": [],
    "since=2026-03-01T17:00:00Z": [],
    "branch=main&conclusion=success": ["acme/api", "acme/shared"],
    "branch=other": [],
}


def test_filters_hold_for_all_tiles(cycle: Cycle) -> None:
    a, _ = cycle

    found = {query: [repo for repo, _ in a.tiles(f"?{query}")] for query in QUERIES}

    assert found == QUERIES
    wall = a.get("/api/wall?state=failing&repo=acme/shared").json()
    # Counts are of any state.
    assert (wall["counts"]["total"], len(wall["tiles"])) == (2, 1)


def test_a_peer_that_is_gone_has_stale_tiles_until_it_is_back(
    new_instance: NewInstance,
) -> None:
    a, b = in_a_cycle(new_instance)
    assert a.tiles()["acme/shared", b.name] == "passing"
    before = a.get("/api/wall")
    etag = before.headers["etag"].removeprefix("W/")
    assert a.get("/api/config").json()["wall_etag"] == etag
    assert a.get("/api/wall", **{"If-None-Match": etag}).status_code == 304

    b.stop()

    reason = a.wait_for(b.name, "missing")
    assert reason == "it does not respond (connection refused)"
    assert a.tiles() == {
        ("acme/shared", b.name): "stale",
        ("beta/web", b.name): "stale",
        ("acme/shared", None): "failing",
        ("acme/api", None): "passing",
    }
    after = a.get("/api/wall", **{"If-None-Match": etag})
    assert after.json() != before.json()
    config = a.get("/api/config").json()
    assert config["wall_etag"] == after.headers["etag"].removeprefix("W/")
    [warning] = config["warnings"]
    assert warning.startswith(f"{b.name}: it does not respond (connection refused).")
    assert warning.endswith("Its 2 tiles are stale.")
    page = a.get("/").text
    assert f"acme/shared ({b.name})" in page
    assert warning[:60] in page
    b.start()
    a.wait_for(b.name, "ok")
    assert a.tiles()["acme/shared", b.name] == "passing"


def test_after_a_restart_a_missing_peer_is_named(new_instance: NewInstance) -> None:
    peer = Peer(f"http://127.0.0.1:{free_port()}")
    a = new_instance(A, peers=(peer,))

    assert set(a.tiles().values()) == {"passing", "failing"}
    [warning] = a.get("/api/config").json()["warnings"]
    assert warning.endswith("(connection refused). Its tiles are unknown.")


def test_an_instance_without_tiles_of_its_own_shows_its_peers(
    new_instance: NewInstance,
) -> None:
    b = new_instance(B)
    a = new_instance({}, peers=(Peer(b.address),))

    assert {peer for _, peer in a.tiles()} == {b.name}
    config = a.get("/api/config").json()
    polling = config["polling"]
    assert (polling["state"], polling["reason"]) == ("peers", None)
    assert polling["last_success_at"] is not None
    assert config["stale_seconds"] == 3 * 86_400
    assert config["refresh_seconds"] == 15
    assert a.get("/api/health").status_code == 200
    assert "Polling: off" not in a.get("/runs").text
    b.stop()
    a.wait_for(b.name, "missing")
    assert a.get("/api/config").json()["polling"]["state"] == "no_peers"


def test_a_missing_token_is_named(new_instance: NewInstance) -> None:
    b = new_instance(B, access_token=TOKEN)
    a = new_instance(A, peers=(Peer(b.address),))

    reason = "it needs a token. Write its ACCESS_TOKEN into PEER_TOKENS_FILE"
    assert a.wait_for(b.name, "missing") == reason


def test_a_visitor_who_may_not_read_sees_no_peer(new_instance: NewInstance) -> None:
    b = new_instance(B)
    a = new_instance(A, peers=(Peer(b.address),), access_token=TOKEN)

    for path in ("/api/wall", "/api/config", "/"):
        response = a.get(path)
        assert response.status_code in (401, 302)
        assert b.name not in response.text
    assert b.name not in a.get("/api/health").text
    response = a.get("/api/wall", Authorization=f"Bearer {TOKEN}")
    assert b.name in response.text
    assert "private" in response.headers["cache-control"]


def test_the_wall_of_a_past_time_names_who_is_not_on_it(cycle: Cycle) -> None:
    a, b = cycle

    past = a.get("/?at=2026-03-01T17:00Z").text

    assert f"Without the tiles of {b.name}." in past
    assert "beta/web" not in past


def test_the_formats_of_other_tools_have_the_own_tiles_only(cycle: Cycle) -> None:
    a, _ = cycle
    a.tiles()

    for path in ("/cctray.xml", "/feed.atom", "/metrics"):
        assert "beta/web" not in a.get(path).text


def config_of_peer(**changes: Any) -> dict[str, Any]:
    now = NOW.isoformat()
    polling = {"state": "ok", "reason": None, "last_success_at": now}
    return {
        "server_time": now,
        "stale_seconds": 180,
        "wall_etag": '"x"',
        "polling": polling,
    } | changes


NONSENSE: list[tuple[bytes | None, bytes, str]] = [
    (b"[]", b"", "its response is not that of a CI Observer"),
    (b"<html>", b"", "its response is not JSON"),
    (None, b'{"ok": true, "tiles": [{}]}', "its tiles are not valid (tiles 0 repo)"),
    (None, b'{"ok": true, "tiles": 5}', "its response is not a list of tiles"),
    (None, b'{"ok": false, "tiles": []}', "its response is not a list of tiles"),
    (None, b"[" + b" " * MAX_BYTES, "its response is larger than 20 MB"),
]


def test_a_peer_that_sends_nonsense_is_named(new_instance: NewInstance) -> None:
    good = json.dumps(config_of_peer()).encode()

    def respond(config: bytes | None, wall: bytes, path: str) -> list[bytes]:
        body = (config or good) if path.startswith("/api/config") else wall
        return [head(), body]

    with ExitStack() as stack:
        servers = [
            stack.enter_context(raw_server(partial(respond, config, wall)))
            for config, wall, _ in NONSENSE
        ]
        peers = tuple(Peer(server.url) for server in servers)
        a = new_instance(A, peers=peers)
        for peer in peers:
            a.wait_for(peer.name, "missing")
        reasons = [reason or "" for _, reason in a.peers().values()]
        assert set(a.tiles().values()) == {"passing", "failing"}
        a.stop()

    expected = [reason for *_, reason in NONSENSE]
    assert [r[: len(e)] for r, e in zip(reasons, expected, strict=True)] == expected


def test_a_peer_that_hangs_does_not_delay_the_own_tiles(
    new_instance: NewInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FIRST_SECONDS", 0.01)
    with raw_server(lambda _: [b""]) as server:
        a = new_instance(A, peers=(peer := Peer(server.url),))

        assert set(a.tiles().values()) == {"passing", "failing"}
        assert a.peers() == {peer.name: ("starting", None)}
        a.stop()
