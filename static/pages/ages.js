// Texts that change as time passes: the ages of runs, and the durations of unfinished ones.

import { setText } from "../shared/dom.js";
import { ago, duration, seconds } from "../shared/format.js";

export function drawAges(now) {
  for (const node of document.querySelectorAll("[data-ago]")) {
    const at = seconds(node.dateTime);
    if (at !== null) setText(node, ago(at, now));
  }
  for (const node of document.querySelectorAll("[data-since]")) {
    setText(node, duration(now - seconds(node.dataset.since)));
  }
}
