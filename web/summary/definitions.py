"""What each number of a summary counts: for its page, the API and the docs."""

# The numbers of the total, of each repository and of each workflow.
DEFINITIONS = {
    "red_seconds": "The time in which main was red. Main is the default branch; several"
    " workflows are red together while any of them is red.",
    "green_seconds": "The time in which all of main was green.",
    "unknown_seconds": "The time in which main was neither red nor green: untested,"
    " disabled, blocked, overdue, stuck, or without access.",
    "recorded_seconds": "The time in which main was red, green or neither. It is less"
    " than the span where the runs or the watching began later.",
    "red_percent": "The share of the red time in the recorded time.",
    "green_percent": "The share of the green time in the recorded time.",
    "unknown_percent": "The share of the time in which main was neither.",
    "breaks": "How often a workflow turned red on main after it was green, or with its"
    " first result. A time in between whose state is unknown is no second break.",
    "fixes": "The breaks that ended in these days, whenever they began.",
    "fix_median_seconds": "The time from a break to the next green, of half of the"
    " breaks that ended in these days at most.",
    "fix_longest_seconds": "The longest time from a break to the next green.",
    "runs": "Runs whose latest attempt started in these days, on all branches and for"
    " pull requests, unfinished ones included.",
    "finished_runs": "The completed ones of these runs.",
    "decided_runs": "Runs with a result: success, failure, timed out, or could not"
    " start. A run that hit its time limit timed out, although GitHub calls it"
    " cancelled.",
    "failed_runs": "Runs that failed, timed out or could not start.",
    "failure_rate_percent": "The share of failed runs among those with a result."
    " Cancelled, skipped and neutral runs are in no rate.",
    "default_branch_decided_runs": "Runs with a result of the repository itself on its"
    " default branch, without those of pull requests.",
    "default_branch_failed_runs": "The failed ones of the runs on default branches.",
    "default_branch_failure_rate_percent": "The share of failed runs among those with a"
    " result on default branches.",
    "tested_runs": "Runs that succeeded, failed or timed out.",
    "flaky_commits": "Commits on which one workflow both failed and passed, by the time"
    " of their newest attempt.",
    "flaky_per_100_runs": "Flaky commits for 100 runs that succeeded, failed or timed"
    " out.",
    "rerun_runs": "Completed runs with more than one attempt.",
    "rerun_percent": "The share of completed runs with more than one attempt.",
    "rerun_passed_runs": "Runs with more than one attempt whose last one succeeded.",
    "rerun_passed_percent": "How often a re-run helps: the share that succeeded of the"
    " runs with more than one attempt.",
    "timed_runs": "Successful first attempts that took more than 0 s. A re-run may"
    " repeat only a part.",
    "duration_p50_seconds": "The duration, waiting time included, that half of the"
    " successful first attempts did not exceed.",
    "duration_p95_seconds": "The duration that 95 % of the successful first attempts"
    " did not exceed.",
    "queued_runs": "First attempts that waited for a runner, and whose jobs are"
    " stored.",
    "queue_p50_seconds": "The time from the start of a run to the start of its first"
    " job that half of the runs did not exceed. By labels and hours, the time from the"
    " creation of a job to its start.",
    "queue_p95_seconds": "The queue time that 95 % of the runs, or of the jobs, did not"
    " exceed.",
    "jobs": "Stored jobs that started in these days.",
    "state": "What main is now: green, red or unknown; of several workflows the worst."
    " None if none of them has a result, or all are muted.",
    "since_at": "Since when main is green or red: the last of several workflows turned"
    " green then, the first of the red ones red.",
    "muted_workflows": "The workflows that the settings mute now. They do not count for"
    " the state; times, breaks and runs have them.",
    "runs_complete": "Whether all runs of these days are stored: none is being fetched,"
    " and the oldest one is from before. Otherwise sums are not compared.",
    "jobs_complete": "Whether the jobs of these days are fetched, as far as FETCH_JOBS"
    " selects them. Until then minutes and queue times are not compared.",
    "run_minutes": "The time that stored jobs ran.",
    "billed_minutes": "The minutes of jobs, rounded up for each job, times the factor"
    " of its system (MINUTE_MULTIPLIERS).",
    "jobs_without_price": "Jobs that the billed minutes leave out, because their labels"
    " are not known.",
    "wasted_minutes": "The minutes of jobs whose run failed, was cancelled or was"
    " superseded by a newer one, or that ran again in a re-run. The first of these"
    " reasons counts.",
    "wasted_percent": "The share of wasted minutes in those of all stored jobs; none"
    " while jobs are being fetched, or if only those of failed runs are.",
}
# The other lists of the API.
LISTS = {
    "breaks": "The newest breaks of which some part is in these days: the run, the"
    " commit, the person, and the first job and step that failed.",
    "days": "The runs of each day of both spans, with decided_runs and failed_runs.",
    "events": "The runs by the event that triggered them, most first.",
    "actors": "The runs by the account that triggered their first attempt, most first."
    " Of a scheduled run, GitHub names whoever last changed the schedule.",
    "hours": "The runs by the weekday, Monday is 1, and the hour in which their latest"
    " attempt started, in the time zone of the instance.",
    "queue_labels": "The queue times of jobs by the labels of their runner, longest"
    " first.",
    "queue_hours": "The queue times of jobs by the hour in which they started.",
    "alarms": "Workflows that are stuck, overdue or disabled now, and those whose last"
    " scheduled run is so long ago that the schedule counts as gone, as on the wall.",
    "waste": "The wasted minutes by reason.",
}
