// The wall of a past time: draws its tiles, and steps and plays through time. It refreshes
// nothing and gives no notifications.

import { get } from "../shared/connection.js";
import { base, find, setAttr, setText } from "../shared/dom.js";
import { calendar, seconds } from "../shared/format.js";
import { makeCounts } from "../wall/counts.js";
import { makeGrid } from "../wall/grid.js";
import { fetchTiles, reuseTiles } from "../wall/tile_data.js";
import { countFilters, displayQuery, EVERYTHING, readView, wallQuery, writeView }
  from "../wall/view.js";

const tilesOf = (doc) => {
  const { columns, tiles } = JSON.parse(doc.getElementById("first-data").textContent);
  return tiles.map((values) =>
    Object.fromEntries(columns.map((name, index) => [name, values[index]])));
};
const atOf = () => seconds(find("past").dataset.at);

const { query, timezone, screens } = JSON.parse(find("first-data").textContent);
// `query` is that of the address, after that of a stored view. The time of the address may
// have another zone than that of the page's requests.
function readPast() {
  const read = readView(query);
  const { at } = find("past").dataset;
  return { ...read, view: { ...read.view, at } };
}

let { view, ignored } = readPast();
let tiles = tilesOf(document);
let times = calendar(view.tz || timezone);
let shownQuery = wallQuery(view);
let filters = null;
let filtersLoading = null;
let filtersFailed = false;
let problem = "";
let loading = null;

const drawCounts = makeCounts(change);
const grid = makeGrid({ root: find("tiles"), onMissingStrips: fetchStrips });

// Nothing of the past is trusted to be the state of now, so the wall never says "all passing".
function draw() {
  const isFiltered = countFilters(view) > 0 || tiles.some((tile) => tile.muted_until);
  // Without its filters the wall would show other tiles for a moment.
  if (isFiltered && !filters && !filtersFailed) return loadFilters();
  find("filters").hidden = !isFiltered;
  const { kept, muted, shown, texts } = isFiltered && filters ? filters.draw(view, tiles)
    : { kept: tiles, muted: [], shown: tiles, texts: isFiltered ? null : {} };
  window.showTheme(view.theme);
  document.body.toggleAttribute("data-kiosk", view.kiosk);
  // States are recorded for all tiles of a time or for none.
  document.body.toggleAttribute("data-unrecorded", tiles.some((tile) => !tile.is_recorded));
  const notes = [ignored.length && `Not understood in the address: ${ignored.join(", ")}`, problem];
  setText(find("note"), notes.filter(Boolean).join(" · "));
  find("note").hidden = !notes.some(Boolean);
  drawCounts(kept, view, texts && texts.summary);
  if (controls) controls.draw();
  const hasMessage = grid.draw(shown, view, {
    now: atOf(),
    calendar: times,
    age: "",
    isTrusted: false,
    display: displayQuery(view),
    allTiles: kept,
    muted,
    texts,
    makeRemovals: () => filters && filters.makeRemovals(view, tiles),
  });
  find("empty").hidden = shown.length > 0 || hasMessage;
  if (!shown.length && filters && texts) filters.drawEmpty(view, tiles, texts);
  return undefined;
}

function loadFilters() {
  filtersLoading = filtersLoading || import("../wall/filters.js")
    .then(({ makeFilters }) => makeFilters({ go, redraw: draw }))
    .then((made) => {
      filters = made;
      draw();
    }, () => {
      filtersFailed = true;
      fail();
    });
}

function fail() {
  filtersLoading = controlsLoading = null;
  problem = "A part of this page could not be loaded; try again.";
  draw();
}

let isFetchingStrips = false;
async function fetchStrips() {
  if (isFetchingStrips) return;
  isFetchingStrips = true;
  const query = shownQuery;
  const wall = await fetchTiles(query).catch(() => null);
  isFetchingStrips = false;
  if (!wall || query !== shownQuery) return;
  tiles = reuseTiles(tiles, wall.tiles);
  draw();
}

