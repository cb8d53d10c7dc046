// How many tiles there are of each state, on top: each count is a filter.

import { place, setText } from "../shared/dom.js";
import { countStates, WORDS } from "./view.js";
import { word } from "../shared/words.js";

export function makeCounts({ root, template, summary, change }) {
  const items = new Map();
  let chosen = [];

  function makeCount(state) {
    const item = template.content.firstElementChild.cloneNode(true);
    const button = item.firstElementChild;
    button.dataset.state = state;
    button.querySelector("use").setAttribute("href", `#symbol-${state}`);
    button.addEventListener("click", () => {
      const others = chosen.filter((one) => one !== state);
      const isOn = others.length < chosen.length;
      change({ state: isOn ? others : [...others, state] });
    });
    return item;
  }

  return function draw(tiles, view) {
    chosen = view.state;
    const counts = countStates(tiles);
    const present = WORDS.map((state) => [state, counts[state]])
      .filter(([state, count]) => count || chosen.includes(state));
    place(root, present.map(([state, count]) => {
      if (!items.has(state)) items.set(state, makeCount(state));
      const item = items.get(state);
      item.firstElementChild.setAttribute("aria-pressed", chosen.includes(state));
      setText(item.querySelector("b"), String(count));
      setText(item.querySelector("span"), word(state));
      return item;
    }));
    // One sentence for who listens.
    setText(summary, present.map(([state, count]) => `${count} ${word(state)}`).join(", "));
  };
}
