// Moves the focus with the arrow keys, and lists all keys in a dialog.

import { build } from "../shared/elements.js";

const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const linkOf = (tile) => tile.querySelector("a[href]");

const middle = (node) => {
  const { left, top, width, height } = node.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
};

// Tiles differ in size: one is beyond another when it starts where the other ends.
function isBeyond(tile, from, [dx, dy]) {
  const [box, other] = [tile.getBoundingClientRect(), from.getBoundingClientRect()];
  if (dx) return dx > 0 ? box.left >= other.right - 1 : box.right <= other.left + 1;
  return dy > 0 ? box.top >= other.bottom - 1 : box.bottom <= other.top + 1;
}

// The nearest tile in a direction. A distance across it counts three times.
function nearest(tiles, from, [dx, dy]) {
  const [x, y] = middle(from);
  let best = { distance: Infinity };
  for (const tile of tiles) {
    const [tileX, tileY] = middle(tile);
    const ahead = (tileX - x) * dx + (tileY - y) * dy;
    const aside = Math.abs((tileX - x) * dy) + Math.abs((tileY - y) * dx);
    const distance = ahead + 3 * aside;
    if (distance < best.distance && isBeyond(tile, from, [dx, dy])) best = { tile, distance };
  }
  return best.tile;
}

// Returns whether the focus has moved.
export function moveFocus(grid, key) {
  if (!ARROWS[key]) return false;
  const tiles = [...grid.querySelectorAll(".tile")].filter(linkOf);
  const from = document.activeElement.closest(".tile");
  const to = from ? nearest(tiles, from, ARROWS[key]) : tiles[0];
  if (to) linkOf(to).focus();
  return Boolean(to);
}

// Each of `keys` is [key, description, …].
export function listKeys(keys) {
  const title = build("h2", { id: "keys-title", textContent: "Keys" });
  const lines = [["← ↑ → ↓", "move from tile to tile"], ["Enter", "open the tile"], ...keys];
  const list = build("dl", {}, ...lines.flatMap(([key, description]) =>
    [build("dt", { textContent: key }), build("dd", { textContent: description })]));
  const close = build("form", { method: "dialog" }, build("button", { textContent: "Close" }));
  const dialog = build("dialog", { id: "keys", className: "keys",
    attributes: { "aria-labelledby": title.id } }, title, list, close);
  document.body.append(dialog);
  return dialog;
}
