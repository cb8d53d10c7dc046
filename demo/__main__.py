"""`python -m ci_observer.demo`: the lively world on loopback, in real time."""

from __future__ import annotations

from dataclasses import replace

import click

from ci_observer.demo.scenario.lively_world import REPOS, WORKFLOWS, build
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.times import utc_now

# Requests an hour. The demo polls more often than GitHub's limit allows.
DEMO_LIMIT = 100_000


@click.command()
@click.option("--port", default=8090, show_default=True, help="0 picks a free port.")
@click.option("--seed", default=7, show_default=True, help="Seed of the random runs.")
@click.option(
    "--latency-ms", default=0, show_default=True, help="Delay of each response."
)
@click.option("--quiet", is_flag=True, help="Do not print the settings to use.")
def main(*, port: int, seed: int, latency_ms: int, quiet: bool) -> None:
    """Serve a simulated GitHub with new, failing and fixed runs every few seconds."""
    world = build(utc_now(), seed=seed)
    server = GitHubServer(
        world, clock=utc_now, port=port, latency=latency_ms / 1000, gzip=False
    )
    world.sites = replace(world.sites, html=server.origin)
    server.limits.per_user = server.limits.anonymous = DEMO_LIMIT
    try:
        server.start()
        if not quiet:
            print_settings(server)
        server.wait()
    except KeyboardInterrupt:
        server.stop()


def print_settings(server: GitHubServer) -> None:
    """The settings that watch this server, in the format of a `.env` file."""
    click.echo(f"GITHUB_API_URL={server.url}")
    click.echo(f"GITHUB_TOKEN={server.token}")
    click.echo(f"GH_REPOS={REPOS}")
    click.echo(f"GH_WORKFLOWS={WORKFLOWS}")


if __name__ == "__main__":
    main()
