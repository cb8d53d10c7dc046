// The bars of a tile's last runs. They are most of its nodes: loaded and drawn when there is
// room for them, after the first frame.

import { setLink } from "./tile.js";
import { duration, word } from "../shared/words.js";

const FAILED = ["failure", "timed_out", "startup_failure"];

const drawn = new WeakMap();

export function drawStrip(list, { strip, html_url: url }) {
  if (drawn.get(list) === strip) return;
  drawn.set(list, strip);
  const durations = strip.map((run) => run.duration_seconds || 0).sort((a, b) => a - b);
  // One run that hung for hours must not make all the others look the same.
  const usual = durations[Math.floor(durations.length / 2)] || 1;
  const longest = Math.min(3 * usual, durations[durations.length - 1] || 1);
  list.replaceChildren(...strip.map((run) => makeBar(run, longest, url)));
}

export function shapeOf({ is_superseded: isSuperseded, result, conclusion, status }) {
  if (isSuperseded) return "superseded";
  if (result === "failing" || FAILED.includes(conclusion)) return "failure";
  return status === "completed" ? conclusion : "unfinished";
}

function makeBar(run, longest, url) {
  const bar = document.createElement("a");
  const { duration_seconds: took } = run;
  const share = took === null ? 1 : Math.max(0.14, Math.min(1, took / longest));
  bar.className = "bar";
  bar.dataset.result = shapeOf(run);
  bar.tabIndex = -1;
  bar.title = [
    `#${run.run_number} ${word(run.status === "completed" ? run.conclusion : run.status)}`,
    run.is_superseded && "superseded",
    run.run_attempt > 1 && `attempt ${run.run_attempt}`,
    took !== null && duration(took),
    run.started_at,
  ].filter(Boolean).join(" · ");
  bar.style.setProperty("--share", share.toFixed(3));
  // The runs of a tile are of one repository: their addresses differ in the number only.
  setLink(bar, url && url.replace(/\d+$/, run.run_id));
  return bar;
}
