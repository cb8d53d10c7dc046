// The number of tiles in each state. Each count is a button that filters by the state.

import { find, setChildren, setText } from "../shared/dom.js";
import { labelOf, STATES } from "../shared/vocabulary.js";
import { countStates } from "./view.js";

export function makeCounts(change) {
  const root = find("counts");
  const items = new Map();
  let chosen = [];

  function makeCount(state) {
    const item = find("count").content.firstElementChild.cloneNode(true);
    const button = item.firstElementChild;
    button.dataset.state = state;
    button.querySelector("use").setAttribute("href", `#symbol-${state}`);
    button.addEventListener("click", () => {
      const others = chosen.filter((name) => name !== state);
      const isOn = others.length < chosen.length;
      change({ state: isOn ? others : [...others, state] });
    });
    return item;
  }

  return function draw(tiles, view) {
    chosen = view.state;
    const counts = countStates(tiles);
    const present = STATES.map((state) => [state, counts[state]])
      .filter(([state, count]) => count || chosen.includes(state));
    setChildren(root, present.map(([state, count]) => {
      if (!items.has(state)) items.set(state, makeCount(state));
      const item = items.get(state);
      item.firstElementChild.setAttribute("aria-pressed", chosen.includes(state));
      setText(item.querySelector("b"), String(count));
      setText(item.querySelector("span"), labelOf(state));
      return item;
    }));
    // For screen readers.
    const texts = present.map(([state, count]) => `${count} ${labelOf(state)}`);
    setText(find("summary"), texts.join(", "));
  };
}
