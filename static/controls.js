// The header's counts and lists: they show the filters, and say when one is changed.

import { place } from "./dom.js";
import { statesOf } from "./filters.js";
import { STATES, word } from "./words.js";

const LISTS = ["repo", "workflow", "branch", "state"];
const ALL = { repo: [], workflow: [], branch: [], state: [], q: "" };

const find = (id) => document.getElementById(id);

export function makeControls({ base, change }) {
  const counts = new Map();
  let filters = ALL;
  let branches = [];
  let tiles = [];

  // `narrowed` are the tiles before the state is chosen: those are counted.
  function draw(current, allTiles, narrowed) {
    filters = current;
    tiles = allTiles;
    drawCounts(narrowed);
    drawLists();
  }

  function drawCounts(narrowed) {
    const present = STATES.map(([state, name]) => {
      const count = narrowed.filter((tile) => statesOf(tile).includes(state)).length;
      return { state, name, count };
    }).filter(({ state, count }) => count || filters.state.includes(state));
    place(find("counts"), present.map(({ state, name, count }) => {
      if (!counts.has(state)) counts.set(state, makeCount(state));
      const item = counts.get(state);
      const button = item.firstElementChild;
      button.setAttribute("aria-pressed", filters.state.includes(state));
      button.querySelector("b").textContent = count;
      button.querySelector("span").textContent = name;
      return item;
    }));
    // One sentence for who listens: only spoken when it changes.
    const sentence = present.map(({ count, name }) => `${count} ${name}`).join(", ");
    if (find("summary").textContent !== sentence) {
      find("summary").textContent = sentence;
    }
  }

  function makeCount(state) {
    const item = find("count").content.firstElementChild.cloneNode(true);
    item.dataset.state = state;
    item.querySelector("use").setAttribute("href", `#symbol-${state}`);
    item.firstElementChild.addEventListener("click", () => {
      const others = filters.state.filter((one) => one !== state);
      const isOn = others.length < filters.state.length;
      change({ state: isOn ? others : [...others, state] });
    });
    return item;
  }

  function drawLists() {
    const values = (name) => tiles.map((tile) => tile[name]);
    setOptions("repo", values("repo"));
    setOptions("workflow", values("workflow"));
    setOptions("branch", [...branches, ...values("branch")]);
    setOptions("state", STATES.map(([state]) => state), word);
    const search = find("filter-q");
    if (document.activeElement !== search) search.value = filters.q;
    const chosen = LISTS.reduce((sum, name) => sum + filters[name].length, 0)
      + (filters.q ? 1 : 0);
    find("filter-count").textContent = chosen ? ` (${chosen})` : "";
    find("filter-clear").hidden = !chosen;
  }

  // Options are made anew only when they differ: an open list must not jump.
  function setOptions(name, values, label = (value) => value) {
    const select = find(`filter-${name}`);
    const all = [...new Set([...values, ...filters[name]])].filter(Boolean);
    if (name !== "state") all.sort((one, other) => one.localeCompare(other));
    const shown = [...select.options].map((option) => option.value);
    if (shown.join("\n") !== all.join("\n")) {
      select.replaceChildren(...all.map((value) => new Option(label(value), value)));
    }
    for (const option of select.options) {
      option.selected = filters[name].includes(option.value);
    }
  }

  // The tiles know only the default branches.
  async function loadBranches() {
    const answer = await fetch(`${base}api/filters`, { cache: "no-store" });
    if (!answer.ok) return;
    branches = (await answer.json()).branches.map((choice) => choice.value);
    drawLists();
  }

  for (const name of LISTS) {
    const select = find(`filter-${name}`);
    select.addEventListener("change", () => {
      change({ [name]: [...select.selectedOptions].map((option) => option.value) });
    });
  }
  const search = find("filter-q");
  search.addEventListener("input", () => change({ q: search.value.trim() }, "replace"));
  find("filter-form").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["filter-clear", "empty-clear"]) {
    find(id).addEventListener("click", () => change(ALL));
  }
  const panel = find("filters");
  panel.addEventListener("toggle", () => {
    // Without an answer the lists stay as they are; the next opening asks again.
    if (panel.open) loadBranches().catch(() => {});
  });
  document.addEventListener("click", (event) => {
    if (!panel.contains(event.target)) panel.open = false;
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    panel.open = false;
    panel.firstElementChild.focus();
  });
  return { draw };
}
