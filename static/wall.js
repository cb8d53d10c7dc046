// The wall: draws the tiles, keeps them fresh, and goes loud when it cannot.

import { narrow, narrowByState, readFilters, statesOf, wallQuery, writeFilters }
  from "./filters.js";
import { fit } from "./layout.js";
import { fillTile, makeTile, tickTile } from "./tile.js";
import { STATES, ago, calendar, duration, seconds, word } from "./words.js";

const LOST_AFTER_REFRESHES = 3;
const TIMEOUT_MS = 15000;
const RELOAD_AFTER_MS = 24 * 3600 * 1000;
const BAD_STATES = ["no_access", "stale", "overdue", "zombie", "disabled"];

const base = document.documentElement.dataset.base;
const find = (id) => document.getElementById(id);
const grid = find("tiles");
const template = find("tile");
const first = JSON.parse(find("first-data").textContent);
const openedAt = Date.now();

let config = first.config;
let wall = first.wall;
let etag = null;
let filters = readFilters(location.search);
let shown = [];
let nodes = new Map();
let times = calendar(config.timezone);
let clockOffset = 0;
let lastAnswerAt = 0;
let request = null;
let timer = null;

// Server time in seconds: the screen's own clock may be hours off.
const now = () => (Date.now() + clockOffset) / 1000;
const page = () => ({ base, now, calendar: times });
const keyOf = (tile) => [tile.repo, tile.workflow, tile.branch].join("\n");

function accept(answer) {
  config = answer;
  times = calendar(config.timezone);
  clockOffset = seconds(config.server_time) * 1000 - Date.now();
  lastAnswerAt = now();
}

// Refreshing: one request at a time, the next timer after its end, no matter how.

async function load(path, headers = {}) {
  const answer = await fetch(base + path, {
    cache: "no-store", headers, signal: request.signal,
  });
  if (!answer.ok && answer.status !== 304) throw new Error(`HTTP ${answer.status}`);
  return answer;
}

async function refresh() {
  if (request) request.abort();
  clearTimeout(timer);
  const mine = new AbortController();
  request = mine;
  const giveUp = setTimeout(() => mine.abort(), TIMEOUT_MS);
  try {
    const query = wallQuery(filters);
    const fresh = await (await load("api/config")).json();
    const same = etag && etag.query === query;
    const tiles = await load(
      `api/wall${query}`, same ? { "If-None-Match": etag.value } : {},
    );
    if (tiles.status !== 304) {
      wall = await tiles.json();
      etag = { query, value: tiles.headers.get("ETag") };
    }
    if (mine !== request) return;
    const isOutdated = fresh.version !== first.config.version;
    if (isOutdated || Date.now() - openedAt > RELOAD_AFTER_MS) location.reload();
    accept(fresh);
    draw();
  } catch (error) {
    if (mine === request) tick();
  } finally {
    clearTimeout(giveUp);
    if (mine === request) {
      request = null;
      timer = setTimeout(refresh, config.refresh_seconds * 1000);
    }
  }
}

// Drawing: `draw` when data, filters or the window change, `tick` every second.

function draw() {
  const narrowed = narrow(wall.tiles, filters);
  shown = narrowByState(narrowed, filters);
  drawTiles();
  drawCounts(narrowed);
  drawChoices();
  drawEmpty();
  drawTitle(narrowed);
  tick();
  fit(grid, shown.map((tile) => tile.workflow_name || tile.workflow));
}

function drawTiles() {
  const old = nodes;
  nodes = new Map();
  for (const tile of shown) {
    const node = old.get(keyOf(tile)) || makeTile(template);
    nodes.set(keyOf(tile), node);
    fillTile(node, tile, page());
  }
  place(grid, [...nodes.values()]);
}

// Only what stands elsewhere is moved, so that the focus stays where it is.
function place(parent, children) {
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  children.forEach((child, index) => {
    const there = parent.children[index] || null;
    if (there !== child) parent.insertBefore(child, there);
  });
}

