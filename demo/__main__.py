"""`python -m ci_observer.demo`: the lively scenario on loopback, in real time."""

from __future__ import annotations

from dataclasses import replace

import click

from ci_observer.demo.scenario.scenario import REPOS, WORKFLOWS, build
from ci_observer.demo.server.server import GitHubServer
from ci_observer.demo.times import real_time

# The demo polls faster than anybody would poll GitHub, and without a token.
DEMO_LIMIT = 100_000


@click.command()
@click.option("--port", default=8090, show_default=True, help="0 takes a free one.")
@click.option("--seed", default=7, show_default=True, help="Another seed, other runs.")
@click.option("--latency-ms", default=0, show_default=True, help="Before each answer.")
def main(port: int, seed: int, latency_ms: int) -> None:
    """Serve a simulated GitHub whose runs start, fail and get fixed all the time."""
    world = build(real_time(), seed=seed)
    server = GitHubServer(
        world, clock=real_time, port=port, latency=latency_ms / 1000, gzip=False
    )
    world.sites = replace(world.sites, html=server.origin)
    server.limits.per_user = server.limits.anonymous = DEMO_LIMIT
    server.start()
    click.echo(f"GITHUB_API_URL={server.url}")
    click.echo(f"GITHUB_TOKEN={server.token}")
    click.echo(f"GH_REPOS={REPOS}")
    click.echo(f"GH_WORKFLOWS={WORKFLOWS}")
    try:
        server.wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
