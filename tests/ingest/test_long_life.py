"""A long seeded simulation: 200 polls with faults, kills and a revoked token.

Runs start, progress, end and are re-run, also far below the newest page.
"""

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina
from kills import DatabaseFiles, at_each_statement
from polling import Ingest
from truth import assert_is_truth

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import Run
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.polling import backfill, run_pages

REPOS = ("acme/api", "acme/web", "acme/docs")
FILES = ("ci.yml", "deploy.yml")
POLLS = 200
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("server_error", {}),
    ("html_error", {}),
    ("drop", {}),
    ("truncate", {}),
    ("invalid_json", {}),
    ("missing_field", {}),
    ("wrong_type", {}),
    ("empty_list", {}),
    ("stale", {"seconds": 300}),
    ("not_found", {}),
    ("forbidden", {}),
    ("secondary_limit", {"retry_after": 30}),
    ("primary_limit", {"seconds": 120}),
    ("moved", {}),
    ("partial", {}),
]


# Between these polls GitHub refuses the token, until its file holds a new one.
REVOKED, RENEWED = 80, 90
KILLS = 8
# Small pages, so that few polls push runs far below the newest page. A run with
# this number of newer runs is on page 4 or later.
PAGE = 10
PAGE_4 = 3 * PAGE


@pytest.fixture(autouse=True)
def _one_try_each() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_pages, "FEED_PAGE_SIZE", PAGE)
    monkeypatch.setattr(run_pages, "REPO_PAGE_SIZE", PAGE + PAGE // 2)
    monkeypatch.setattr(backfill, "PAGE_SIZE", 2 * PAGE)


class Life:
    """Runs that start, progress, end and are re-run at seeded random."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.open: list[Run] = []
        self.done: list[Run] = []
        self.reruns_on_page_4 = 0
        for repo in REPOS:
            for name in FILES:
                world.add_workflow(repo, name)

    def step(self) -> None:
        for _ in range(self.chance.randrange(4)):
            self.open.append(
                self.world.add_run(
                    self.chance.choice(REPOS),
                    self.chance.choice(FILES),
                    status="queued",
                    head_branch=self.chance.choice(("main", "main", "feature")),
                )
            )
        for run in list(self.open):
            if self.chance.random() < 0.3:
                self._move(run)
        if self.done and self.chance.random() < 0.2:
            self._rerun(self.chance.choice(self.done))

    def _move(self, run: Run) -> None:
        if self.chance.random() < 0.5:
            self.world.update_run(run, status="in_progress")
            return
        words = ("success", "failure", "cancelled", "timed_out")
        self.world.update_run(run, conclusion=self.chance.choice(words))
        self.open.remove(run)
        self.done.append(run)

    def _rerun(self, run: Run) -> None:
        newer = [other for other in run.workflow.runs if other.id > run.id]
        self.reruns_on_page_4 += len(newer) >= PAGE_4
        self.done.remove(run)
        self.world.rerun(run)
        self.open.append(run)


class Mortal:
    """An ingest process that can be killed during a poll, and restarts."""

    def __init__(self, path: Path, github: GitHubServer, **settings: Any) -> None:
        self.path = path
        self.github = github
        self.settings = settings
        self._start()

    def poll(self) -> None:
        self.ingest.poll()

    def restart(self) -> None:
        self.ingest.restart()

    def killed_poll(self, at_statement: int) -> None:
        """A pass that is killed before the given statement, or after its last one."""
        number, left = 0, None

        def note() -> None:
            nonlocal number, left
            number += 1
            if number == at_statement:
                left = DatabaseFiles.read(self.path)

        with at_each_statement(self.db, note):
            self.ingest.poll()
        left = left or DatabaseFiles.read(self.path)
        self.close()
        left.write(self.path)
        self._start()

    def close(self) -> None:
        self.ingest.close()
        self.db.close()

    def _start(self) -> None:
        self.db = schema.connect(self.path)
        schema.migrate(self.db)
        self.ingest = Ingest(self.db, self.github)
        self.ingest.restart(**self.settings)


@pytest.mark.long
def test_after_200_polls_with_faults_the_table_is_github_s_truth(db_path, tmp_path):
    chance = random.Random(1)  # noqa: S311 (a repeatable test)
    life = Life(World("2026-03-02T09:00:00Z"), chance)
    kills = set(chance.sample(range(POLLS), KILLS))
    with GitHubServer(life.world) as github:
        token_file = tmp_path / "token"
        token_file.write_text(github.token)
        settings = {"repos": REPOS, "workflows": FILES, "token_file": token_file}
        with closing(Mortal(db_path, github, **settings)) as ingest:
            for number in range(POLLS):
                github.advance(60)
                life.step()
                github.faults.clear()
                kind, options = chance.choice(FAULTS)
                github.faults.add(kind, probability=0.2, count=None, **options)
                if number == REVOKED:
                    github.settings.tokens = {"another": Token()}
                if number == RENEWED:
                    token_file.write_text("another")
                if number in kills:
                    ingest.killed_poll(chance.randrange(1, 200))
                else:
                    ingest.poll()
                if chance.random() < 0.02:
                    ingest.restart()
            github.faults.clear()
            for _ in range(3):
                github.advance(timedelta(days=1).total_seconds())
                ingest.poll()

            assert_is_truth(ingest.db, life.world)
            refused = ingest.db.execute(
                "select count(*) from polls where error_kind = 'unauthorized'"
            ).fetchone()
        repo_lists = sum(e.path.endswith("/actions/runs") for e in github.log)
    # The simulation had the announced faults.
    assert refused[0] >= 1
    assert life.reruns_on_page_4 >= 5
    assert repo_lists > POLLS
