// Tiles that the address hides one by one: `mute=OWNER/REPO/FILE`, with `@BRANCH` for one branch
// only. web/pages/muted.py does the same for the table without JavaScript.

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
  const muted = names.size
    ? tiles.filter((tile) => mutesOf(tile).some((name) => names.has(name))) : [];
  return { muted, kept: muted.length ? tiles.filter((tile) => !muted.includes(tile)) : tiles };
}

// Green, but waiting for an approval.
const wordOf = (tile) => (stateOf(tile) === "passing" ? tile.activity : stateOf(tile));

// "3 hidden, 1 failing, 1 untested"
export function mutedText(muted) {
  const words = muted.filter((tile) => !isGreen(tile)).map(wordOf);
  const counts = STATES.filter((state) => words.includes(state)).map((state) =>
    `${words.filter((word) => word === state).length} ${labelOf(state)}`);
  return [`${muted.length} hidden`, ...counts].join(", ");
}

function levelOf(muted) {
  if (muted.some((tile) => tile.tile_state === "failing")) return "failing";
  return muted.some(isLoud) ? "alarm" : "calm";
}

// The number of hidden tiles in the header, also in the kiosk.
export function drawMuted(muted) {
  const chip = find("muted");
  chip.hidden = !muted.length;
  if (!muted.length) return;
  setText(chip.firstElementChild, mutedText(muted));
  setAttr(chip, "data-level", levelOf(muted));
}
