// What the wall is narrowed to. The address says it, the controls only change it.

import { stateOf } from "./words.js";

const LISTS = ["repo", "workflow", "branch", "state"];

export function readFilters(search) {
  const query = new URLSearchParams(search);
  const filters = { q: query.get("q") || "", screen: query.get("screen") || "" };
  for (const name of LISTS) filters[name] = query.getAll(name).filter(Boolean);
  return filters;
}

// The address of these filters; parameters of others, such as theme, stay.
export function writeFilters(filters, search) {
  const query = new URLSearchParams(search);
  for (const name of LISTS) {
    query.delete(name);
    for (const value of filters[name]) query.append(name, value);
  }
  query.delete("q");
  if (filters.q) query.set("q", filters.q);
  return `?${query}`.replace(/^\?$/, "");
}

// Only another branch needs other data; the rest is narrowed here.
export function wallQuery(filters) {
  const query = new URLSearchParams();
  for (const branch of filters.branch) query.append("branch", branch);
  return `?${query}`.replace(/^\?$/, "");
}

export const statesOf = (tile) =>
  [stateOf(tile), tile.tile_state, tile.activity].filter(Boolean);

const has = (chosen, value) =>
  !chosen.length || chosen.some((one) => one.toLowerCase() === value.toLowerCase());

const texts = (tile) =>
  [tile.repo, tile.workflow, tile.workflow_name, tile.branch, tile.actor,
    tile.display_title].join("\n").toLowerCase();

// Everything but the state, which is what the counts on top count.
export function narrow(tiles, filters) {
  const words = filters.q.toLowerCase().split(/\s+/);
  const chosen = tiles.filter(
    (tile) =>
      has(filters.repo, tile.repo)
      && has(filters.workflow, tile.workflow)
      && words.every((word) => texts(tile).includes(word)),
  );
  return onScreen(chosen, filters.screen);
}

export function narrowByState(tiles, filters) {
  if (!filters.state.length) return tiles;
  return tiles.filter((tile) =>
    statesOf(tile).some((state) => filters.state.includes(state)));
}

// "1of2": that part of the tiles by name, so that each keeps its screen.
function onScreen(tiles, screen) {
  const match = /^([1-9]\d?)of([1-9]\d?)$/.exec(screen);
  if (!match || Number(match[1]) > Number(match[2])) return tiles;
  const [, number, total] = match.map(Number);
  const key = (tile) => `${tile.repo} ${tile.workflow} ${tile.branch}`;
  const keys = tiles.map(key).sort();
  const size = Math.ceil(keys.length / total);
  const mine = new Set(keys.slice((number - 1) * size, number * size));
  return tiles.filter((tile) => mine.has(key(tile)));
}
