// Describes who broke or fixed a tile. The server writes the same: web/pages/tile_changes.py.

import { duration } from "./format.js";

// Who started the run that made the change, "broken" or "fixed". GitHub's actor of a schedule
// is whoever last changed it.
export function starterOf(tile, change) {
  const isScheduled = tile[`${change}_event`] === "schedule";
  return (!isScheduled || tile[`${change}_run_attempt`] > 1) && tile[`${change}_actor`] || "";
}

// "broken by #87, tomasz" or "fixed by #90, sofia, was red 2 h"
export const changeText = (tile, change) => [
  `${change} by #${tile[`${change}_run_number`]}`,
  starterOf(tile, change),
  change === "fixed" && tile.red_seconds && `was red ${duration(tile.red_seconds)}`,
].filter(Boolean).join(", ");
