// What the tab tells without being looked at.

import { isLost } from "../shared/banner.js";

const ALARMS = ["no_access", "stale", "overdue", "stuck", "disabled"];

// The worst of all tiles: what the icon shows, and the title's words.
function headline(tiles, contact) {
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
  const href = `${base}static/shared/favicon-${state}.svg`;
  if (icon.getAttribute("href") !== href) icon.href = href;
}
