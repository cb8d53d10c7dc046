// The page of one workflow: describes its state like the wall's tile, and moves the focus in
// charts with the arrow keys.

import { find, setText } from "../shared/dom.js";
import { seconds } from "../shared/format.js";
import { activity, activityText, details, stateFacts, stateOf } from "../shared/tile_text.js";
import { labelOf } from "../shared/vocabulary.js";
import { drawAges } from "./ages.js";
import { keepLive } from "./live.js";


function drawState({ now, times }) {
  const tile = JSON.parse(find("tile").textContent);
  if (!tile) return;
  const when = (instant) => times.point(seconds(instant), now);
  setText(find("state-word"), labelOf(stateOf(tile)));
  setText(find("state-facts"), stateFacts(tile, when).map(([, text]) => text).join(" · "));
  const explanation = details(tile, when, now).filter(Boolean).join(" · ");
  setText(find("state-detail"), explanation);
  find("state-detail").hidden = !explanation;
  const newer = activity(tile, now);
  find("state-activity").hidden = !newer;
  setText(find("state-activity"), newer ? activityText(newer) : "");
}

function onDraw({ now, times }) {
  drawState({ now, times });
  drawAges(now);
  for (const group of document.querySelectorAll("[data-roving]")) rove(group);
}

// Roving tabindex: the Tab key stops once in each group, first at the newest run, and the
// arrow keys move within it.

const linksOf = (group) => [...group.querySelectorAll("a[href]")];

function rove(group) {
  const links = linksOf(group);
  const stop = links.find((link) => link === document.activeElement)
    || links.find((link) => link.getAttribute("tabindex") === "0") || links[links.length - 1];
  for (const link of links) {
    const index = link === stop ? "0" : "-1";
    if (link.getAttribute("tabindex") !== index) link.setAttribute("tabindex", index);
  }
}

const MOVES = {
  ArrowRight: (index) => index + 1,
  ArrowDown: (index) => index + 1,
  ArrowLeft: (index) => index - 1,
  ArrowUp: (index) => index - 1,
  Home: () => 0,
  End: (index, last) => last,
};

document.addEventListener("keydown", (event) => {
  const group = event.target.closest("[data-roving]");
  const move = MOVES[event.key];
  if (!group || !move || event.altKey || event.ctrlKey || event.metaKey) return;
  const links = linksOf(group);
  const last = links.length - 1;
  const next = move(links.indexOf(event.target.closest("a")), last);
  event.preventDefault();
  links[Math.min(last, Math.max(0, next))].focus();
  rove(group);
});

for (const id of ["branch", "compare"]) {
  find(id)?.addEventListener("change", () => find("branch-form").requestSubmit());
}
// The address has no empty choice.
find("branch-form").addEventListener("formdata", ({ formData }) => {
  if (!formData.get("compare")) formData.delete("compare");
});

keepLive({ address: () => location.href, onDraw });
