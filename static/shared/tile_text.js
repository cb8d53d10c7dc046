// Describes a tile in words, for the wall and for the page of one workflow.

import { base } from "./dom.js";
import { ago, count, duration, ordinal, seconds } from "./format.js";
import { FAILURES, labelOf } from "./vocabulary.js";

const DISABLED = {
  disabled_manually: "by hand on GitHub",
  disabled_inactivity: "after 60 days without activity",
  disabled_fork: "GitHub disables workflows of forks",
  deleted: "the workflow file was deleted",
  archived: "the repository is archived",
};

// Each tag that decides a tile is its branch; the tile stays the same.
export const keyOf = (tile) =>
  [tile.peer, tile.repo, tile.workflow, tile.tag ? "" : tile.branch].join("\n");

// The branch, and the instance if another one watches it.
export const placeOf = ({ branch, peer }) => [branch, peer].filter(Boolean).join(" · ");

// GitHub names a workflow without a name by its path.
export const nameOf = (tile) =>
  (tile.workflow_name || tile.workflow).replace(/^\.github\/workflows\/(?=.)/, "");

// Returns a function from a tile to its [repository, workflow], as short as the tiles can be
// told apart: with the owner where repositories of two owners have the same name, with the
// file where two workflows of a repository do, and with the place where one has two tiles.
export function makeTitles(tiles) {
  const values = new Map();
  const add = (key, value) => values.set(key, (values.get(key) || new Set()).add(value));
  const isShared = (key) => (values.get(key) || {}).size > 1;
  const keysOf = (tile) => {
    const repo = tile.repo.toLowerCase();
    return [repo.split("/")[1], `${repo}\n${nameOf(tile)}`, `${repo}\n\n${tile.workflow}`];
  };
  for (const tile of tiles) {
    const [repo, name, file] = keysOf(tile);
    add(repo, tile.repo.toLowerCase());
    add(name, tile.workflow);
    add(file, placeOf(tile));
  }
  return (tile) => {
    const [repo, name, file] = keysOf(tile).map(isShared);
    return [
      repo ? tile.repo : tile.repo.split("/")[1],
      nameOf(tile) + (name ? ` (${tile.workflow})` : "") + (file ? ` · ${placeOf(tile)}` : ""),
    ];
  };
}

export const stateOf = (tile) => tile.alarm || tile.tile_state;
// Loud tiles need attention: they are larger, and never hidden for lack of space.
export const isLoud = (tile) => Boolean(tile.alarm) || tile.tile_state === "failing";
export const isUntested = (tile) => stateOf(tile) === "untested";
// Passing without any reservation.
export const isGreen = (tile) => stateOf(tile) === "passing" && tile.activity !== "held";

// Of a hidden tile: whether the wall may still say that the others pass. The settings mute a tile with
// a reason and an end.
export const isAccepted = (tile) => isGreen(tile) || Boolean(tile.muted_until);

// Whether the wall may say that all of several tiles pass.
export const areAllPassing = (tiles, isTrusted) =>
  isTrusted && tiles.length > 1 && tiles.every(isGreen);

export function countLoud(tiles) {
  const loud = tiles.filter(isLoud).length;
  return { loud, quiet: tiles.length - loud };
}

// An alarm hides the last result, except for an invalid workflow file.
const hidesResult = ({ alarm }) => alarm && alarm !== "invalid_file";

// A long time in hours only.
export const roughly = (s) => duration(s < 7200 ? s : 3600 * Math.round(s / 3600));

// For how long a tile shows that it was fixed, in seconds.
const RECOVERY = 1800;

// Who started the run that made the change, "broken" or "fixed". GitHub's actor of a schedule
// is whoever last changed it.
export function starterOf(tile, change) {
  const of = (name) => tile[`${change}_${name}`];
  return of("event") === "schedule" && !(of("run_attempt") > 1) ? "" : of("actor");
}

function recovery(tile, now) {
  const { fixed_run_number: number, red_seconds: red } = tile;
  if (stateOf(tile) !== "passing" || !(now - seconds(tile.fixed_at) < RECOVERY)) return "";
  const by = starterOf(tile, "fixed") || `#${number}`;
  return `fixed by ${by}${red ? `, was red ${roughly(red)}` : ""}`;
}

