// The bars of a tile's last runs. They are most of its DOM nodes, so they are loaded and drawn
// after the first frame, and only when the tile has room.

import { duration } from "../shared/format.js";
import { FAILURES, labelOf } from "../shared/vocabulary.js";
import { loadStyle } from "./load_style.js";
import { setLink } from "./tile.js";

const drawn = new WeakMap();

// `strips` are [tile, element].
export async function drawStrips(strips) {
  // Without the style bars have no shape; the next drawing tries again.
  const isStyled = await loadStyle("strip").then(() => true, () => false);
  if (isStyled) for (const [tile, list] of strips) drawStrip(list, tile);
}

function drawStrip(list, { strip, html_url: url }) {
  if (drawn.get(list) === strip) return;
  drawn.set(list, strip);
  const durations = strip.map((run) => run.duration_seconds || 0).sort((a, b) => a - b);
  // One run that hung for hours must not make all others look equally short.
  const usual = durations[Math.floor(durations.length / 2)] || 1;
  const longest = Math.min(3 * usual, durations[durations.length - 1] || 1);
  list.replaceChildren(...strip.map((run) => makeBar(run, longest, url)));
}

export function shapeOf({ is_superseded: isSuperseded, result, conclusion, status }) {
  if (isSuperseded) return "superseded";
  if (result === "failing" || FAILURES.includes(conclusion)) return "failure";
  return status === "completed" ? conclusion : "unfinished";
}

function makeBar(run, longest, url) {
  const bar = document.createElement("a");
  const { duration_seconds: taken } = run;
  const share = taken === null ? 1 : Math.max(0.14, Math.min(1, taken / longest));
  bar.className = "bar";
  bar.dataset.result = shapeOf(run);
  bar.tabIndex = -1;
  bar.title = [
    `#${run.run_number} ${labelOf(run.status === "completed" ? run.conclusion : run.status)}`,
    run.is_superseded && "superseded",
    run.run_attempt > 1 && `attempt ${run.run_attempt}`,
    taken !== null && duration(taken),
    run.started_at,
  ].filter(Boolean).join(" · ");
  bar.style.setProperty("--share", share.toFixed(3));
  // All runs of a tile are in one repository: their URLs differ in the run's id only.
  setLink(bar, url && url.replace(/\d+$/, run.run_id));
  return bar;
}
