"""The SQL of minutes: the system of a runner, and the billed and wasted minutes."""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.ingest.config.multipliers import GITHUBS
from ci_observer.ingest.db.vocabulary import sql_list

# The reasons for which the run time of a job is wasted: `waste` of `job_rollups`.
WASTE = ("superseded", "cancelled", "failed", "rerun")

# `like` knows no letter case. In the labels, a JSON array, each one is in quotes.
_OS = """
case
  when labels in ('', '[]') then 'unknown'
  when labels like '%"self-hosted"%' then 'self-hosted'
  when labels like '%"macos%' then 'macos'
  when labels like '%"windows%' then 'windows'
  else 'linux'
end"""

# A label's own factor wins. Minutes of unknown labels are null, unless there are none.
_BILLED = f"""
minutes * case
  when minutes = 0 then 0
  when os <> 'unknown' then coalesce(
    (
      select max(m.factor) from minute_multipliers m
      where m.os not in {sql_list(tuple(GITHUBS))}
        and instr(lower(labels), '"' || m.os || '"') > 0
    ),
    (select m.factor from minute_multipliers m where m.os = runners.os)
  )
end"""


def _run_minutes(condition: str) -> str:
    """The run time of the jobs that meet a condition, in minutes."""
    return f"round(total(seconds) filter (where {condition}) / 60, 1)"


_SUMS = ",\n".join(
    (
        "sum(jobs) as jobs",
        "round(sum(seconds) / 60.0, 1) as run_minutes",
        "sum(billed_minutes) as billed_minutes",
        _run_minutes("waste <> ''") + " as wasted_minutes",
        "sum(iif(waste <> '', billed_minutes, 0)) as wasted_billed_minutes",
        *(
            _run_minutes(f"waste = '{reason}'") + f" as {reason}_minutes"
            for reason in WASTE
        ),
    )
)

SQL_VALUES = {
    "runner_os": _OS.strip(),
    "billed_minutes": _BILLED.strip(),
    "minute_sums": _SUMS,
}
