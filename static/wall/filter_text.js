// The filters of a view in words, and the wall's texts for a part of the tiles. Loaded when
// the address has a filter. web/pages/filter_text.py has the same words.

import { stateOf } from "../shared/tile_text.js";
import { labelOf, STATES } from "../shared/vocabulary.js";
import { EVERYTHING } from "./view.js";

const MOST_CHARACTERS = 60;
const MOST_STATES = 3;
// Control characters, and characters that change the direction of the text around them.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function clean(text) {
  const seen = [...text.replace(UNSEEN, "")];
  return seen.length > MOST_CHARACTERS ? `${seen.slice(0, MOST_CHARACTERS).join("")}…`
    : seen.join("");
}

// Each filter's words for a value, and the plural for many values.
const WORDS = {
  repo: [clean, "repositories"],
  workflow: [clean, "workflows"],
  branch: [(name) => `branch ${clean(name)}`, "branches"],
  event: [(name) => `event ${clean(name)}`, "events"],
  actor: [(name) => `by ${clean(name)}`, "accounts"],
  team: [(name) => `team ${clean(name)}`, "teams"],
  q: [(text) => `“${clean(text)}”`],
  screen: [(text) => `part ${text.replace("of", " of ")}`],
  state: [(name, index) => `${index ? "or" : "only"} ${labelOf(name)}`],
  hide: [(name) => `without ${labelOf(name)}`],
};
// These hide tiles that the wall still speaks of. The others name the part that it speaks of.
const HIDING = ["state", "hide", "mute"];

const valuesOf = (view, name) => [].concat(view[name] || []);

// The words of each value of each filter, and the view without it. The hidden tiles of `mute`
// are counted elsewhere.
export const filtersOf = (view) => Object.entries(WORDS).flatMap(([name, [wordsOf]]) =>
  valuesOf(view, name).map((value, index, values) => ({
    words: wordsOf(value, index),
    rest: { ...view, [name]: Array.isArray(view[name])
      ? values.filter((other) => other !== value) : EVERYTHING[name] },
  })));

// "acme/api, acme/web · part 1 of 2": the part of the tiles that the wall speaks of; "" for all.
export function scopeOf(view) {
  const parts = Object.entries(WORDS).map(([name, [wordsOf, plural]]) => {
    const values = HIDING.includes(name) ? [] : valuesOf(view, name);
    return values.length > 2 ? `${values.length} ${plural}` : values.map(wordsOf).join(", ");
  });
  return parts.filter(Boolean).join(" · ");
}

// "2 failing, 1 no access, 15 others": failing ones first, then the most urgent state.
function countsOf(tiles) {
  const all = tiles.map(stateOf);
  const count = (state) => all.filter((other) => other === state).length;
  const states = [...new Set(["failing", ...STATES])].filter(count);
  const named = states.length > MOST_STATES ? states.slice(0, MOST_STATES - 1) : states;
  const others = all.filter((state) => !named.includes(state)).length;
  return named.map((state) => `${count(state)} ${labelOf(state)}`)
    .concat(others ? `${others} others` : []).join(", ");
}

// The words of a wall where all tiles of the part pass, hidden ones too.
function claimOf(view, { kept, shown, muted }) {
  const all = kept.length > 1 ? `all ${kept.length} passing` : "passing";
  if (!muted.length && !HIDING.some((name) => view[name].length)) return all;
  if (!shown.length) return `${kept.length} passing, all hidden`;
  const word = kept.length === shown.length && muted.length && muted.every((tile) => tile.muted_until)
    ? "muted" : "hidden";
  return `${shown.length} passing, ${kept.length + muted.length - shown.length || "none"} ${word}`;
}

// The wall's texts for a view with a filter. Of the tiles of its part, it hides `muted` one by
// one, and shows `shown` of the `kept` ones.
export function describe(view, tiles) {
  const { kept, shown, muted } = tiles;
  const scope = scopeOf(view);
  const inScope = (words) => [scope, words].filter(Boolean).join(": ");
  const hidden = kept.filter((tile) => !shown.includes(tile));
  return {
    scope,
    claim: inScope(claimOf(view, tiles)),
    hidden: hidden.length ? `hidden: ${countsOf(hidden)}` : "",
    hidesFailure: hidden.some(({ tile_state: state }) => state === "failing"),
    allHidden: inScope(`${countsOf(kept)}, all hidden`),
    none: muted.length ? inScope(muted.length > 1 ? `all ${muted.length} tiles are hidden` : "the only tile is hidden")
      : `No tile matches ${scope || "the filters"}`,
  };
}
