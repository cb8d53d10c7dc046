// The page of one workflow: the wall's words for its state, charts by arrow keys.

import { setText } from "../shared/dom.js";
import { keepLive } from "./live.js";
import { activity, details, duration, seconds, stateFacts, stateOf, word } from "../shared/words.js";

const find = (id) => document.getElementById(id);

// What the tile of the wall says, in the very same words.
function drawState({ now, times }) {
  const tile = JSON.parse(find("tile").textContent);
  if (!tile) return;
  const at = now();
  const when = (instant) => times.point(seconds(instant), at);
  setText(find("state-word"), word(stateOf(tile)));
  setText(find("state-facts"), stateFacts(tile, when).map(([, text]) => text).join(" · "));
  const explanation = details(tile, when, at).filter(Boolean).join(" · ");
  setText(find("state-detail"), explanation);
  find("state-detail").hidden = !explanation;
  const doing = activity(tile, at);
  find("state-activity").hidden = !doing;
  if (doing) setText(find("state-activity"), `${doing.name} ${doing.text}`);
}

function tick(contact) {
  drawState(contact);
  for (const node of document.querySelectorAll("[data-since]")) {
    setText(node, duration(contact.now() - seconds(node.dataset.since)));
  }
  for (const group of document.querySelectorAll("[data-roving]")) rove(group);
}

// One stop of the Tab key for each group of links; the arrows move within it.

const linksOf = (group) => [...group.querySelectorAll("a[href]")];

function rove(group) {
  const links = linksOf(group);
  const stop = links.find((link) => link === document.activeElement)
    || links.find((link) => link.getAttribute("tabindex") === "0") || links[0];
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

find("branch").addEventListener("change", () => find("branch-form").submit());

keepLive({ address: () => location.href, tick });
