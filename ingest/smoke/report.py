"""The results of all checks, as lines or as JSON; the verdict comes first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ci_observer.ingest.texts import one_line

Outcome = Literal["ok", "note", "failed"]
MAX_TEXT = 400
# Lines of one check; more are counted.
MAX_PROBLEMS = 5


@dataclass(frozen=True)
class Result:
    """The result of one check. A note needs a decision of a person, not a repair."""

    name: str
    outcome: Outcome
    text: str


def result_of(name: str, problems: Sequence[str], success: str) -> Result:
    """Failed with the first problems, or ok if there are none."""
    if not problems:
        return Result(name, "ok", one_line(success, MAX_TEXT))
    unique = list(dict.fromkeys(problems))
    shown = [one_line(problem, MAX_TEXT) for problem in unique[:MAX_PROBLEMS]]
    if more := len(unique) - len(shown):
        shown.append(f"and {more} more")
    return Result(name, "failed", "; ".join(shown))


def verdict(url: str, version: str | None, results: Sequence[Result]) -> str:
    """One sentence about the whole instance."""
    name = f"CI Observer {version}" if version else "CI Observer"
    failed = [result.name for result in results if result.outcome == "failed"]
    if failed:
        return f"{name} at {url}: FAILED: {', '.join(failed)}"
    notes = sum(result.outcome == "note" for result in results)
    extra = f", {notes} with a note" if notes else ""
    return f"{name} at {url}: all {len(results)} checks passed{extra}"


def lines(url: str, version: str | None, results: Sequence[Result]) -> Iterator[str]:
    """The verdict, then a line for each check."""
    yield verdict(url, version, results)
    for result in results:
        mark = result.outcome.upper() if result.outcome == "failed" else result.outcome
        yield f"{mark:<7} {result.name:<12} {result.text}"


def as_json(url: str, version: str | None, results: Sequence[Result]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "ok": all(result.outcome != "failed" for result in results),
        "url": url,
        "version": version,
        "verdict": verdict(url, version, results),
        "checks": [
            {"name": r.name, "outcome": r.outcome, "text": r.text} for r in results
        ],
    }