function drawCounts(tiles) {
  const list = find("counts");
  const counts = STATES.map(([state, name]) =>
    ({ state, name, count: tiles.filter((t) => statesOf(t).includes(state)).length }));
  const present = counts.filter(
    ({ state, count }) => count || filters.state.includes(state),
  );
  const old = new Map([...list.children].map((item) => [item.dataset.state, item]));
  place(list, present.map(({ state, name, count }) => {
    const item = old.get(state) || makeCount(state);
    const button = item.firstElementChild;
    button.setAttribute("aria-pressed", filters.state.includes(state));
    button.querySelector("b").textContent = count;
    button.querySelector("span").textContent = name;
    return item;
  }));
  const sentence = present.map(({ count, name }) => `${count} ${name}`).join(", ");
  const summary = find("summary");
  if (summary.textContent !== sentence) summary.textContent = sentence;
}

function makeCount(state) {
  const item = find("count").content.firstElementChild.cloneNode(true);
  item.dataset.state = state;
  item.querySelector("use").setAttribute("href", `#symbol-${state}`);
  item.firstElementChild.addEventListener("click", () => {
    const { state: chosen } = filters;
    change({
      state: chosen.includes(state)
        ? chosen.filter((one) => one !== state)
        : [...chosen, state],
    });
  });
  return item;
}

function drawTitle(tiles) {
  const failing = tiles.filter((tile) => tile.tile_state === "failing").length;
  const alarms = tiles.filter((tile) => BAD_STATES.includes(tile.tile_state)).length;
  const passing = tiles.filter((tile) => tile.tile_state === "passing").length;
  const parts = [];
  if (isLost()) parts.push("no data");
  else {
    if (failing) parts.push(`${failing} failing`);
    if (alarms) parts.push(`${alarms} ${alarms > 1 ? "alarms" : "alarm"}`);
    if (tiles.length && passing === tiles.length) parts.push("all passing");
  }
  const title = [parts.join(", "), config.title].filter(Boolean).join(" – ");
  if (document.title !== title) document.title = title;
  let worst = passing ? "passing" : "unknown";
  if (failing) worst = "failing";
  else if (alarms) worst = "alarm";
  if (isLost()) worst = "alarm";
  const icon = `${base}static/favicon-${worst}.svg`;
  if (find("icon").getAttribute("href") !== icon) find("icon").href = icon;
}

function drawEmpty() {
  const isBare = !wall.tiles.length && !filters.branch.length;
  find("empty").hidden = shown.length > 0;
  find("empty-setup").hidden = !isBare;
  find("empty-filter").hidden = isBare;
  find("empty-reason").textContent = config.polling.reason || "";
}

function tick() {
  const at = now();
  for (const tile of shown) tickTile(nodes.get(keyOf(tile)), tile, page());
  find("clock").textContent = times.time(at);
  const checked = seconds(config.polling.last_success_at);
  const age = checked === null ? "no data yet" : `data ${duration(at - checked)} old`;
  find("age").textContent = age;
  const banner = bannerOf(at, checked);
  const node = find("banner");
  const changed = node.hidden === Boolean(banner);
  node.hidden = !banner;
  if (banner) {
    node.dataset.level = banner.level;
    for (const key of ["word", "text"]) {
      const part = find(`banner-${key}`);
      if (part.textContent !== banner[key]) part.textContent = banner[key];
    }
  }
  grid.dataset.lost = isLost();
  if (changed) draw();
}

const isLost = () =>
  now() - lastAnswerAt > LOST_AFTER_REFRESHES * config.refresh_seconds;

const POLLING_WORDS = {
  off: "Polling is off",
  stale: "Polling has stopped",
  rate_limited: "GitHub's rate limit is spent",
  unauthorized: "GitHub refuses the token",
  offline: "GitHub does not answer",
  starting: "Starting",
};

