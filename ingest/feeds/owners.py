"""The repositories of an owner: GitHub's list of them, page by page."""

from collections.abc import Callable

from ci_observer.ingest.errors import Forbidden, NotFound
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.store.repos import ListedPage
from ci_observer.ingest.store.responses import CachedResponse

Lookup = Callable[[str], CachedResponse | None]


async def fetch_owner(
    github: GitHub, owner: str, seen: Lookup = lambda key: None
) -> list[ListedPage]:
    """The pages of the list that an owner's repositories are in.

    `seen` tells what was last seen of a page. Whether the owner is an organization, the
    token's user or another one shows only by which lists there are: the one that
    answered before is asked first.
    """
    urls = github.owner_urls(owner)
    urls.sort(key=lambda url: seen(_key(owner, url)) is None)
    for url in urls:
        try:
            pages = await _fetch_pages(github, owner, url, seen)
        except NotFound:
            continue
        except Forbidden:
            # The token of an app has no user, so no list of his own.
            if github.is_own_list(url):
                continue
            raise
        if pages:
            return pages
    raise NotFound(
        "No such owner: check GH_REPOS, or what the token may see. "
        f"GitHub shows no organization or user {owner}."
    )


async def _fetch_pages(
    github: GitHub, owner: str, first_url: str, seen: Lookup
) -> list[ListedPage]:
    """Every page of a list, each with its own ETag; none when it is another owner's."""
    pages: list[ListedPage] = []
    url: str | None = first_url
    while url:
        key = _key(owner, url)
        known = seen(key)
        page = await github.fetch_owner_page(url, etag=known.etag if known else None)
        if page.value is None and known:
            pages.append(ListedPage(key, None, known.etag, known.next_url))
            url = known.next_url
            continue
        if github.is_own_list(url) and not any(
            repo.full_name.lower().startswith(f"{owner.lower()}/")
            for repo in page.value or []
        ):
            return []
        pages.append(ListedPage(key, page.value or [], page.etag, page.next_url))
        url = page.next_url
    return pages


def _key(owner: str, url: str) -> str:
    # The list of the token's own user has no owner in its address.
    return f"{owner}/* {url}"
