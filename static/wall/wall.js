// The wall: draws what the address asks for, keeps it fresh, says loudly when it cannot.

import { bannerOf, dataAge, isDoubtful } from "../shared/banner.js";
import { makeCounts } from "./counts.js";
import { setText } from "../shared/dom.js";
import { makeGrid } from "./grid.js";
import { get, keepFresh, makeClock } from "../shared/refresh.js";
import { drawTab } from "./title.js";
import { countFilters, EVERYTHING, looksQuery, narrow, narrowByState, readView, wallQuery,
  writeView } from "./view.js";
import { calendar, firstCalendar, keyOf, seconds } from "../shared/words.js";

// A browser that shows one page for weeks grows; a fresh page does not.
const RELOAD_AFTER_MS = 24 * 3600 * 1000;

const { base } = document.documentElement.dataset;
const find = (id) => document.getElementById(id);
const first = JSON.parse(find("first-data").textContent);

let { config } = first;
let tiles = [];
let { view, ignored } = readView(location.search);
let looks = looksQuery(view);
let zone = null;
let times = view.tz ? calendar(view.tz) : firstCalendar(first.ahead);
let known = { query: wallQuery(view), etag: first.etag };
let lastAnswerAt = 0;
let refusal = "";
let failure = "";
let failedAt = 0;
let hands = null;
let messages = null;
let unloaded = "";

const clock = makeClock();
const { refresh, schedule } =
  keepFresh({ every: () => config.refresh_seconds, load, take, lose });
const drawCounts = makeCounts({
  root: find("counts"),
  template: find("count"),
  summary: find("summary"),
  change,
});
const grid =
  makeGrid({ root: find("tiles"), template: find("tile"), base, lack: fetchStrips });

const contact = () =>
  ({ config, now: clock.now(), calendar: times, lastAnswerAt, failure, refusal });

// What the tiles need to know: `every` are those of which a view may leave some out.
function page(every) {
  const [now, age, isTrusted] = [clock.now(), dataAge(contact()), !isDoubtful(contact())];
  return { base, now, calendar: times, age, every, isTrusted, looks };
}

// Answers: one small question at each refresh, and the tiles when they have changed.

async function load(signal) {
  const query = wallQuery(view);
  const settings = await get(`${base}api/config${query}`, { signal });
  const answers = { config: await settings.json() };
  if (known.query === query && known.etag === answers.config.wall_etag) return answers;
  return { ...answers, ...await loadTiles(query, signal) };
}

