// Views for common purposes, each one click away.

import { setAttr } from "../shared/dom.js";
import { ALARMS } from "../shared/vocabulary.js";
import { build } from "../shared/elements.js";
import { countFilters, EVERYTHING, HIDEABLE } from "./view.js";

const LOUD = [...ALARMS, "failing", "invalid_file"];
const QUIET = HIDEABLE.filter((state) => !LOUD.includes(state));
const TV_PAGE_SECONDS = 15;

export const TV = { kiosk: true, page: TV_PAGE_SECONDS };

const isSame = (list, other) =>
  list.length === other.length && list.every((name) => other.includes(name));

// Each has a title, a description, a test whether the view is like that, and the changes that
// lead to it and back.
const PRESETS = [
  {
    title: "Everything", text: "every tile, no filter",
    isOn: (view) => !countFilters(view), on: EVERYTHING, off: {},
  },
  {
    title: "Only failing", text: "and alarms",
    isOn: ({ hide, state }) => isSame(hide, QUIET) && !state.length,
    on: { hide: QUIET, state: [] }, off: { hide: [] },
  },
  { title: "My repository", text: "choose one or more", isOn: ({ repo }) => repo.length > 0 },
  {
    title: "TV", text: "tiles only, in pages",
    isOn: ({ kiosk, page }) => kiosk && page > 0, on: TV, off: { kiosk: false, page: 0 },
  },
];

export function makePresets({ getView, apply, chooseRepository }) {
  const buttons = PRESETS.map(({ title, text }) => build(
    "button", { type: "button", className: "preset" },
    build("b", { textContent: title }), build("span", { textContent: text })));

  buttons.forEach((button, index) => button.addEventListener("click", () => {
    const { isOn, on, off } = PRESETS[index];
    if (on) apply(isOn(getView().view) ? off : on);
    else chooseRepository();
  }));

  return {
    root: build("div", { className: "presets",
      attributes: { role: "group", "aria-label": "Presets" } }, ...buttons),
    draw() {
      buttons.forEach((button, index) =>
        setAttr(button, "aria-pressed", String(PRESETS[index].isOn(getView().view))));
    },
  };
}
