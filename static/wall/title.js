// The tab's title and icon.

import { isLost, isOutdated, lacksPeer } from "../shared/banner.js";
import { base, find, setAttr } from "../shared/dom.js";
import { isAccepted, isGreen } from "../shared/tile_text.js";
import { ALARMS } from "../shared/vocabulary.js";

// The icon's name and the title's text, for the worst of all tiles. A hidden tile (`muted`) that
// is not green shows in the text only. `texts` name the part of a view with a filter; null until
// they are loaded.
function headline(tiles, muted, state, texts) {
  if (isLost(state)) return ["alarm", "no data"];
  const count = (states) =>
    tiles.filter((tile) => states.includes(tile.tile_state)).length;
  const [failing, alarms] = [count(["failing"]), count(ALARMS)];
  const words = [];
  if (failing) words.push(`${failing} failing`);
  if (alarms) words.push(`${alarms} ${alarms > 1 ? "alarms" : "alarm"}`);
  if (lacksPeer(state)) words.push("instance missing");
  if (words.length) return [failing ? "failing" : "alarm", words.join(", ")];
  const isTrusted = !isOutdated(state);
  if (isTrusted && !muted.every(isAccepted)) return ["unknown", texts ? texts.muted : ""];
  if (texts && isTrusted && tiles.length && tiles.every(isGreen)) {
    return [muted.every(isGreen) ? "passing" : "unknown", texts.claim || (tiles.length > 1 ? "all passing" : "passing")];
  }
  const hasOldData = !isTrusted && state.config.polling.last_success_at;
  return hasOldData ? ["alarm", "old data"] : ["unknown", ""];
}

export function drawTitle(tiles, muted, state, texts) {
  const [name, words] = headline(tiles, muted, state, texts);
  const scope = texts && texts.claim !== words && texts.scope;
  const title = [words, scope, state.config.title].filter(Boolean).join(" – ");
  if (document.title !== title) document.title = title;
  const href = `${base}static/shared/favicon-${name}.svg`;
  setAttr(find("icon"), "href", href);
}
