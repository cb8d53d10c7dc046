// The number of tiles in each state. Each count is a button that filters by the state.

import { find, setChildren, setText } from "../shared/dom.js";
import { ACTIVITIES, labelOf, STATES } from "../shared/vocabulary.js";
import { countStates } from "./view.js";

// Passing, untested, unknown, and the activities but held. Where the line is too short, the last
// ones are hidden first.
const LESS_IMPORTANT = [...STATES.slice(-3).reverse(), ...ACTIVITIES.slice(1)];

export function makeCounts(change) {
  const root = find("counts");
  const items = new Map();
  let chosen = [];
  let drawnKey = "";
  let folding = null;

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

  // Loaded when the line is too short for the first time.
  function fold(items) {
    if (!folding && root.scrollWidth <= root.clientWidth) return;
    folding = folding || import("./fold.js");
    folding.then(({ foldLine }) => foldLine(root, items), () => {
      folding = null;
      drawnKey = "";
    });
  }

  // `name` names the part of the tiles that is counted.
  return function draw(tiles, view, name) {
    chosen = view.state;
    const counts = countStates(tiles);
    const present = STATES.map((state) => [state, counts[state]])
      .filter(([state, count]) => count || chosen.includes(state));
    const drawn = present.map(([state, count]) => {
      if (!items.has(state)) items.set(state, makeCount(state));
      const item = items.get(state);
      item.firstElementChild.setAttribute("aria-pressed", chosen.includes(state));
      setText(item.querySelector("b"), String(count));
      setText(item.querySelector("span"), labelOf(state));
      return item;
    });
    setChildren(root, [...drawn, ...root.querySelectorAll(".fold")]);
    const texts = present.map(([state, count]) => `${count} ${labelOf(state)}`);
    // For screen readers.
    setText(find("summary"), [name, texts.join(", ")].filter(Boolean).join(": "));
    const key = [root.clientWidth, root.hasAttribute("data-all"), chosen, texts].join();
    if (key === drawnKey) return;
    drawnKey = key;
    fold(present.map(([state], index) => ({
      node: drawn[index],
      name: texts[index],
      rank: ["failing", ...chosen].includes(state) ? -2 : LESS_IMPORTANT.indexOf(state),
    })));
  };
}
