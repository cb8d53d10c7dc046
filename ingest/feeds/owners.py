"""Fetches the repositories of an owner, page by page."""

from collections.abc import Callable

from ci_observer.ingest.errors import Forbidden, InvalidResponse, NotFound
from ci_observer.ingest.github.client import INSTALLATION_LIST, GitHub
from ci_observer.ingest.github.names import owner_of
from ci_observer.ingest.github.pagination import Walk
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.store.repos import ListedPage
from ci_observer.ingest.store.responses import CachedResponse

# The cached response for the URL of a page.
Cache = Callable[[str], CachedResponse | None]


async def fetch_owner(
    github: GitHub, owner: str, cached: Cache = lambda url: None
) -> list[ListedPage]:
    """The pages of the list that has an owner's repositories.

    Organizations, other users, the token's user and the installation of an App have
    different lists. Which one an owner has is found by trying; a list that is cached
    comes first.
    """
    urls = await github.owner_paths(owner)
    if INSTALLATION_LIST not in urls and cached(INSTALLATION_LIST):
        _refuse_public_list(github, owner)
    urls.sort(key=lambda url: cached(url) is None)
    for url in urls:
        try:
            pages = await _fetch_pages(github, owner, url, cached)
        except NotFound:
            continue
        except Forbidden:
            # The token of a GitHub App belongs to no user.
            if github.is_own_list(url):
                continue
            raise
        if pages:
            return pages
    raise NotFound(
        "No such owner: check GH_REPOS"
        " or the settings file, or the token's permissions. "
        f"GitHub shows no organization or user {owner}."
    )


async def _fetch_pages(
    github: GitHub, owner: str, first_url: str, cached: Cache
) -> list[ListedPage]:
    """All pages of a list, or none if it is the token user's and has another owner."""
    pages: list[ListedPage] = []
    walk = Walk()
    url: str | None = first_url
    while url:
        known = cached(url)
        page = await github.fetch_owner_page(
            owner, url, etag=known.etag if known else None
        )
        if page.value is None and known:
            pages.append(ListedPage(url, None, known.etag, known.next_url))
            url = walk.next_url(url, known.next_url)
            continue
        found = page.value or []
        if found and all(_is_in(pages, repo) for repo in found):
            raise InvalidResponse("GitHub lists the same repositories on two pages.")
        if github.is_own_list(url) and not any(
            owner_of(repo.full_name).lower() == owner.lower() for repo in found
        ):
            return []
        next_url = page.next_url if found else None
        pages.append(ListedPage(url, found, page.etag, next_url))
        url = walk.next_url(url, next_url)
    return pages


def _refuse_public_list(github: GitHub, owner: str) -> None:
    """Raise if a GitHub App was uninstalled for an owner.

    The public repositories alone would take the private ones off the wall.
    """
    if github.connection.credentials.is_app:
        raise Forbidden(
            f"The GitHub App is not installed for {owner} any more. Install it there "
            "again, or name repositories in GH_REPOS or the settings file."
        )


def _is_in(pages: list[ListedPage], repo: Repository) -> bool:
    return any(repo in (page.repos or []) for page in pages)
