// The settings that are no lists: the search, the order and layout of the tiles, this screen.

import { setAttr, setText } from "../shared/dom.js";
import { build } from "../shared/elements.js";
import { readView } from "./view.js";

const partText = (part) => `part ${part.replace("of", " of ")}`;
const PARTS = ["1of2", "2of2", "1of3", "2of3", "3of3", "1of4", "2of4", "3of4", "4of4"];
const CHOICES = {
  sort: [["state", "most urgent first"], ["newest", "newest run first"], ["name", "by workflow"],
    ["repo", "by repository"]],
  group: [["", "none"], ["repo", "by repository"], ["team", "by team"]],
  theme: [["", "as in this browser"], ["dark", "dark"], ["light", "light"],
    ["auto", "as the system"]],
  screen: [["", "all tiles"], ...PARTS.map((part) => [part, partText(part)])],
};
// name: [label, type, help, error]
const TEXTS = {
  cols: ["Columns", "number", "as many as fit", "1 to 20"],
  page: ["Seconds per page", "number", "no pages", "5 to 3600"],
  tz: ["Time zone", "text", "as the server", "for example Europe/Berlin"],
};
const RANGES = { cols: [1, 20], page: [5, 3600] };
// name: [label, explanation]
const SWITCHES = {
  kiosk: ["Kiosk", "only the tiles, the time and hidden counts"],
  notify: ["Notifications", "when a workflow breaks or recovers"],
  sound: ["Sound", "when a workflow breaks or recovers"],
  keys: ["Letter keys", "turn off for speech input"],
};

const isValid = (name, text) =>
  !readView(`?${new URLSearchParams([[name, text]])}`).ignored.length;

export function makeFields({ getView, apply }) {
  const draws = [];
  const valueOf = (name) => getView().view[name];

  function makeChoice(name, label) {
    const select = build("select", { attributes: { name } },
      ...CHOICES[name].map(([value, text]) => new Option(text, value)));
    select.addEventListener("change", () => apply({ [name]: select.value }));
    draws.push(() => {
      const value = valueOf(name);
      // The address may have a part of more parts than the list.
      if (![...select.options].some((option) => option.value === value)) {
        select.add(new Option(partText(value), value));
      }
      select.value = value;
    });
    return build("label", { className: "field" }, label, select);
  }

  // A text is applied once it is valid; until then the field says what would be.
  function makeText(name) {
    const [label, type, placeholder, help] = TEXTS[name];
    const input = build("input", { type, placeholder, autocomplete: "off", attributes: { name } });
    const error = build("span", { className: "field__error", attributes: { role: "status" } });
    if (RANGES[name]) [input.min, input.max] = RANGES[name];
    const [empty, convert] = type === "number" ? [0, Number] : ["", String];
    input.addEventListener("input", () => {
      const text = input.value.trim();
      const isGood = input.validity.valid && isValid(name, text);
      setText(error, isGood ? "" : help);
      setAttr(input, "aria-invalid", !isGood && "true");
      if (isGood) apply({ [name]: text ? convert(text) : empty });
    });
    draws.push(() => {
      if (input === document.activeElement) return;
      input.value = valueOf(name) || "";
      setText(error, "");
      setAttr(input, "aria-invalid", false);
    });
    return build("label", { className: "field" }, label, input, error);
  }

  function makeSwitch(name) {
    const [label, text] = SWITCHES[name];
    const box = build("input", { type: "checkbox", attributes: { name } });
    box.addEventListener("change", () => apply({ [name]: box.checked }));
    draws.push(() => { box.checked = valueOf(name); });
    return build("label", { className: "switch" }, box, build("span", {}, label,
      build("span", { className: "switch__text", textContent: text })));
  }

  const search = build("input", {
    type: "search", dir: "auto", autocomplete: "off",
    placeholder: "workflow, repository, branch, person", attributes: { name: "q" },
  });
  search.addEventListener("input", () => apply({ q: search.value.trim() }));
  draws.push(() => {
    if (search !== document.activeElement) search.value = valueOf("q");
  });

  return {
    search: build("label", { className: "field" }, "Search", search),
    display: build("div", { className: "fields" },
      makeChoice("sort", "Order"), makeChoice("group", "Groups"), makeChoice("theme", "Theme"),
      makeText("cols"), makeText("page"), makeChoice("screen", "Part of the tiles"),
      makeText("tz")),
    screen: build("div", { className: "fields" },
      ...["kiosk", "notify", "sound", "keys"].map(makeSwitch)),
    focusSearch: () => search.focus(),
    draw: () => draws.forEach((draw) => draw()),
  };
}
