// One tile: made from the page's <template>, filled with text and attributes only.

import { set, setText } from "./dom.js";
import { activity, ago, details, duration, isLoud, nameOf, seconds, stateFacts, stateOf, word }
  from "./words.js";

const FAILED = ["failure", "timed_out", "startup_failure"];

const part = (node, name) => node.querySelector(`[data-part="${name}"]`);

function setLine(node, text) {
  setText(node, text);
  set(node, "hidden", text ? null : "");
}

const setSymbol = (node, name) => set(node.firstElementChild, "href", `#symbol-${name}`);

// Only what is for the web: an address is text from elsewhere, too.
const setLink = (node, url) => set(node, "href", /^https?:\/\//.test(url || "") ? url : null);

// The page of the tile's workflow, in the theme and the time zone of this one.
function pageOf({ repo, workflow, branch, is_default_branch: isDefault }, base) {
  const path = `${repo}/${workflow}`.split("/").map(encodeURIComponent).join("/");
  const query = new URLSearchParams();
  if (!isDefault && branch) query.set("branch", branch);
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (["theme", "tz"].includes(name)) query.set(name, value);
  }
  return `${base}workflows/${path}?${query}`.replace(/\?$/, "");
}

// Touches nothing that is so already: a screen stands for weeks. Without the pieces of
// the name, only time has passed.
export function fillTile(node, tile, { now, calendar }, base, pieces) {
  const its = (name) => part(node, name);
  const when = (instant) => calendar.point(seconds(instant), now);
  const doing = activity(tile, now);
  const facts = stateFacts(tile, when);
  const lines = details(tile, when, now);
  set(node, "data-activity", doing && tile.activity);
  setFacts(its("facts"), facts);
  setLine(its("why"), lines[0]);
  setLine(its("title"), lines[1]);
  setActivity(node, doing);
  setAge(its("age"), tile, now);
  if (pieces) fillData(node, tile, base, pieces);
  setLabel(node, tile, facts, doing, lines);
}

// What only changes with the data.
function fillData(node, tile, base, pieces) {
  const its = (name) => part(node, name);
  const state = stateOf(tile);
  const [owner, repo] = tile.repo.split("/");
  set(node, "data-state", state);
  set(node, "data-loud", isLoud(tile));
  setSymbol(its("symbol"), state);
  setSymbol(its("activity-symbol"), tile.activity || "running");
  setName(its("page"), pieces);
  set(its("page"), "href", pageOf(tile, base));
  setText(its("owner"), `${owner}/`);
  setText(its("repo"), repo);
  setLine(its("branch"), tile.branch || "");
  setText(its("word"), word(state));
  set(its("flaky"), "hidden", !tile.is_flaky);
  setRun(its("run"), tile);
  setLine(its("actor"), (tile.activity ? tile.actor : tile.base_actor) || "");
  setStats(its("stats"), tile);
  setStrip(its("strip"), tile);
}

// Its text is the whole name: what is cut has no size.
function setName(link, { head, cut, tail }) {
  const text = [head, cut, tail].map((pieces) => pieces.join("\t")).join("\n");
  if (link.dataset.text === text) return;
  link.dataset.text = text;
  link.replaceChildren();
  const add = (...items) => link.append(...items, document.createElement("wbr"));
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
  const link = part(node, "page");
  set(link, "title", title);
  set(link, "aria-label", title.replace(/\n/g, "; "));
}

function setActivity(node, doing) {
  set(part(node, "activity"), "hidden", !doing);
  set(node, "data-measured", Boolean(doing) && doing.done !== null);
  if (!doing) return;
  setText(part(node, "activity-word"), doing.name);
  setText(part(node, "activity-text"), doing.text);
  const { style } = part(node, "rest");
  const done = `${((doing.done || 0) * 100).toFixed(1)}%`;
  if (style.getPropertyValue("--done") !== done) style.setProperty("--done", done);
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
  const started = seconds(tile.base_started_at || tile.started_at);
  const ended = started + (tile.base_duration_seconds || 0);
  setLine(node, started === null ? "" : ago(ended, now));
}

// The run that the tile speaks of.
function setRun(node, tile) {
  const isBase = !tile.activity && tile.base_run_number;
  const number = isBase ? tile.base_run_number : tile.run_number;
  setLine(node, number ? `#${number}` : "");
  setLink(node, isBase ? tile.base_html_url : tile.html_url);
  set(node, "title", `Run ${number} on GitHub`);
}

function setStats(node, { success_rate: rate, median_duration_seconds: median }) {
  setLine(node, [
    rate === null ? "" : `${Math.round(rate * 100)}\u00a0%`,
    median && `~${duration(median)}`,
  ].filter(Boolean).join(" · "));
}

function setStrip(list, { strip, html_url: url }) {
  const text = typeof strip === "string" ? strip : JSON.stringify(strip);
  if (list.dataset.strip === text) return;
  list.dataset.strip = text;
  const runs = JSON.parse(text) || [];
  const durations = runs.map((run) => run.duration_seconds || 0).sort((a, b) => a - b);
  // One run that hung for hours must not make all the others look the same.
  const usual = durations[Math.floor(durations.length / 2)] || 1;
  const longest = Math.min(3 * usual, durations[durations.length - 1] || 1);
  list.hidden = !runs.length;
  list.replaceChildren(...runs.map((run) => makeBar(run, longest, url)));
}

export function shapeOf({ is_superseded: isSuperseded, base, conclusion, status }) {
  if (isSuperseded) return "superseded";
  if (base === "failing" || FAILED.includes(conclusion)) return "failure";
  return status === "completed" ? conclusion : "unfinished";
}

function makeBar(run, longest, url) {
  const item = document.createElement("li");
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
  item.append(bar);
  return item;
}
