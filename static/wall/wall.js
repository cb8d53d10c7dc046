// The wall: draws the tiles that the address selects, and keeps them up to date.

import { bannerOf, dataAge, drawBanner, isOutdated, lacksPeer } from "../shared/banner.js";
import { getJson, makeConnection } from "../shared/connection.js";
import { base, find, setText } from "../shared/dom.js";
import { calendar, firstCalendar } from "../shared/format.js";
import { makeCounts } from "./counts.js";
import { makeGrid } from "./grid.js";
import { fetchTiles, reuseTiles } from "./tile_data.js";
import { drawTitle } from "./title.js";
import { countFilters, displayQuery, EVERYTHING, readView, wallQuery, writeView }
  from "./view.js";

// A browser that shows one page for weeks uses more and more memory; a new page does not.
const RELOAD_AFTER_MS = 24 * 3600 * 1000;
const LOAD_ERROR = "A part of this page could not be loaded; try again.";

const initial = JSON.parse(find("first-data").textContent);

let tiles = [];
// At /s/NAME the address has a stored view, to which it may add.
const { screen } = initial;
const isStored = () => screen && location.pathname.endsWith(`/s/${screen.name}`);
const search = () => (isStored() ? `${screen.query}&${location.search.slice(1)}` : location.search);
let { view, ignored } = readView(search());
let zone = null;
let times = view.tz ? calendar(view.tz) : firstCalendar(initial.ahead);
let loaded = { query: wallQuery(view), etag: initial.etag };
let scriptError = "";
let failedAt = 0;
let controls = null;
let messages = null;
let filters = null;
let loadError = "";
let drawPeers = null;

const connection =
  makeConnection({ config: initial.config, load, onData, onError: tick, onTick: tick });
const drawCounts = makeCounts(change);
const grid = makeGrid({ root: find("tiles"), onMissingStrips: fetchStrips });

const getState = () => ({ ...connection.state(), calendar: times, scriptError });

// The facts that tiles are drawn with. The view may show only some of `allTiles`, and shows
// none of `muted`. `texts` are those of a view with a filter; null until they are loaded.
function context(allTiles, muted, texts) {
  const state = getState();
  return {
    now: state.now,
    calendar: times,
    age: dataAge(state),
    isTrusted: Boolean(texts) && !isOutdated(state) && !lacksPeer(state),
    display: displayQuery(view),
    allTiles,
    muted,
    texts,
    makeRemovals: () => filters && filters.makeRemovals(view, tiles),
  };
}

// Each refresh makes one small request, and a second one only when tiles have changed.

async function load(signal) {
  const query = wallQuery(view);
  const config = await getJson(`${base}api/config${query}`, { signal });
  if (loaded.query === query && loaded.etag === config.wall_etag) return { config };
  return { config, wall: await fetchTiles(query, signal) };
}

function onData({ config, wall }) {
  if (mustReload(config)) return location.reload();
  if (wall) setTiles(wall);
  connection.accept(config, areCurrent(config));
  if (loadError) retryLoading();
  if (!scriptError) draw();
}

// A cache may have older tiles than the server, for some seconds. They prove nothing if they
// have not changed either since the last refresh. A proxy may have removed the ETag; then the
// revision proves that they are not older.
const areCurrent = ({ wall_etag: etag, revision }) => loaded.etag === etag
  || (!loaded.etag && loaded.revision >= revision)
  || loaded.revision > connection.state().config.revision;

function setTiles(wall) {
  loaded = wall;
  tiles = reuseTiles(tiles, wall.tiles);
}

// The first data lack the strips, which are most of the bytes. They are fetched when tiles
// have room for them; after an error, the next drawing tries again.
let isFetchingStrips = false;
async function fetchStrips() {
  if (isFetchingStrips) return;
  isFetchingStrips = true;
  const before = loaded;
  const wall = await fetchTiles(before.query).catch(() => null);
  isFetchingStrips = false;
  if (loaded !== before || !wall || scriptError) return;
  setTiles(wall);
  draw();
}

