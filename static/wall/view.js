// The view that the address describes. Only this module reads, writes and applies it.

import { stateOf } from "../shared/tile_text.js";
import { ACTIVITIES, STATES } from "../shared/vocabulary.js";

export const HIDEABLE = STATES.filter((state) => !ACTIVITIES.includes(state));

// Parsers of a parameter's text. They return undefined for an invalid value.
const any = (text) => text.trim() || undefined;
const oneOf = (values) => (text) => (values.includes(text) ? text : undefined);
const flag = (text) => ({ 1: true, 0: false })[text];
const number = (pattern, least, most) => (text) => {
  const value = pattern.test(text) ? parseInt(text, 10) : 0;
  return value >= least && value <= most ? value : undefined;
};

// OWNER/REPO/FILE, or OWNER/REPO/FILE@BRANCH. A name may contain any character.
const tileName = (text) => (/^[^/]+\/[^/]+\/./s.test(text) ? text : undefined);

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

// Each parameter's default and its parser. A parameter whose default is a list may repeat,
// which means "or".
const PARAMETERS = {
  repo: [[], any],
  workflow: [[], any],
  branch: [[], any],
  event: [[], any],
  actor: [[], any],
  team: [[], any],
  state: [[], oneOf(STATES)],
  hide: [[], oneOf(HIDEABLE)],
  q: ["", any],
  mute: [[], tileName],
  screen: ["", part],
  sort: ["state", oneOf(["state", "name", "repo", "newest"])],
  group: ["", oneOf(["repo", "team"])],
  cols: [0, number(/^\d{1,2}$/, 1, 20)],
  page: [0, number(/^\d{1,4}s?$/, 5, 3600)],
  theme: ["", oneOf(["dark", "light", "auto"])],
  tz: ["", zone],
  at: ["", any],
  kiosk: [false, flag],
  notify: [false, flag],
  sound: [false, flag],
  keys: [true, flag],
};
const NAMES = Object.keys(PARAMETERS);
const FILTERS = NAMES.slice(0, NAMES.indexOf("sort"));
const isList = (name) => Array.isArray(PARAMETERS[name][0]);
const defaults = (names) =>
  Object.fromEntries(names.map((name) => [name, PARAMETERS[name][0]]));

// Every filter at its default.
export const EVERYTHING = defaults(FILTERS);

export const countFilters = (view) =>
  FILTERS.reduce((sum, name) => sum + [].concat(view[name] || []).length, 0);

// The view, and the parts of the address that were not understood.
export function readView(search) {
  const view = defaults(NAMES);
  const ignored = [];
  for (const [name, text] of new URLSearchParams(search)) {
    // A form also sends empty fields.
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

// The theme and time zone, for links to our other pages.
export const displayQuery = ({ theme, tz }) => writeView({ ...defaults(NAMES), theme, tz });

// Only another branch or time needs other data; everything else is filtered here.
export const wallQuery = ({ branch, at }) => writeView({ ...defaults(NAMES), branch, at });

export const statesOf = (tile) => [stateOf(tile), tile.tile_state, tile.activity];

// For each state, the number of tiles that have it.
export function countStates(tiles) {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const tile of tiles) for (const state of new Set(statesOf(tile))) counts[state] += 1;
  return counts;
}
