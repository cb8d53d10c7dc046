// Fetches the tiles, and keeps the objects of those that have not changed.

import { get } from "../shared/connection.js";
import { base } from "../shared/dom.js";
import { keyOf } from "../shared/tile_text.js";

export async function fetchTiles(query, signal) {
  const response = await get(`${base}api/wall${query}`, { signal });
  // A proxy that compresses the response makes its ETag a weak one, or appends "-gzip".
  const hash = /\w{32}/.exec(response.headers.get("ETag"));
  const { tiles, revision } = await response.json();
  return { query, etag: hash && `"${hash}"`, tiles, revision };
}

const isSame = (value, other) => JSON.stringify(value) === JSON.stringify(other);

// An unchanged tile stays the same object, so that nothing has to compare or draw it again.
// A new strip alone does not change a tile.
export function reuseTiles(oldTiles, tiles) {
  const byKey = new Map(oldTiles.map((tile) => [keyOf(tile), tile]));
  return tiles.map((tile) => {
    const old = byKey.get(keyOf(tile));
    const names = Object.keys(tile).filter((name) => name !== "strip");
    if (!old || !names.every((name) => isSame(old[name], tile[name]))) return tile;
    if (!isSame(old.strip, tile.strip)) old.strip = tile.strip;
    return old;
  });
}
