// What is told without being looked at: the tab's title and icon, and what changed.

import { isLost } from "./banner.js";
import { stateOf } from "./words.js";

const ALARMS = ["no_access", "stale", "overdue", "zombie", "disabled"];
const UNSURE = ["no_access", "stale"];

// The worst of all tiles: what the icon shows, and the title's words.
export function headline(tiles, contact) {
  if (isLost(contact)) return ["alarm", "no data"];
  const count = (states) =>
    tiles.filter((tile) => states.includes(tile.tile_state)).length;
  const [failing, alarms] = [count(["failing"]), count(ALARMS)];
  const words = [];
  if (failing) words.push(`${failing} failing`);
  if (alarms) words.push(`${alarms} ${alarms > 1 ? "alarms" : "alarm"}`);
  if (words.length) return [failing ? "failing" : "alarm", words.join(", ")];
  const isGreen = tiles.length && count(["passing"]) === tiles.length;
  return isGreen ? ["passing", "all passing"] : ["unknown", ""];
}

export function drawTab(icon, tiles, contact, base) {
  const [state, words] = headline(tiles, contact);
  const title = [words, contact.config.title].filter(Boolean).join(" – ");
  if (document.title !== title) document.title = title;
  const href = `${base}static/favicon-${state}.svg`;
  if (icon.getAttribute("href") !== href) icon.href = href;
}

// Compares each answer with the one before: [{ tile, result, old }]. Data that could not
// be had for a while are no change: the result before them is kept for the next time.
export function makeTransitions() {
  let known = new Map();
  return (tiles) => {
    const before = known;
    known = new Map();
    const changes = [];
    for (const tile of tiles) {
      const key = [tile.repo, tile.workflow, tile.branch].join("\n");
      const old = before.get(key);
      const state = stateOf(tile);
      const result = UNSURE.includes(state) ? old || tile.base : state;
      known.set(key, result);
      const isNews = old !== "unknown" || result !== "passing";
      if (old && result !== old && result !== "unknown" && isNews) {
        changes.push({ tile, result, old });
      }
    }
    return changes;
  };
}
