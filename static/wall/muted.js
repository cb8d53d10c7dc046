// Tiles that are hidden one by one: by the settings for a while (`muted_until`), or by the address:
// `mute=OWNER/REPO/FILE`, with `@BRANCH` for one branch only. web/pages/muted.py does the same for the table without JavaScript.

import { find, setAttr, setText } from "../shared/dom.js";
import { isGreen, isLoud, stateOf } from "../shared/tile_text.js";
import { labelOf, STATES } from "../shared/vocabulary.js";

// The values of `mute` that hide a tile, in lower case.
export function mutesOf({ repo, workflow, branch }) {
  const name = `${repo}/${workflow}`.toLowerCase();
  return [name, `${name}@${branch}`.toLowerCase()];
}

// The tiles that the view hides one by one, and the others.
export function splitMuted(tiles, { mute }) {
  const names = new Set(mute.map((name) => name.toLowerCase()));
  const muted = tiles.filter((tile) =>
    tile.muted_until || (names.size && mutesOf(tile).some((name) => names.has(name))));
  return { muted, kept: muted.length ? tiles.filter((tile) => !muted.includes(tile)) : tiles };
}

// Green, but waiting for an approval.
const wordOf = (tile) => (stateOf(tile) === "passing" ? tile.activity : stateOf(tile));

// "3 hidden, 1 failing, 1 untested"; "3 muted" if the settings hide all of them.
export function mutedText(muted) {
  const words = muted.filter((tile) => !isGreen(tile)).map(wordOf);
  const counts = STATES.filter((state) => words.includes(state)).map((state) =>
    `${words.filter((word) => word === state).length} ${labelOf(state)}`);
  const word = muted.every((tile) => tile.muted_until) ? "muted" : "hidden";
  return [`${muted.length} ${word}`, ...counts].join(", ");
}

// What the settings mute is no alarm.
function levelOf(hidden) {
  const muted = hidden.filter((tile) => !tile.muted_until);
  if (muted.some((tile) => tile.tile_state === "failing")) return "failing";
  return muted.some(isLoud) ? "alarm" : "calm";
}

// The number of hidden tiles in the header, also in the kiosk. The button shows those of the address
// again; those of the settings stand on a page.
export function drawMuted(muted, { mute }) {
  const chip = find("muted");
  chip.hidden = !muted.length;
  if (!muted.length) return;
  setText(chip.firstElementChild, mutedText(muted));
  chip.title = mute.length ? "Show the hidden tiles" : "Show the reasons";
  chip.lastElementChild.hidden = !mute.length;
  setAttr(chip, "data-level", levelOf(muted));
}