// After a script error the page reloads, but not before the next refresh; for a changed
// stored view at once; for a new version once only, since a proxy may have cached the old page.
function mustReload({ version, refresh_seconds: refresh, screens }) {
  if (scriptError) return performance.now() - failedAt > 900 * refresh;
  if (performance.now() > RELOAD_AFTER_MS) return true;
  if (isStored() && screens.some(({ name, query }) => name === screen.name && query !== screen.query)) {
    return true;
  }
  const isNew = version !== initial.config.version && history.state !== version;
  if (isNew) history.replaceState(version, "");
  return isNew;
}

function setZone() {
  const wanted = view.tz || connection.state().config.timezone;
  if (zone === wanted) return;
  zone = wanted;
  times = calendar(zone);
}

// `draw` is for new data, another view or another window size; `tick` runs every second.

function draw() {
  if (isFiltered() && !filters && !loadError) loadFilters();
  if (waitsForFilters) return;
  const { kept, muted, shown, texts } = filterAll();
  window.showTheme(view.theme);
  document.body.toggleAttribute("data-kiosk", view.kiosk);
  drawStatus();
  drawCounts(kept, view, texts && texts.summary);
  drawTitle(kept, muted, getState(), texts);
  if (controls) controls.draw();
  if (messages) messages.announce(tiles, kept);
  // Last, because the tiles get the space that is left.
  const facts = context(kept, muted, texts);
  const hasMessage = grid.draw(shown, view, facts);
  drawEmpty(shown.length > 0 || hasMessage, texts);
}

// Another branch has other tiles, which are fetched. Until then the old ones prove nothing.
const areLoaded = () => loaded.query === wallQuery(view);

// The tiles of the view, and what the wall may say of a part of them. Without the script for
// filters it shows all tiles, and says nothing of them as a whole (`texts` is null).
const isFiltered = () => countFilters(view) > 0 || tiles.some((tile) => tile.muted_until);
function filterAll() {
  find("filters").hidden = !isFiltered();
  const parts = isFiltered() && filters ? filters.draw(view, tiles)
    : { kept: tiles, muted: [], shown: tiles, texts: isFiltered() ? null : {} };
  return areLoaded() ? parts : { ...parts, kept: [], muted: [], texts: null };
}

const hasNoFeeds = () => areLoaded() && !tiles.length && !view.branch.length;

function drawEmpty(isFull, texts) {
  const state = getState();
  const banner = bannerOf(state);
  find("empty").hidden = isFull || !areLoaded();
  find("empty-setup").hidden = !hasNoFeeds();
  find("empty-filter").hidden = hasNoFeeds();
  if (!isFull && filters && texts) filters.drawEmpty(view, tiles, texts);
  setText(find("empty-word"), banner ? banner.word : "No workflows are watched yet");
  setText(find("empty-reason"), banner ? banner.text : "");
  // A shard without repositories needs no setting.
  const isEmptyShard = Boolean(state.config.shard && state.config.repos.length);
  find("empty-how").hidden = state.config.polling.state !== "off" || isEmptyShard;
}

// Returns whether the title or the space for the tiles may have changed.
let drawnStatus = "";
function drawStatus() {
  const state = getState();
  setText(find("clock"), times.time(state.now));
  setText(find("age"), dataAge(state));
  if (drawPeers) drawPeers(state);
  const notes = [
    ignored.length && `Not understood in the address: ${ignored.join(", ")}`,
    ...(messages ? messages.problems() : []),
    loadError,
  ].filter(Boolean).join(" · ");
  setText(find("note"), notes);
  // A page without feeds shows the banner's text in its middle.
  const banner = hasNoFeeds() && !scriptError ? null : bannerOf(state);
  const isLost = isOutdated(state) || !areLoaded();
  const status = [banner && banner.word, !notes, isLost].join();
  const isChanged = status !== drawnStatus;
  drawnStatus = status;
  drawBanner(banner);
  find("note").hidden = !notes;
  document.body.dataset.lost = isLost;
  return isChanged;
}

function tick() {
  setZone();
  const isChanged = drawStatus();
  if (scriptError) return;
  grid.tick(context());
  if (waitsForFilters) stopWaiting();
  else if (isChanged) draw();
}