// The facts after the state: [name, text] pairs.
export function stateFacts(tile, when, now) {
  if (tile.last_result === "unknown") return [];
  const was = ["result", `was ${tile.last_result}`];
  if (hidesResult(tile)) return [was];
  const lost = ["lost", tile.lost_run_id && "newest commit not tested"];
  if (isUntested(tile)) return [lost[1] ? lost : was];
  const isFailing = tile.last_result === "failing";
  const { last_result_run_attempt: attempt, no_scheduled_run_since: unscheduledAt } = tile;
  const { failed_jobs: jobs, phantom_failures: phantoms } = tile;
  const green = isFailing ? "" : "green ";
  const fixed = recovery(tile, now);
  return [
    ["fixed", fixed],
    lost,
    ["streak", isFailing && tile.streak > 1 && `${ordinal(tile.streak)} in a row`],
    ["conclusion", isFailing && failureOf(tile)],
    ["attempt", attempt > 1 && `${green}on attempt ${attempt}`],
    ["jobs", !isFailing && jobs && `with ${count(jobs, "failed job")}`],
    ["phantoms", phantoms && count(phantoms, "phantom failure")],
    ["schedule", unscheduledAt && `no scheduled run since ${when(unscheduledAt)}`],
    ["since", !fixed && tile.since_at && `since ${when(tile.since_at)}`],
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

// The first run of the present failures: [name, text, URL] of its parts.
export function breakage(tile, now) {
  const { repo, workflow, branch, broken_at: at, broken_html_url: url } = tile;
  if (!at || tile.last_result !== "failing" || hidesResult(tile)) return [];
  const sha = /^[0-9a-f]{7,}$/i.test(tile.broken_head_sha) ? tile.broken_head_sha : "";
  const runs = new URLSearchParams({ repo, workflow, ...(branch && { branch }), since: at });
  const other = url || tile.last_result_html_url || tile.html_url || "";
  return [
    ["run", `#${tile.broken_run_number}`, url],
    ["commit", starterOf(tile, "broken") || sha.slice(0, 7),
      sha && other.replace(/\/actions\/.*/, `/commit/${sha}`)],
    ["at", ago(seconds(at), now), `${tile.peer_url || base}runs?${runs}`],
  ].filter(([, text]) => text);
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
  invalid_file: () => "GitHub could not read it",
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
    const isStarted = step || tile.last_result_conclusion !== "startup_failure";
    return [isStarted ? step : "no job ran, see GitHub", tile.last_result_display_title || ""];
  }
  if (tile.run_id) return ["", tile.display_title || ""];
  const reason = WITHOUT_RUN[tile.unknown_reason];
  return [reason || `never ran on ${tile.branch || "its default branch"}`, ""];
}

// The error of the failed job, and which other tiles have it since when.
export function errorLines(tile, when) {
  const { error_message: text, error_other_tiles: others } = tile;
  const isShown = text && tile.last_result_cancel_cause !== "timeout" && !hidesResult(tile);
  if (!isShown) return [];
  const same = others && `same error in ${count(others, "other workflow")}`;
  return [text, same ? `${same} since ${when(tile.error_since_at)}` : ""];
}

// The run on GitHub that the first of these lines is about.
export const detailUrl = (tile) => ({
  blocked: tile.blocked_html_url,
  stuck: tile.stuck_html_url,
  untested: tile.untested_html_url,
}[stateOf(tile)]);

// The newer run over the result: its state, a text, what is usual, and two shares of the bar of
// its progress: up to now and, when it is late, up to the usual time.
export function activity(tile, now) {
  if (!tile.activity || hidesResult(tile)) return null;
  const name = labelOf(tile.activity);
  const elapsed = Math.max(0, now - seconds(tile.started_at));
  const usual = tile.activity === "running" && tile.median_duration_seconds;
  if (!usual) {
    const text = tile.activity === "held" ? "needs approval" : duration(elapsed);
    const wait = tile.activity === "queued" ? tile.usual_queue_seconds : null;
    return { name, text, usual: wait === null ? "" : `usually ${duration(wait)}`, done: null };
  }
  const excess = elapsed - usual;
  return excess < 60
    ? { name, text: duration(elapsed), usual: `of usually ${duration(usual)}`,
      done: Math.min(1, elapsed / usual) }
    : { name, text: `+${duration(excess)}`, usual: `over usual ${duration(usual)}`, done: usual / elapsed, isLate: true };
}

// In one line: "queued 6 min, usually 20 s", "running 2 min of usually 5 min".
export const activityText = ({ name, text, usual }) =>
  [`${name} ${text}`, usual].filter(Boolean).join(usual.startsWith("usually") ? ", " : " ");
