// The tab's title and icon.

import { isLost } from "../shared/banner.js";
import { base, find, setAttr } from "../shared/dom.js";
import { ALARMS } from "../shared/vocabulary.js";

// The icon's name and the title's text, for the worst of all tiles.
function headline(tiles, state) {
  if (isLost(state)) return ["alarm", "no data"];
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

export function drawTitle(tiles, state) {
  const [name, words] = headline(tiles, state);
  const title = [words, state.config.title].filter(Boolean).join(" – ");
  if (document.title !== title) document.title = title;
  const href = `${base}static/shared/favicon-${name}.svg`;
  setAttr(find("icon"), "href", href);
}
