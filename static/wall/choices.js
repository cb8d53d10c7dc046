// The choices of the check lists in the settings, with their numbers of tiles. It uses no DOM.

import { count } from "../shared/format.js";
import { nameOf, stateOf } from "../shared/tile_text.js";
import { labelOf, STATES } from "../shared/vocabulary.js";
import { selectTiles } from "./matching.js";
import { mutesOf } from "./muted.js";
import { HIDEABLE, statesOf } from "./view.js";

const FIXED = { state: STATES, hide: HIDEABLE };
const VALUES = { state: statesOf, hide: (tile) => [stateOf(tile)] };

// Git has branches that differ only in letter case; GitHub has no such repositories or people.
const keyOf = (name, value) => (name === "branch" ? value : value.toLowerCase());

// The tiles that the view shows.
export const shownTiles = (tiles, view) => selectTiles(tiles, view).shown;

// Returns a function from a tile to its value of `mute`. A workflow with one tile is named without
// the branch, so that it stays hidden when its branch changes.
export function makeMuteOf(tiles) {
  const numbers = new Map();
  for (const [name] of tiles.map(mutesOf)) numbers.set(name, (numbers.get(name) || 0) + 1);
  return (tile) => {
    const path = `${tile.repo}/${tile.workflow}`;
    const isAlone = numbers.get(path.toLowerCase()) < 2;
    return isAlone || !tile.branch ? path : `${path}@${tile.branch}`;
  };
}

// [{ value, keys, label, detail, count }] of one list. `keys` are all spellings of a value, and
// `count` the number of tiles that the view would show with that value alone. `branches` are
// the [value, number of runs] of branches, because tiles name their own branch only.
export function choicesOf(name, { tiles, view, branches }) {
  const choices = name === "mute" ? tileChoices(tiles) : valueChoices(name, tiles, view);
  const found = new Map(choices.map((choice) => [choice.keys[0], choice]));
  if (name === "branch") addBranches(found, branches);
  const known = new Set([...found.values()].flatMap(({ keys }) => keys));
  for (const value of view[name]) {
    const key = keyOf(name, value);
    if (known.has(key)) continue;
    found.set(key, { value, keys: [key], label: value, note: "not on the wall" });
  }
  return [...found.values()];
}

function valueChoices(name, tiles, view) {
  const valuesOf = VALUES[name] || ((tile) => [tile[name]]);
  const makeChoice = (value) =>
    ({ value, keys: [keyOf(name, value)], label: value, details: new Set(), count: 0 });
  const found = new Map((FIXED[name] || []).map((value) =>
    [value, { ...makeChoice(value), label: labelOf(value), symbol: value }]));
  // A part of the tiles is a part of those that are left by the other filters.
  const shown = new Set(shownTiles(tiles, { ...view, [name]: [], screen: "" }));
  for (const tile of tiles) {
    for (const value of new Set(valuesOf(tile).filter(Boolean))) {
      const key = keyOf(name, value);
      if (!found.has(key)) found.set(key, makeChoice(value));
      const choice = found.get(key);
      if (name === "workflow") choice.details.add(nameOf(tile));
      if (shown.has(tile)) choice.count += 1;
    }
  }
  return [...found.values()].map(({ details, ...choice }) =>
    ({ ...choice, detail: [...details].filter((text) => text !== choice.value).join(", ") }));
}

function tileChoices(tiles) {
  const muteOf = makeMuteOf(tiles);
  return tiles.map((tile) => ({
    value: muteOf(tile),
    keys: [...mutesOf(tile)].reverse(),
    label: `${tile.repo} · ${nameOf(tile)}`,
    detail: tile.branch || "",
    note: labelOf(stateOf(tile)),
    symbol: stateOf(tile),
  }));
}

// Those with most runs first.
function addBranches(found, branches) {
  for (const [value, runs] of branches) {
    found.delete(value);
    found.set(value, { value, keys: [value], label: value, note: count(runs, "run") });
  }
}

export const isChosen = (name, view) => {
  const keys = new Set(view[name].map((value) => keyOf(name, value)));
  return (choice) => choice.keys.some((key) => keys.has(key));
};

// The values of a list after one choice was made or undone.
export function withChoice(name, view, { value, keys }, isOn) {
  const others = view[name].filter((other) => !keys.includes(keyOf(name, other)));
  return isOn ? [...others, value] : others;
}