async function loadTiles(query, signal) {
  const answer = await get(`${base}api/wall${query}`, { signal });
  // A proxy that packs the answer makes its ETag a weak one.
  const etag = (answer.headers.get("ETag") || "").replace(/^W\//, "");
  return { known: { query, etag }, tiles: (await answer.json()).tiles };
}

// The first data are without the strips, which are most of it: those are asked for when
// tiles have room for them. Whatever stops that, the next refresh tries again.
let strips = null;
function fetchStrips() {
  const before = known;
  if (strips) return;
  strips = loadTiles(known.query).catch(() => ({})).then((answers) => {
    strips = null;
    if (known !== before || !answers.tiles || failure) return;
    takeTiles(answers);
    draw();
  });
}

function takeTiles(answers) {
  known = answers.known;
  tiles = kept(tiles, answers.tiles);
}

const isSame = (one, other) => one === other
  || (one instanceof Object && other instanceof Object
    && Object.keys({ ...one, ...other }).every((name) => isSame(one[name], other[name])));

// Tiles that say what they said are the same objects, which nobody has to look into again;
// a strip says nothing by itself.
function kept(before, answer) {
  const known = new Map(before.map((tile) => [keyOf(tile), tile]));
  return answer.map((tile) => {
    const old = known.get(keyOf(tile));
    if (!old || !isSame({ ...old, strip: 0 }, { ...tile, strip: 0 })) return tile;
    return Object.assign(old, isSame(old.strip, tile.strip) ? {} : { strip: tile.strip });
  });
}

function take(answers) {
  if (mustReload(answers.config.version)) return location.reload();
  refusal = "";
  if (answers.tiles) takeTiles(answers);
  accept(answers.config);
  if (unloaded) prepareMessages();
  if (!failure) draw();
}

// What was last known stays, with its age.
function lose(error) {
  clock.doubt();
  refusal = error.reason || "";
  tick();
}

// The server answers now, so a new page will come. Not sooner than a refresh after an
// error, and once for each version: a proxy may keep the old page.
function mustReload(version) {
  if (failure) return performance.now() - failedAt > 900 * config.refresh_seconds;
  if (performance.now() > RELOAD_AFTER_MS) return true;
  const isNew = version !== first.config.version && history.state !== version;
  if (isNew) history.replaceState(version, "");
  return isNew;
}

function accept(answer) {
  config = answer;
  // Without it, the server could not read its database, and said so.
  clock.set(seconds(config.server_time) || Date.now() / 1000);
  lastAnswerAt = clock.now();
}

function setZone() {
  if (zone === (view.tz || config.timezone)) return;
  zone = view.tz || config.timezone;
  times = calendar(zone);
}

// Drawing: `draw` when data, view or window change, `tick` every second.

function draw() {
  if (grid.isWaiting()) return;
  const narrowed = narrow(tiles, view);
  const shown = narrowByState(narrowed, view);
  document.documentElement.dataset.theme = view.theme;
  document.body.dataset.kiosk = view.kiosk;
  drawContact();
  drawCounts(narrowed, view);
  drawTab(find("icon"), narrowed, contact(), base);
  const chosen = countFilters(view);
  setText(find("chosen"), chosen ? ` (${chosen})` : "");
  if (hands) hands.draw();
  if (messages) messages.tell(tiles, narrowed);
  // Last, since the tiles take the room that the rest leaves.
  const hasMessage = grid.draw(shown, view, page(narrowed));
  drawEmpty(shown.length > 0 || hasMessage);
}

const isBare = () => !tiles.length && !view.branch.length;

function drawEmpty(isFull) {
  const banner = bannerOf(contact());
  find("empty").hidden = isFull;
  find("empty-setup").hidden = !isBare();
  find("empty-filter").hidden = isBare();
  setText(find("empty-word"), banner ? banner.word : "Nothing is watched yet");
  setText(find("empty-reason"), banner ? banner.text : "");
  find("empty-how").hidden = config.polling.state !== "off";
}

// Returns whether the tiles must make or take room.
function drawContact() {
  setText(find("clock"), times.time(clock.now()));
  setText(find("age"), dataAge(contact()));
  const notes = [
    ignored.length ? `Not understood in the address: ${ignored.join(", ")}` : "",
    ...(messages ? messages.refusals() : []),
    unloaded,
  ].filter(Boolean).join(" · ");
  setText(find("note"), notes);
  // An empty page has the words in its middle.
  const banner = isBare() && !failure ? null : bannerOf(contact());
  if (banner) {
    find("banner").dataset.level = banner.level;
    setText(find("banner-word"), banner.word);
    setText(find("banner-text"), banner.text);
  }
  const turned = find("banner").hidden === Boolean(banner)
    || find("note").hidden === Boolean(notes)
    || document.body.dataset.lost !== String(isDoubtful(contact()));
  find("banner").hidden = !banner;
  find("note").hidden = !notes;
  document.body.dataset.lost = isDoubtful(contact());
  return turned;
}

function tick() {
  setZone();
  if (clock.hasLeapt()) refresh();
  const turned = drawContact();
  if (failure) return;
  grid.tick(page());
  if (turned) draw();
}

// An error of ours leaves tiles behind that may be wrong: it is told, and ends in a new
// page, but it stops neither the clock nor the refreshing.
function fail(error) {
  if (failure || !error) return;
  failure = `${error.message || error}.`;
  failedAt = performance.now();
  document.body.dataset.lost = true;
  find("banner").hidden = false;
  setText(find("banner-word"), "This page has an error");
  drawContact();
  drawTab(find("icon"), [], contact(), base);
}

// The address says what is shown; the controls only change it.

function change(changes, how) {
  go(writeView({ ...view, ...changes }), how);
}

function go(search, how = "push") {
  const before = wallQuery(view);
  read(search);
  history[`${how}State`](history.state, "", location.pathname + writeView(view));
  show(before, true);
}

function read(search) {
  ({ view, ignored } = readView(search));
  looks = looksQuery(view);
}

function show(before, isByHand = false) {
  setZone();
  prepareMessages(isByHand);
  draw();
  if (wallQuery(view) !== before) refresh();
}

// What a screen on a wall does not need is loaded when it is asked for.

const UNLOADED = "A part of this page could not be loaded; the next try may do better.";

async function prepareMessages(isByHand) {
  if (!messages && !view.notify && !view.sound) return;
  try {
    const { makeMessages } = await import("./messages.js");
    messages = messages || makeMessages(base);
    unloaded = "";
  } catch (error) {
    unloaded = UNLOADED;
  }
  if (messages) messages.want(view, isByHand);
  draw();
}

let arrival = null;
async function arrive() {
  const { makeHands } = await import("./controls.js");
  hands = await makeHands({
    base,
    opener: find("settings"),
    grid: find("tiles"),
    look: () => ({ view, tiles }),
    change,
    go,
  });
}

// Does something with what a person needs, as soon as that is there.
async function reach(act) {
  try {
    if (!arrival) arrival = arrive();
    await arrival;
    unloaded = "";
  } catch (error) {
    arrival = null;
    unloaded = UNLOADED;
    drawContact();
    return;
  }
  act(hands);
}

document.addEventListener("pointermove", () => reach(() => {}), { once: true });
document.addEventListener("keydown", (event) => {
  // A key's own effect can only be prevented at once.
  if (hands) hands.press(event);
  else reach(({ press }) => press(event));
});
find("settings").addEventListener("click", () => reach(({ toggle }) => toggle()));
find("leave").addEventListener("click", () => change({ kiosk: false }));
find("reset").addEventListener("click", () => change(EVERYTHING));

window.addEventListener("error", (event) => fail(event.error));
window.addEventListener("unhandledrejection", (event) => fail(event.reason));
window.addEventListener("popstate", () => {
  const before = wallQuery(view);
  read(location.search);
  show(before);
});
window.addEventListener("resize", draw);
// Awake again, or online again: do not wait for the timer.
window.addEventListener("online", refresh);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});

find("settings").hidden = false;
accept(config);
setInterval(tick, 1000);
schedule();
prepareMessages();
if (first.isCrowd) grid.expectCrowd();
tiles = first.tiles.map((values) => {
  const tile = {};
  first.columns.forEach((name, index) => { tile[name] = values[index]; });
  return tile;
});
draw();