// After an error in a script, tiles may be wrong: show it, and reload the page when the server
// responds. The clock and the refreshing go on.
function showScriptError(error) {
  if (scriptError || !error) return;
  scriptError = `${error.message || error}.`;
  failedAt = performance.now();
  document.body.dataset.lost = true;
  find("banner").hidden = false;
  setText(find("banner-word"), "This page has an error");
  drawStatus();
  drawTitle([], [], getState(), {});
}

// The address is the only place that stores the view; all controls only change it.

function change(changes, how) {
  go(writeView({ ...view, ...changes }), how);
}

function go(search, how = "push") {
  const before = wallQuery(view);
  ({ view, ignored } = readView(search));
  history[`${how}State`](history.state, "", base + writeView(view));
  showView(before, true);
}

function showView(oldQuery, isByUser = false) {
  setZone();
  prepareMessages(isByUser);
  draw();
  if (wallQuery(view) !== oldQuery) connection.refresh();
}

// A screen without a user, or without messages, never loads these scripts.

async function prepareMessages(isByUser) {
  if (!messages && !view.notify && !view.sound) return;
  try {
    const { makeMessages } = await import("./messages.js");
    messages = messages || makeMessages();
    loadError = "";
  } catch (error) {
    loadError = LOAD_ERROR;
  }
  if (messages) messages.configure(view, isByUser);
  draw();
}

// A wall without filters never loads this script. The drawing waits for it for a moment.
let filtersLoading = null;
let waitsForFilters = false;
function loadFilters() {
  if (filtersLoading) return;
  waitsForFilters = true;
  const made =
    import("./filters.js").then(({ makeFilters }) => makeFilters({ go, redraw: draw }));
  filtersLoading = made.then((value) => {
    filters = value;
  }, () => {
    filtersLoading = null;
    loadError = LOAD_ERROR;
  }).then(stopWaiting);
}

function stopWaiting() {
  waitsForFilters = false;
  draw();
}

function retryLoading() {
  loadError = "";
  prepareMessages();
}

async function loadControls() {
  const { makeControls } = await import("./controls.js");
  controls = await makeControls({
    opener: find("settings"),
    grid: find("tiles"),
    tileOf: grid.tileOf,
    getView: () => {
      const { screens, shard } = connection.state().config;
      return { view, tiles, screens, shard };
    },
    change,
  });
}

let controlsLoading = null;
async function withControls(act) {
  try {
    if (!controlsLoading) controlsLoading = loadControls();
    await controlsLoading;
    loadError = "";
  } catch (error) {
    controlsLoading = null;
    loadError = LOAD_ERROR;
    drawStatus();
    return;
  }
  act(controls);
}

// After loading a page, a browser may report a pointer that rests on it.
const isAtRest = ({ pointerType, movementX, movementY }) =>
  pointerType === "mouse" && !movementX && !movementY;
document.addEventListener("pointermove", function onMove(event) {
  if (isAtRest(event)) return;
  document.removeEventListener("pointermove", onMove);
  withControls(() => {});
});
document.addEventListener("keydown", (event) => {
  // The browser's own action for a key can only be prevented synchronously.
  if (controls) controls.press(event);
  else withControls(({ press }) => press(event));
});
find("settings").addEventListener("click", () => withControls(({ toggle }) => toggle()));
find("leave").addEventListener("click", () => change({ kiosk: false }));
find("muted").addEventListener("click", () => (view.mute.length ? change({ mute: [] })
  : location.assign(`${base}muted${displayQuery(view)}`)));
find("reset").addEventListener("click", () => change(EVERYTHING));

window.addEventListener("error", (event) => showScriptError(event.error));
window.addEventListener("unhandledrejection", (event) => showScriptError(event.reason));
window.addEventListener("popstate", () => {
  const before = wallQuery(view);
  ({ view, ignored } = readView(search()));
  showView(before);
});

if (initial.config.peers) import("./peers.js").then((made) => { ({ drawPeers } = made); drawStatus(); }, () => {});
find("settings").hidden = false;
prepareMessages();
tiles = initial.tiles.map((values) =>
  Object.fromEntries(values.map((value, index) => [initial.columns[index], value])));
function begin() {
  window.addEventListener("resize", draw);
  draw();
}
if (initial.mayOverflow) grid.prepare().then(begin);
else begin();
