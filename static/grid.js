// The tiles as a whole: which come first, and how they share the screen.

import { place } from "./dom.js";
import { fit } from "./layout.js";
import { fillTile, makeTile, tickTile } from "./tile.js";
import { nameOf } from "./words.js";

const DEFAULTS = { sort: "state", group: "", cols: 0, page: 0, kiosk: false };

const keyOf = (tile) => [tile.repo, tile.workflow, tile.branch].join("\n");
const byText = (of) => (a, b) => of(a).localeCompare(of(b), "en", { numeric: true });
const startOf = (tile) => tile.started_at || "";

// The server's order is the one by state.
const ORDERS = {
  name: byText(nameOf),
  repo: byText((tile) => `${tile.repo} ${nameOf(tile)}`),
  newest: (a, b) => (startOf(a) < startOf(b) ? 1 : startOf(a) > startOf(b) ? -1 : 0),
};

export function makeGrid({ root, template, base }) {
  let shown = [];
  let nodes = new Map();

  return {
    draw(tiles, view, page) {
      const wanted = { ...DEFAULTS, ...view };
      const order = ORDERS[wanted.sort];
      shown = order ? [...tiles].sort(order) : tiles;
      const old = nodes;
      nodes = new Map();
      for (const tile of shown) {
        const node = old.get(keyOf(tile)) || makeTile(template);
        nodes.set(keyOf(tile), node);
        fillTile(node, tile, { ...page, base });
      }
      place(root, [...nodes.values()]);
      fit(root, shown.map(nameOf));
    },
    tick(page) {
      for (const tile of shown) tickTile(nodes.get(keyOf(tile)), tile, { ...page, base });
    },
  };
}
