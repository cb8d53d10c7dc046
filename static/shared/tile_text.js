// Describes a tile in words, for the wall and for the page of one workflow.

import { count, duration, ordinal, seconds } from "./format.js";
import { FAILURES, labelOf } from "./vocabulary.js";

const DISABLED = {
  disabled_manually: "disabled by hand on GitHub",
  disabled_inactivity: "disabled after 60 days without activity",
  disabled_fork: "GitHub disables workflows of forks",
  deleted: "the workflow file was deleted",
};

export const keyOf = (tile) => [tile.repo, tile.workflow, tile.branch].join("\n");

// GitHub names a workflow without a name by its path.
export const nameOf = (tile) =>
  (tile.workflow_name || tile.workflow).replace(/^\.github\/workflows\//, "");

export const stateOf = (tile) => tile.alarm || tile.tile_state;
// Loud tiles need attention: they are larger, and never hidden for lack of space.
export const isLoud = (tile) => Boolean(tile.alarm) || tile.tile_state === "failing";
// Passing without any reservation.
export const isGreen = (tile) => stateOf(tile) === "passing" && !tile.lost_run_id
  && tile.activity !== "held";

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
  if (hidesResult(tile)) return [["result", `was ${tile.last_result}`]];
  const isFailing = tile.last_result === "failing";
  const { last_result_conclusion: conclusion, last_result_run_attempt: attempt } = tile;
  const { failed_jobs: jobs, phantom_failures: phantoms } = tile;
  const green = isFailing ? "" : "green ";
  return [
    ["lost", tile.lost_run_id && "newest commit not tested"],
    ["streak", isFailing && tile.streak > 1 && `${ordinal(tile.streak)} in a row`],
    ["conclusion", isFailing && conclusion !== "failure" && FAILURES.includes(conclusion)
      && labelOf(conclusion)],
    ["attempt", attempt > 1 && `${green}on attempt ${attempt}`],
    ["jobs", !isFailing && jobs && `with ${count(jobs, "failed job")}`],
    ["phantoms", phantoms && count(phantoms, "phantom failure")],
    ["since", tile.since_at && `since ${when(tile.since_at)}`],
  ].filter(([, text]) => text);
}

const ALARM_TEXTS = {
  no_access: (tile) =>
    tile.error || "not found: wrong name, or no permission",
  stale: (tile) => tile.error || "no response from GitHub for three refreshes",
  disabled: ({ workflow_state: state }) => DISABLED[state] || `${state} on GitHub`,
  overdue: (tile, when) => `no scheduled run; one was due by ${when(tile.overdue_at)}`,
  stuck({ activity: name, started_at: at, median_duration_seconds: usual }, when, now) {
    return `${labelOf(name)} for ${duration(now - seconds(at))}`
      + (usual ? `, usually ~${duration(usual)}` : "");
  },
  invalid_file: () => "GitHub could not read the workflow file",
};

// Two lines that explain the state: the problem, and the change that led to it.
export function details(tile, when, now) {
  const explain = ALARM_TEXTS[tile.alarm];
  if (explain) return [explain(tile, when, now), ""];
  if (tile.last_result === "failing") {
    const step = [tile.failed_job, tile.failed_step].filter(Boolean).join(": ");
    return [step, tile.last_result_display_title || ""];
  }
  if (tile.run_id) return ["", tile.display_title || ""];
  return [`never ran on ${tile.branch || "its default branch"}`, ""];
}

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
    ? `${duration(elapsed)} of ~${duration(usual)}`
    : `+${duration(excess)} over`;
  return { name, text, done: Math.min(1, elapsed / usual) };
}
