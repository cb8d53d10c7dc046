// The tiles that the filters of a view show. Loaded when the address has a filter.

import { stateOf } from "../shared/tile_text.js";
import { splitMuted } from "./muted.js";
import { statesOf } from "./view.js";

const has = (chosen, value) =>
  !chosen.length || chosen.some((item) => item.toLowerCase() === value);

const searchText = (tile) =>
  [tile.repo, tile.workflow, tile.workflow_name, tile.branch, tile.actor,
    tile.display_title].join("\n").toLowerCase();

// Applies all filters except the states, since the counts on top count all states.
function filterTiles(tiles, view) {
  const words = view.q.toLowerCase().split(/\s+/);
  const chosen = tiles.filter(
    (tile) =>
      ["repo", "workflow", "event", "actor", "team"].every((name) =>
        has(view[name], String(tile[name]).toLowerCase()))
      && words.every((word) => searchText(tile).includes(word)),
  );
  return onScreen(chosen, view.screen);
}

// `hide` looks at the result only, not at the activity: hiding running tiles must not hide
// a failure.
function filterByState(tiles, { state, hide }) {
  return tiles.filter((tile) =>
    (!state.length || statesOf(tile).some((name) => state.includes(name)))
    && !hide.includes(stateOf(tile)));
}

// "1of2" is the first half of the tiles by name, so that a tile stays on its screen.
function onScreen(tiles, screen) {
  if (!screen) return tiles;
  const [number, total] = screen.split("of").map(Number);
  const key = (tile) => `${tile.repo} ${tile.workflow} ${tile.branch}`;
  const keys = tiles.map(key).sort();
  const size = Math.ceil(keys.length / total);
  const mine = new Set(keys.slice((number - 1) * size, number * size));
  return tiles.filter((tile) => mine.has(key(tile)));
}

// Of the tiles of the view's part, `muted` are hidden one by one; `kept` are the others, and of
// these `shown` the ones in a state to show.
export function selectTiles(tiles, view) {
  const { kept, muted } = splitMuted(filterTiles(tiles, view), view);
  return { kept, muted, shown: filterByState(kept, view) };
}
