// The wall: draws the tiles, keeps them fresh, and says so loudly when it cannot.

import { bannerOf, dataAge, isLost } from "./banner.js";
import { makeControls } from "./controls.js";
import { narrow, narrowByState, readFilters, wallQuery, writeFilters }
  from "./filters.js";
import { makeGrid } from "./grid.js";
import { calendar, seconds } from "./words.js";

const TIMEOUT_MS = 15 * 1000;
// A browser that shows one page for weeks grows; a fresh page does not.
const RELOAD_AFTER_MS = 24 * 3600 * 1000;
const ALARMS = ["no_access", "stale", "overdue", "zombie", "disabled"];

const { base } = document.documentElement.dataset;
const find = (id) => document.getElementById(id);
const grid = makeGrid({ root: find("tiles"), template: find("tile"), base });
const first = JSON.parse(find("first-data").textContent);
const openedAt = Date.now();

let { config, wall } = first;
let times = calendar(config.timezone);
let filters = readFilters(location.search);
let shown = [];
let known = null;
let clockOffset = 0;
let lastAnswerAt = 0;
let wasLost = false;
let request = null;
let timer = null;

const controls = makeControls({ base, change });

// Server time in seconds: the screen's own clock may be hours off.
const now = () => (Date.now() + clockOffset) / 1000;
const contact = () => ({ config, now: now(), lastAnswerAt, calendar: times });
const page = () => ({ base, now: now(), calendar: times });

function accept(answer) {
  config = answer;
  times = calendar(config.timezone);
  // No server time: the server could not read its database, and said so.
  const serverTime = seconds(config.server_time);
  if (serverTime !== null) clockOffset = serverTime * 1000 - Date.now();
  lastAnswerAt = now();
}

// Refreshing: one request at a time, and the next after its end, however it ended.

async function refresh() {
  if (request) request.abort();
  clearTimeout(timer);
  const mine = new AbortController();
  request = mine;
  const giveUp = setTimeout(() => mine.abort(), TIMEOUT_MS);
  try {
    const answers = await load(mine.signal);
    if (mine === request) take(answers);
  } catch (error) {
    // What was last known stays; `tick` tells how old it is.
    if (mine === request) tick();
  } finally {
    clearTimeout(giveUp);
    if (mine === request) {
      request = null;
      timer = setTimeout(refresh, config.refresh_seconds * 1000);
    }
  }
}

async function load(signal) {
  const query = wallQuery(filters);
  const settings = await get("api/config", { signal });
  const isKnown = known && known.query === query;
  const headers = isKnown ? { "If-None-Match": known.etag } : {};
  const answer = await get(`api/wall${query}`, { signal, headers });
  return {
    query,
    etag: answer.headers.get("ETag"),
    config: await settings.json(),
    wall: answer.status === 304 ? wall : await answer.json(),
  };
}

async function get(path, options) {
  const answer = await fetch(base + path, { cache: "no-store", ...options });
  if (!answer.ok && answer.status !== 304) throw new Error(`HTTP ${answer.status}`);
  return answer;
}

function take(answers) {
  const isOutdated = answers.config.version !== first.config.version;
  if (isOutdated || Date.now() - openedAt > RELOAD_AFTER_MS) {
    location.reload();
    return;
  }
  known = answers.etag ? { query: answers.query, etag: answers.etag } : null;
  wall = answers.wall;
  accept(answers.config);
  draw();
}

// Drawing: `draw` when data, filters or the window change, `tick` every second.

function draw() {
  const narrowed = narrow(wall.tiles, filters);
  shown = narrowByState(narrowed, filters);
  controls.draw(filters, wall.tiles, narrowed);
  drawEmpty();
  drawTitle(narrowed);
  drawContact();
  // Last: the tiles take the room that the rest leaves.
  grid.draw(shown, filters, page());
}

const isBare = () => !wall.tiles.length && !filters.branch.length;

function drawEmpty() {
  const banner = bannerOf(contact());
  find("empty").hidden = shown.length > 0;
  find("empty-setup").hidden = !isBare();
  find("empty-filter").hidden = isBare();
  find("empty-word").textContent = banner ? banner.word : "Nothing is watched yet";
  find("empty-reason").textContent = banner ? banner.text : "";
  find("empty-how").hidden = config.polling.state !== "off";
}

function drawTitle(tiles) {
  const count = (states) =>
    tiles.filter((tile) => states.includes(tile.tile_state)).length;
  const failing = count(["failing"]);
  const alarms = count(ALARMS);
  const passing = count(["passing"]);
  let words = [];
  let worst = passing ? "passing" : "unknown";
  if (isLost(contact())) {
    words = ["no data"];
    worst = "alarm";
  } else if (failing || alarms) {
    if (failing) words.push(`${failing} failing`);
    if (alarms) words.push(`${alarms} ${alarms > 1 ? "alarms" : "alarm"}`);
    worst = failing ? "failing" : "alarm";
  } else if (passing && passing === tiles.length) {
    words = ["all passing"];
  }
  const title = [words.join(", "), config.title].filter(Boolean).join(" – ");
  if (document.title !== title) document.title = title;
  const icon = `${base}static/favicon-${worst}.svg`;
  if (find("icon").getAttribute("href") !== icon) find("icon").href = icon;
}

// Returns whether the tiles must make or take room for the banner.
function drawContact() {
  find("clock").textContent = times.time(now());
  find("age").textContent = dataAge(contact());
  // An empty page has the words in its middle.
  const banner = isBare() ? null : bannerOf(contact());
  const node = find("banner");
  const turned = node.hidden === Boolean(banner);
  node.hidden = !banner;
  if (banner) {
    node.dataset.level = banner.level;
    for (const key of ["word", "text"]) {
      const part = find(`banner-${key}`);
      if (part.textContent !== banner[key]) part.textContent = banner[key];
    }
  }
  document.body.dataset.lost = isLost(contact());
  return turned;
}

function tick() {
  grid.tick(page());
  const lost = isLost(contact());
  const turned = drawContact() || lost !== wasLost;
  wasLost = lost;
  if (turned) draw();
}

// The address says what is shown; the controls only change it.

function change(changes, how = "push") {
  filters = { ...filters, ...changes };
  const address = location.pathname + writeFilters(filters, location.search);
  history[`${how}State`](null, "", address);
  draw();
  if (changes.branch) refresh();
}

window.addEventListener("popstate", () => {
  filters = readFilters(location.search);
  draw();
  refresh();
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

accept(config);
draw();
setInterval(tick, 1000);
timer = setTimeout(refresh, config.refresh_seconds * 1000);
