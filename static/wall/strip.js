// The bars of a tile's last runs. They are most of its DOM nodes, so they are loaded and drawn
// after the first frame, and only when the tile has room.

import { duration } from "../shared/format.js";
import { FAILURES, labelOf } from "../shared/vocabulary.js";
import { loadStyle } from "./load_style.js";
import { setLink } from "./tile.js";

// The conclusions that have a shape of their own; any other is marked as odd.
const UNDERSTOOD = ["success", "cancelled", "skipped", "neutral", "action_required"];

const drawn = new WeakMap();

// `strips` are [tile, element].
export async function drawStrips(strips) {
  // Without the style bars have no shape; the next drawing tries again.
  const isStyled = await loadStyle("strip").then(() => true, () => false);
  if (isStyled) for (const [tile, list] of strips) drawStrip(list, tile);
}

function drawStrip(list, tile) {
  const { strip } = tile;
  if (drawn.get(list) === strip) return;
  drawn.set(list, strip);
  // All runs of a tile are in one repository: their URLs differ in the run's id only.
  const url = tile.html_url || tile.last_result_html_url || tile.untested_html_url || "";
  const durations = strip.map((run) => run.duration_seconds || 0).sort((a, b) => a - b);
  // One run that hung for hours must not make all others look equally short.
  const usual = durations[Math.floor(durations.length / 2)] || 1;
  const longest = Math.min(3 * usual, durations[durations.length - 1] || 1);
  list.replaceChildren(...strip.map((run) => makeBar(run, longest, url)));
}

// The conclusion, but `timed_out` for a run that GitHub cancelled at its time limit.
function conclusionOf({ conclusion, cancel_cause: cause }) {
  return conclusion === "cancelled" && cause === "timeout" ? "timed_out" : conclusion;
}

export function shapeOf(run) {
  const { is_superseded: isSuperseded, result, status } = run;
  const conclusion = conclusionOf(run);
  if (isSuperseded) return "superseded";
  if (result === "failing" || FAILURES.includes(conclusion)) return "failure";
  if (status !== "completed") return "unfinished";
  return UNDERSTOOD.includes(conclusion) ? conclusion : "odd";
}

export function wordOf(run) {
  const { status, result } = run;
  const conclusion = conclusionOf(run);
  if (status !== "completed") return labelOf(status);
  if (conclusion === "cancelled" && result === "failing") return "cancelled, counts as failed";
  return labelOf(conclusion || "no conclusion");
}

function makeBar(run, longest, url) {
  const bar = document.createElement("a");
  const { duration_seconds: taken } = run;
  const share = taken === null ? 1 : Math.max(0.14, Math.min(1, taken / longest));
  bar.className = "bar";
  bar.dataset.result = shapeOf(run);
  bar.tabIndex = -1;
  bar.title = [
    `#${run.run_number} ${wordOf(run)}`,
    run.is_superseded && "superseded",
    run.run_attempt > 1 && `attempt ${run.run_attempt}`,
    taken !== null && duration(taken),
    run.started_at,
    run.is_gone && "no longer on GitHub",
  ].filter(Boolean).join(" · ");
  bar.style.setProperty("--share", share.toFixed(3));
  setLink(bar, !run.is_gone && url.replace(/\d+$/, run.run_id));
  return bar;
}
