// What the address says of the view: read, written and applied here and nowhere else.

import { STATES, stateOf } from "../shared/words.js";

const ACTIVITIES = ["running", "queued", "waiting", "held", "unfinished"];
export const WORDS = STATES.map(([state]) => state);
export const HIDEABLE = WORDS.filter((word) => !ACTIVITIES.includes(word));

// How a value's text is read; undefined is no value.
const any = (text) => text.trim() || undefined;
const oneOf = (words) => (text) => (words.includes(text) ? text : undefined);
const flag = (text) => ({ 1: true, 0: false })[text];
const number = (form, least, most) => (text) => {
  const value = form.test(text) ? parseInt(text, 10) : 0;
  return value >= least && value <= most ? value : undefined;
};

function part(text) {
  const [number, total] = (/^[1-9]\d?of[1-9]\d?$/.test(text) ? text : "1of0").split("of");
  return Number(number) <= Number(total) ? text : undefined;
}

function zone(text) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }) && text;
  } catch (error) {
    return undefined;
  }
}

// Each parameter: its value when the address does not say, and how it is read. Those of
// lists may repeat, which means "or".
const PARAMETERS = {
  repo: [[], any],
  workflow: [[], any],
  branch: [[], any],
  event: [[], any],
  actor: [[], any],
  state: [[], oneOf(WORDS)],
  hide: [[], oneOf(HIDEABLE)],
  q: ["", any],
  screen: ["", part],
  sort: ["state", oneOf(["state", "name", "repo", "newest"])],
  group: ["", oneOf(["repo"])],
  cols: [0, number(/^\d{1,2}$/, 1, 20)],
  page: [0, number(/^\d{1,4}s?$/, 5, 3600)],
  theme: ["dark", oneOf(["dark", "light", "auto"])],
  tz: ["", zone],
  kiosk: [false, flag],
  notify: [false, flag],
  sound: [false, flag],
  keys: [true, flag],
};
const NAMES = Object.keys(PARAMETERS);
const FILTERS = NAMES.slice(0, NAMES.indexOf("sort"));
const isList = (name) => Array.isArray(PARAMETERS[name][0]);
const valueless = (names) =>
  Object.fromEntries(names.map((name) => [name, PARAMETERS[name][0]]));

// The view without anything that narrows it.
export const EVERYTHING = valueless(FILTERS);

export const countFilters = (view) =>
  FILTERS.reduce((sum, name) => sum + [].concat(view[name] || []).length, 0);

// The view, and those parts of the address that mean nothing.
export function readView(search) {
  const view = valueless(NAMES);
  const ignored = [];
  for (const [name, text] of new URLSearchParams(search)) {
    // A form sends the empty ones, too.
    if (!text) continue;
    const value = NAMES.includes(name) ? PARAMETERS[name][1](text) : undefined;
    if (value === undefined) ignored.push(`${name}=${text}`);
    else view[name] = isList(name) ? [...new Set([...view[name], value])] : value;
  }
  return { view, ignored };
}

export function writeView(view) {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    for (const value of [].concat(view[name])) {
      if (value === PARAMETERS[name][0]) continue;
      const text = typeof value === "boolean" ? Number(value) : value;
      query.append(name, name === "page" ? `${text}s` : text);
    }
  }
  return `?${query}`.replace(/^\?$/, "");
}

// What another page of ours is to look like, as this one does.
export const looksQuery = ({ theme, tz }) => writeView({ ...valueless(NAMES), theme, tz });

// Only another branch needs other data; the rest is narrowed here.
export function wallQuery({ branch }) {
  return `?${new URLSearchParams(branch.map((name) => ["branch", name]))}`
    .replace(/^\?$/, "");
}

const statesOf = (tile) => [stateOf(tile), tile.tile_state, tile.activity];

// How many tiles have each word among their states.
export function countStates(tiles) {
  const counts = Object.fromEntries(WORDS.map((word) => [word, 0]));
  for (const tile of tiles) for (const state of new Set(statesOf(tile))) counts[state] += 1;
  return counts;
}

const has = (chosen, value) =>
  !chosen.length || chosen.some((one) => one.toLowerCase() === value);

const texts = (tile) =>
  [tile.repo, tile.workflow, tile.workflow_name, tile.branch, tile.actor,
    tile.display_title].join("\n").toLowerCase();

// Everything but the states, which are what the counts on top count.
export function narrow(tiles, view) {
  const words = view.q.toLowerCase().split(/\s+/);
  const chosen = tiles.filter(
    (tile) =>
      ["repo", "workflow", "event", "actor"].every((name) =>
        has(view[name], String(tile[name]).toLowerCase()))
      && words.every((word) => texts(tile).includes(word)),
  );
  return onScreen(chosen, view.screen);
}

// A tile is hidden for its colour, not for what goes on above it: to hide what runs
// must not hide a failure.
export function narrowByState(tiles, { state, hide }) {
  return tiles.filter((tile) =>
    (!state.length || statesOf(tile).some((one) => state.includes(one)))
    && !hide.includes(stateOf(tile)));
}

// "1of2": that part of the tiles by name, so that each keeps its screen.
function onScreen(tiles, screen) {
  if (!screen) return tiles;
  const [number, total] = screen.split("of").map(Number);
  const key = (tile) => `${tile.repo} ${tile.workflow} ${tile.branch}`;
  const keys = tiles.map(key).sort();
  const size = Math.ceil(keys.length / total);
  const mine = new Set(keys.slice((number - 1) * size, number * size));
  return tiles.filter((tile) => mine.has(key(tile)));
}
