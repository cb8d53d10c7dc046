// A list of check boxes with a search field, for a thousand choices and more: it shows some of
// them, and one press of Tab leaves it.

import { setAttr, setChildren, setText } from "../shared/dom.js";
import { build, button, symbol } from "../shared/elements.js";

const FIRST = 50;
const MORE = 200;
// Shorter lists need no search.
const SEARCHED = 8;
const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

const byLabel = new Intl.Collator("en", { numeric: true }).compare;
const textOf = ({ label, detail, note, value }) =>
  [label, detail, note, value].join(" ").toLowerCase();

function makeRow(name, id) {
  const box = build("input", { type: "checkbox", tabIndex: -1, attributes: { name } });
  const label = build("bdi", { className: "choice__label" });
  const detail = build("bdi", { className: "choice__detail" });
  const note = build("span", { className: "choice__note" });
  const row = build("label", { className: "choice" }, box, label, detail, note);
  row.dataset.key = id;
  return row;
}

function fillRow(row, choice, isOn) {
  const [box, ...rest] = row.children;
  const [label, detail, note] = rest.filter((part) => part.localName !== "svg");
  if (choice.symbol && rest[0].localName !== "svg") box.after(symbol(choice.symbol));
  if (choice.symbol) row.querySelector("use").setAttribute("href", `#symbol-${choice.symbol}`);
  setAttr(row, "data-state", choice.symbol || false);
  box.value = choice.value;
  box.checked = isOn;
  setText(label, choice.label);
  setText(detail, choice.detail || "");
  const { count: number } = choice;
  setText(note, choice.note || (number === undefined ? "" : String(number)));
  setAttr(row, "data-empty", choice.count === 0);
}

// `list` has name, title, hint, none (the text when nothing is chosen) and order: "fixed" as
// given, "given" with the chosen ones first, or else those first and by name.
// `getChosen` returns the chosen values as texts, `getChoices` all choices and a function that
// tells whether one is chosen. `onChange` gets a choice and its new state.
export function makeCheckList(list, getChosen, getChoices, onChange, onClear) {
  const { name, title, hint, none, order } = list;
  const chosenText = build("span", { className: "list__chosen", dir: "auto" });
  const search = build("input", {
    type: "search", autocomplete: "off", dir: "auto",
    attributes: { "aria-label": `Search ${title.toLowerCase()}` },
  });
  const box = build("div", {
    className: "list__box", attributes: { role: "group", "aria-label": title },
  });
  const more = button("", () => {
    limit += MORE;
    draw();
  });
  const nothing = build("p", { className: "list__hint", textContent: "Nothing found" });
  const clear = button("Clear", () => {
    onClear();
    boxes()[0].focus();
  });
  const root = build("details", { className: "list" },
    build("summary", {}, build("span", { textContent: title }), " ", chosenText),
    ...(hint ? [build("p", { className: "list__hint", textContent: hint })] : []),
    search, box, nothing, build("p", { className: "list__foot" }, more, clear));
  root.dataset.list = name;
  let rows = new Map();
  let choices = new Map();
  let pinned = new Set();
  let limit = FIRST;

  const idOf = ({ keys }) => keys[0];
  const boxes = () => [...box.querySelectorAll("input")];

  // One box of the list can be reached with Tab; the arrow keys lead to the others.
  function setTabStop(chosen) {
    for (const other of boxes()) other.tabIndex = other === chosen ? 0 : -1;
  }

  function focusBox(target) {
    setTabStop(target);
    target.focus();
  }

  function found(all) {
    const words = search.value.toLowerCase().split(/\s+/);
    return all.filter((choice) => words.every((word) => textOf(choice).includes(word)));
  }

  // Choices that were made before the list was opened come first; later ones stay in place.
  function sorted(all) {
    if (order === "fixed") return all;
    const rank = (choice) => (pinned.has(idOf(choice)) ? 0 : 1);
    return all.sort((a, b) =>
      rank(a) - rank(b) || (order ? 0 : byLabel(a.label, b.label)));
  }

  function draw() {
    const chosen = getChosen();
    setText(chosenText, chosen.length > 1 ? `${chosen.length} chosen` : chosen[0] || none);
    setAttr(root, "data-chosen", chosen.length > 0);
    if (!root.open) return;
    const [all, isChosen] = getChoices();
    const ids = new Set(all.map(idOf));
    // A value that only the address had can be chosen again while the list is open.
    for (const [id, choice] of choices) if (pinned.has(id) && !ids.has(id)) all.push(choice);
    choices = new Map(all.map((choice) => [idOf(choice), choice]));
    const matching = sorted(found(all));
    const shown = matching.slice(0, limit);
    const left = matching.length - shown.length;
    const old = rows;
    rows = new Map(shown.map((choice) => {
      const row = old.get(idOf(choice)) || makeRow(name, idOf(choice));
      fillRow(row, choice, isChosen(choice));
      return [idOf(choice), row];
    }));
    setChildren(box, [...rows.values()]);
    if (!boxes().some(({ tabIndex }) => tabIndex === 0)) setTabStop(boxes()[0]);
    search.hidden = order === "fixed" || all.length <= SEARCHED;
    search.placeholder = `Search ${all.length} ${title.toLowerCase()}`;
    nothing.hidden = matching.length > 0;
    clear.hidden = !chosen.length;
    more.hidden = left < 1;
    more.parentNode.hidden = more.hidden && clear.hidden;
    setText(more, `${left} more: search, or show ${left > MORE ? `the next ${MORE}` : "them"}`);
  }

  function pin() {
    const [all, isChosen] = getChoices();
    pinned = new Set(all.filter(isChosen).map(idOf));
    limit = FIRST;
  }

  root.addEventListener("toggle", () => {
    pin();
    draw();
  });
  search.addEventListener("input", () => {
    limit = FIRST;
    draw();
  });
  box.addEventListener("change", ({ target }) => {
    setTabStop(target);
    onChange(choices.get(target.parentNode.dataset.key), target.checked);
  });
  root.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const { target } = event;
    const all = boxes();
    const index = all.indexOf(target);
    if (!step || !all.length || (index < 0 && (target !== search || event.key !== "ArrowDown"))) {
      return;
    }
    event.preventDefault();
    if (index === 0 && step === -1 && !search.hidden) search.focus();
    else focusBox(all[Math.max(0, Math.min(all.length - 1, index + step))]);
  });

  return {
    root,
    draw,
    open() {
      root.open = true;
      pin();
      draw();
      (search.hidden ? boxes()[0] : search).focus();
    },
  };
}