// Another time or branch: the page of that address has its bar and its tiles.
async function load(search) {
  if (loading) loading.abort();
  const request = loading = new AbortController();
  try {
    const response = await get(base + search, { signal: request.signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (request !== loading) return false;
    find("past").replaceChildren(...page.getElementById("past").childNodes);
    Object.assign(find("past").dataset, page.getElementById("past").dataset);
    document.title = page.title;
    tiles = reuseTiles(tiles, tilesOf(page));
    view = { ...view, at: find("past").dataset.at };
    history.replaceState(null, "", base + writeView(view));
    shownQuery = wallQuery(view);
    problem = "";
    prepareBar();
    return true;
  } catch (error) {
    if (request !== loading) return false;
    problem = `This time could not be loaded: ${error.reason || error.message}.`;
    return false;
  } finally {
    draw();
  }
}

async function go(search, how = "push") {
  filtersFailed = false;
  ({ view, ignored } = readView(search));
  // The wall of now is another page.
  if (!view.at) return location.assign(base + writeView(view));
  history[`${how}State`](null, "", base + writeView(view));
  return show();
}

function show() {
  times = calendar(view.tz || timezone);
  if (wallQuery(view) !== shownQuery) return load(writeView(view));
  draw();
  return true;
}

function change(changes, how) {
  go(writeView({ ...view, ...changes }), how);
}

// Playing: the next step follows a second after the last one is drawn.

let timer = null;
const isPlaying = () => timer !== null;

function play() {
  if (isPlaying()) return pause();
  timer = setTimeout(step, 0);
  return drawPlay();
}

function pause() {
  clearTimeout(timer);
  timer = null;
  drawPlay();
}

function drawPlay() {
  const button = find("play");
  setText(button, isPlaying() ? "❚❚ Pause" : "▶ Play");
  button.setAttribute("aria-pressed", isPlaying());
  // A screen reader is told of a time when it stands.
  setAttr(find("past").querySelector(".past__time"), "role", !isPlaying() && "status");
}

const utc = (at) => new Date(at * 1000).toISOString().replace(".000Z", "Z");

// It ends with the present.
async function step() {
  const latest = seconds(find("past").dataset.latest);
  const at = Math.min(seconds(view.at) + Number(speed), latest);
  const isShown = await go(writeView({ ...view, at: utc(at) }), "replace");
  if (!isPlaying()) return;
  if (!isShown || at === latest) pause();
  else timer = setTimeout(step, 1000);
}

let speed = null;
function prepareBar() {
  find("past-play").hidden = false;
  const select = find("speed");
  if (speed) select.value = speed;
  speed = select.value;
  drawPlay();
}

find("past").addEventListener("change", (event) => {
  if (event.target.id === "speed") speed = event.target.value;
});
find("past").addEventListener("submit", (event) => {
  event.preventDefault();
  pause();
  go(writeView({ ...view, at: event.target.elements.at.value }));
});
find("past").addEventListener("click", (event) => {
  if (event.target.closest("#play")) return play();
  const link = event.target.closest("a[data-key]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return undefined;
  pause();
  event.preventDefault();
  const { key } = link.dataset;
  // The filters may have changed since the link was made.
  const at = new URL(link.href).searchParams.get("at") || "";
  return go(writeView({ ...view, at })).then(() => {
    const same = find("past").querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (same) same.focus();
  });
});

// Keys of the bar; all others are those of the wall.

const PAGE_KEYS = [
  ["[ ]", "an hour earlier or later"],
  ["{ }", "a day earlier or later"],
  ["< >", "the change of a state before or after"],
  ["p", "play or pause"],
  ["0", "back to now"],
];
let controls = null;
let controlsLoading = null;
function withControls(act) {
  controlsLoading = controlsLoading || import("../wall/controls.js").then(({ makeControls }) =>
    makeControls({
      opener: find("settings"),
      grid: find("tiles"),
      tileOf: grid.tileOf,
      getView: () => ({ view, tiles, screens }),
      change,
      pageKeys: PAGE_KEYS,
    }));
  controlsLoading.then((made) => {
    controls = made;
    act(controls);
  }, fail);
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, dialog");
  const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
  if (!isTyping && !hasModifier && view.keys) {
    if (event.key === "p") return play();
    const link = find("past").querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
    if (link) return link.click();
  }
  if (controls) return controls.press(event);
  return withControls(({ press }) => press(event));
});
document.addEventListener("pointermove", () => withControls(() => {}), { once: true });
find("settings").addEventListener("click", () => withControls(({ toggle }) => toggle()));
find("leave").addEventListener("click", () => change({ kiosk: false }));
find("muted").addEventListener("click", () => change({ mute: [] }));
find("reset").addEventListener("click", () => change(EVERYTHING));
window.addEventListener("popstate", () => {
  ({ view, ignored } = readView(location.search));
  // The wall of now, or a stored view.
  if (!view.at || location.pathname !== base) return location.reload();
  return show();
});
window.addEventListener("resize", draw);

find("settings").hidden = false;
prepareBar();
draw();
