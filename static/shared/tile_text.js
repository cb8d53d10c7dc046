// Describes a tile in words, for the wall and for the page of one workflow.

import { count, duration, ordinal, seconds } from "./format.js";
import { FAILURES, labelOf } from "./vocabulary.js";

const DISABLED = {
  disabled_manually: "disabled by hand on GitHub",
  disabled_inactivity: "disabled after 60 days without activity",
  disabled_fork: "GitHub disables workflows of forks",
  deleted: "the workflow file was deleted",
  archived: "the repository is archived",
};

// Each tag that decides a tile is its branch; the tile stays the same.
export const keyOf = (tile) =>
  [tile.repo, tile.workflow, tile.tag ? "" : tile.branch].join("\n");

// GitHub names a workflow without a name by its path.
export const nameOf = (tile) =>
  (tile.workflow_name || tile.workflow).replace(/^\.github\/workflows\/(?=.)/, "");

export const stateOf = (tile) => tile.alarm || tile.tile_state;
// Loud tiles need attention: they are larger, and never hidden for lack of space.
export const isLoud = (tile) => Boolean(tile.alarm) || tile.tile_state === "failing";
export const isUntested = (tile) => stateOf(tile) === "untested";
// Passing without any reservation.
export const isGreen = (tile) => stateOf(tile) === "passing" && tile.activity !== "held";

// Whether the wall may say that all of several tiles pass.
export const areAllPassing = (tiles, isTrusted) =>
  isTrusted && tiles.length > 1 && tiles.every(isGreen);

export function countLoud(tiles) {
  const loud = tiles.filter(isLoud).length;
  return { loud, quiet: tiles.length - loud };
}

// An alarm hides the last result, except for an invalid workflow file.
const hidesResult = ({ alarm }) => alarm && alarm !== "invalid_file";

// The facts after the state: [name, text] pairs.
export function stateFacts(tile, when) {
  if (tile.last_result === "unknown") return [];
  const was = ["result", `was ${tile.last_result}`];
  if (hidesResult(tile)) return [was];
  const lost = ["lost", tile.lost_run_id && "newest commit not tested"];
  if (isUntested(tile)) return [lost[1] ? lost : was];
  const isFailing = tile.last_result === "failing";
  const { last_result_run_attempt: attempt, no_scheduled_run_since: unscheduledAt } = tile;
  const { failed_jobs: jobs, phantom_failures: phantoms } = tile;
  const green = isFailing ? "" : "green ";
  return [
    lost,
    ["streak", isFailing && tile.streak > 1 && `${ordinal(tile.streak)} in a row`],
    ["conclusion", isFailing && failureOf(tile)],
    ["attempt", attempt > 1 && `${green}on attempt ${attempt}`],
    ["jobs", !isFailing && jobs && `with ${count(jobs, "failed job")}`],
    ["phantoms", phantoms && count(phantoms, "phantom failure")],
    ["schedule", unscheduledAt && `no scheduled run since ${when(unscheduledAt)}`],
    ["since", tile.since_at && `since ${when(tile.since_at)}`],
  ].filter(([, text]) => text);
}

// How the last result failed, unless it simply did.
function failureOf(tile) {
  const { last_result_conclusion: conclusion, timed_out_seconds: limit } = tile;
  if (tile.last_result_cancel_cause === "timeout") {
    return `timed out${limit >= 60 ? ` after ${duration(limit - (limit % 60))}` : ""}`;
  }
  return conclusion !== "failure" && FAILURES.includes(conclusion) && labelOf(conclusion);
}

const ALARM_TEXTS = {
  no_access: (tile) =>
    tile.error || "not found: wrong name, or no permission",
  blocked: () =>
    "GitHub runs nothing here: account or repository blocked (billing, policy)",
  stale: (tile) => tile.error || "no good response from GitHub lately",
  disabled: ({ workflow_state: state }) => DISABLED[state] || `${state} on GitHub`,
  overdue: (tile, when) => `no scheduled run; one was due by ${when(tile.overdue_at)}`,
  stuck(tile, when, now) {
    const { stuck_started_at: at, median_duration_seconds: usual } = tile;
    return `#${tile.stuck_run_number} ${labelOf(tile.stuck_activity)}`
      + ` for ${duration(now - seconds(at))}${usual ? `, usually ${duration(usual)}` : ""}`;
  },
  invalid_file: () => "GitHub could not read the workflow file",
};

const UNTESTED = { phantom: "failed in 0 s, without jobs" };

// Why the newest runs do not prove the last success.
function untestedText(tile) {
  const { untested_reason: reason, untested_runs: runs, cancelled_by: person } = tile;
  if (reason === "no_runs") return "GitHub lists no runs any more";
  const newest = (noun) => `newest ${runs > 1 ? `${runs} ${noun}s` : noun}`;
  if (reason === "unknown_conclusion") {
    const word = labelOf(tile.untested_conclusion || "no conclusion");
    return `${newest("result")} not understood: ${word}`;
  }
  const by = person ? `${runs > 1 ? ", the last" : ""} by ${person}` : "";
  return `${newest("run")} ${UNTESTED[reason] || reason}${by}`;
}

const WITHOUT_RUN = {
  pull_requests_only: "runs on pull requests only",
  no_run: "no run yet",
};

// Two lines that explain the state: the problem, and the change that led to it.
export function details(tile, when, now) {
  const explain = ALARM_TEXTS[tile.alarm];
  if (explain) return [explain(tile, when, now), ""];
  if (isUntested(tile)) return [untestedText(tile), ""];
  if (tile.last_result === "failing") {
    const step = [tile.failed_job, tile.failed_step].filter(Boolean).join(": ");
    return [step, tile.last_result_display_title || ""];
  }
  if (tile.run_id) return ["", tile.display_title || ""];
  const reason = WITHOUT_RUN[tile.unknown_reason];
  return [reason || `never ran on ${tile.branch || "its default branch"}`, ""];
}

// The run on GitHub that the first of these lines is about.
export const detailUrl = (tile) => ({
  blocked: tile.blocked_html_url,
  stuck: tile.stuck_html_url,
  untested: tile.untested_html_url,
}[stateOf(tile)]);

// The newer run over the result: its state, a text, and its progress (0 to 1, or null).
export function activity(tile, now) {
  if (!tile.activity || hidesResult(tile)) return null;
  const name = labelOf(tile.activity);
  const elapsed = Math.max(0, now - seconds(tile.started_at));
  const usual = tile.activity === "running" && tile.median_duration_seconds;
  if (!usual) {
    const text = tile.activity === "held" ? "needs approval" : duration(elapsed);
    return { name, text, done: null };
  }
  const excess = elapsed - usual;
  const text = excess < 60
    ? `${duration(elapsed)} of usually ${duration(usual)}`
    : `+${duration(excess)} over`;
  return { name, text, done: Math.min(1, elapsed / usual) };
}