function bannerOf(at, checked) {
  if (isLost()) {
    return {
      level: "loud",
      word: "No contact with CI Observer",
      text: `These tiles are from ${times.point(lastAnswerAt, at)}, `
        + `${ago(lastAnswerAt, at)}. They may be wrong. Trying again by itself.`,
    };
  }
  const { state, reason, next_poll_at: next } = config.polling;
  if (state === "ok") return oldData(at, checked);
  const due = seconds(next);
  const again = due && due > at && state !== "off"
    ? ` Next try at ${times.time(due)}.`
    : "";
  return {
    level: state === "starting" ? "calm" : "loud",
    word: POLLING_WORDS[state] || word(state),
    text: `${reason || ""}${again}`,
  };
}

function oldData(at, checked) {
  if (at - checked <= LOST_AFTER_REFRESHES * config.refresh_seconds) return null;
  return {
    level: "loud",
    word: "Old data",
    text: `The last good answer of GitHub is from ${times.point(checked, at)}.`,
  };
}

// The controls: they change the address, and the wall follows the address.

function change(changes, { replace = false } = {}) {
  const needsData = "branch" in changes;
  filters = { ...filters, ...changes };
  const address = location.pathname + writeFilters(filters, location.search);
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  draw();
  if (needsData) refresh();
}

function drawChoices() {
  const values = (name) => [...new Set([...wall.tiles.map((tile) => tile[name])])];
  setChoices("repo", values("repo"));
  setChoices("workflow", values("workflow"));
  setChoices("branch", branches.length ? branches : values("branch"));
  setChoices("state", STATES.map(([state]) => state), word);
  const search = find("filter-q");
  if (document.activeElement !== search) search.value = filters.q;
  const count = ["repo", "workflow", "branch", "state"]
    .reduce((sum, name) => sum + filters[name].length, filters.q ? 1 : 0);
  find("filter-count").textContent = count ? ` (${count})` : "";
  find("filter-clear").hidden = !count;
}

let branches = [];

// Options are made anew only when they differ: an open list must not jump.
function setChoices(name, values, label = (value) => value) {
  const select = find(`filter-${name}`);
  const all = [...new Set([...values, ...filters[name]])].filter(Boolean);
  if (name !== "state") all.sort((a, b) => a.localeCompare(b));
  if ([...select.options].map((option) => option.value).join("\n") !== all.join("\n")) {
    select.replaceChildren(...all.map((value) => new Option(label(value), value)));
  }
  for (const option of select.options) {
    option.selected = filters[name].includes(option.value);
  }
}

async function loadBranches() {
  const answer = await fetch(`${base}api/filters`, { cache: "no-store" });
  if (!answer.ok) return;
  branches = (await answer.json()).branches.map((choice) => choice.value);
  drawChoices();
}

function listen() {
  for (const name of ["repo", "workflow", "branch", "state"]) {
    const select = find(`filter-${name}`);
    select.addEventListener("change", () => {
      change({ [name]: [...select.selectedOptions].map((option) => option.value) });
    });
  }
  const search = find("filter-q");
  search.addEventListener("input", () => {
    change({ q: search.value.trim() }, { replace: true });
  });
  const clear = () =>
    change({ repo: [], workflow: [], branch: [], state: [], q: "" });
  find("filter-clear").addEventListener("click", clear);
  find("empty-clear").addEventListener("click", clear);
  find("filter-form").addEventListener("submit", (event) => event.preventDefault());
  find("filters").addEventListener("toggle", loadBranches);
  window.addEventListener("popstate", () => {
    filters = readFilters(location.search);
    draw();
    refresh();
  });
  window.addEventListener("resize", draw);
  window.addEventListener("online", refresh);
  window.addEventListener("pageshow", (event) => event.persisted && refresh());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
}

accept(config);
listen();
draw();
setInterval(tick, 1000);
timer = setTimeout(refresh, config.refresh_seconds * 1000);
