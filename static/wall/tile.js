// One tile: made from the page's <template>, filled with text and attributes only.

import { set, setStyle, setText } from "../shared/dom.js";
import { activity, ago, details, duration, isLoud, nameOf, seconds, stateFacts, stateOf, word }
  from "../shared/words.js";

// A tile's parts by their names, looked for once.
const found = new WeakMap();
export function partsOf(node) {
  if (!found.has(node)) {
    const parts = [...node.querySelectorAll("[data-part]")];
    found.set(node, Object.fromEntries(parts.map((part) => [part.dataset.part, part])));
  }
  return found.get(node);
}

function setLine(node, text) {
  setText(node, text);
  set(node, "hidden", text ? null : "");
}

const setSymbol = (node, name) => set(node.firstElementChild, "href", `#symbol-${name}`);

// Only what is for the web: an address is text from elsewhere, too.
export const setLink = (node, url) => set(node, "href", /^https?:\/\//.test(url || "") ? url : null);

// The page of the tile's workflow; `looks` are the theme and time zone of this one.
function pageOf({ repo, workflow, branch, is_default_branch: isDefault }, { base, looks }) {
  const path = `${repo}/${workflow}`.split("/").map(encodeURIComponent).join("/");
  const query = isDefault || !branch ? looks
    : `${looks || "?"}&branch=${encodeURIComponent(branch)}`.replace("?&", "?");
  return `${base}workflows/${path}${query}`;
}

// Touches nothing that is so already: a screen stands for weeks. Without the pieces of
// the name, only time has passed.
export function fillTile(node, tile, page, pieces) {
  const { now, calendar } = page;
  const its = partsOf(node);
  const when = (instant) => calendar.point(seconds(instant), now);
  const doing = activity(tile, now);
  const facts = stateFacts(tile, when);
  const lines = details(tile, when, now);
  set(node, "data-activity", doing && tile.activity);
  setFacts(its.facts, facts);
  setLine(its.why, lines[0]);
  setLine(its.title, lines[1]);
  setActivity(node, tile, doing);
  setAge(its.age, tile, now);
  if (pieces) fillData(node, tile, page, pieces);
  setLabel(node, tile, facts, doing, lines);
}

// What only changes with the data.
function fillData(node, tile, page, pieces) {
  const its = partsOf(node);
  const state = stateOf(tile);
  const [owner, repo] = tile.repo.split("/");
  set(node, "data-state", state);
  set(node, "data-loud", isLoud(tile));
  setSymbol(its.symbol, state);
  setName(its.page, pieces);
  set(its.page, "href", pageOf(tile, page));
  setText(its.owner, `${owner}/`);
  setText(its.repo, repo);
  setLine(its.branch, tile.branch || "");
  setText(its.word, word(state));
  set(its.flaky, "hidden", tile.is_flaky ? null : "");
  setRun(its.run, tile);
  setLine(its.actor, (tile.activity ? tile.actor : tile.last_result_actor) || "");
  setStats(its.stats, tile);
  set(its.strip, "hidden", tile.run_id ? null : "");
}

// Its text is the whole name: what is cut has no size.
function setName(link, { head, cut, tail }) {
  const text = [head, cut, tail].map((pieces) => pieces.join("\t")).join("\n");
  if (link.dataset.text === text) return;
  link.dataset.text = text;
  link.replaceChildren();
  // After a space it wraps by itself.
  const add = (piece) =>
    link.append(piece, ...(/\s$/.test(piece) ? [] : [document.createElement("wbr")]));
  for (const piece of head) add(piece);
  if (cut.length) {
    const span = document.createElement("span");
    span.className = "tile__cut";
    span.textContent = cut.join("");
    add(span);
  }
  for (const piece of tail) add(piece);
}

// The link covers the tile: it says, and shows on hover, what may be cut off in it.
function setLabel(node, tile, facts, doing, lines) {
  const title = [
    nameOf(tile),
    `${tile.repo} ${tile.branch || ""}`,
    [word(stateOf(tile)), ...facts.map(([, text]) => text)].join(", "),
    doing ? `${doing.name} ${doing.text}` : "",
    ...lines,
  ].filter(Boolean).join("\n");
  const link = partsOf(node).page;
  set(link, "title", title);
  set(link, "aria-label", title.replace(/\n/g, "; "));
}

function setActivity(node, tile, doing) {
  const its = partsOf(node);
  set(its.activity, "hidden", doing ? null : "");
  set(node, "data-measured", Boolean(doing) && doing.done !== null);
  if (!doing) return;
  setSymbol(its["activity-symbol"], tile.activity);
  setText(its["activity-word"], doing.name);
  setText(its["activity-text"], doing.text);
  setStyle(its.rest, "--done", `${((doing.done || 0) * 100).toFixed(1)}%`);
}

function setFacts(node, facts) {
  const text = facts.map(([, fact]) => fact).join(" · ");
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  node.replaceChildren();
  for (const [name, fact] of facts) {
    const span = document.createElement("span");
    span.dataset.fact = name;
    span.textContent = fact;
    node.append(span, " ");
  }
}

// The age of the result, not of the run in progress.
function setAge(node, tile, now) {
  const started = seconds(tile.last_result_started_at || tile.started_at);
  const ended = started + (tile.last_result_duration_seconds || 0);
  setLine(node, started === null ? "" : ago(ended, now));
}

// The run that the tile speaks of.
function setRun(node, tile) {
  const isBase = !tile.activity && tile.last_result_run_number;
  const number = isBase ? tile.last_result_run_number : tile.run_number;
  setLine(node, number ? `#${number}` : "");
  setLink(node, isBase ? tile.last_result_html_url : tile.html_url);
  set(node, "title", `Run ${number} on GitHub`);
}

function setStats(node, { success_rate: rate, median_duration_seconds: median }) {
  setLine(node, [
    rate === null ? "" : `${Math.round(rate * 100)}\u00a0%`,
    median && `~${duration(median)}`,
  ].filter(Boolean).join(" · "));
}
