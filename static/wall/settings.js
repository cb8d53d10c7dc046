// The settings form. Its fields have the names and values of the address's parameters, and
// the address is the only place that stores them.

import { getJson } from "../shared/connection.js";
import { base, setText } from "../shared/dom.js";
import { labelOf, STATES } from "../shared/vocabulary.js";
import { EVERYTHING, HIDEABLE, writeView } from "./view.js";

const NAMES = ["repo", "workflow", "branch", "event", "actor"];
const LISTS = { repo: "Repository", workflow: "Workflow", branch: "Branch",
  event: "Event", actor: "Actor", state: "State", hide: "Hide" };
const CHOICES = [
  ["sort", "Order", ["by state", "by name", "by repo", "newest first"]],
  ["group", "Group", ["none", "by repo"]],
  ["theme", "Theme", ["dark", "light", "auto"]],
];
const VALUES = { "by name": "name", "by repo": "repo", "newest first": "newest" };
const TEXTS = [
  ["cols", "Columns", "1 to 20"],
  ["page", "Change pages every", "15s"],
  ["screen", "Part of the tiles", "1of2"],
  ["tz", "Time zone", "Europe/Berlin"],
];
const SWITCHES = [
  ["kiosk", "1", "Kiosk"],
  ["notify", "1", "Notifications"],
  ["sound", "1", "Sound"],
  ["keys", "0", "Turn off letter keys"],
];

export function build(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const button = (text, click) =>
  build("button", { type: "button", textContent: text, onclick: click });

const choice = ([name, label, texts]) => build("label", {}, label, build(
  "select",
  { name },
  ...texts.map((text, index) => new Option(text, index ? VALUES[text] || text : "")),
));

function makeForm(share, ...buttons) {
  return build(
    "form",
    { id: "panel", className: "panel", hidden: true },
    build("label", { className: "panel__wide" }, "Search",
      build("input", { type: "search", name: "q", dir: "auto", autocomplete: "off" })),
    ...Object.entries(LISTS).map(([name, label]) => build("label", {}, label,
      build("select", { name, multiple: true, size: 4, dir: "auto" }))),
    ...CHOICES.map(choice),
    ...TEXTS.map(([name, label, placeholder]) => build("label", {}, label,
      build("input", { name, placeholder, autocomplete: "off" }))),
    build("p", { className: "panel__wide" }, ...SWITCHES.map(([name, value, label]) =>
      build("label", {}, build("input", { type: "checkbox", name, value }), ` ${label}`))),
    share,
    build("p", { className: "panel__wide" }, ...buttons),
  );
}

// Options are replaced only when they differ, so that an open list does not jump.
function setOptions(select, values, label = (value) => value) {
  const shown = [...select.options].map((option) => option.value);
  if (shown.join("\n") === values.join("\n")) return;
  select.replaceChildren(...values.map((value) => new Option(label(value), value)));
}

function setField(field, values) {
  if (field.type === "checkbox") field.checked = values.includes(field.value);
  else if (field.type === "select-multiple") {
    for (const option of field.options) option.selected = values.includes(option.value);
  } else if (field !== document.activeElement) field.value = values[0] || "";
}

export function makeSettings({ opener, getView, change, go, showKeys }) {
  const address = build("input", { readOnly: true });
  const shared = build("span", {});
  shared.setAttribute("role", "status");
  const form = makeForm(
    build("label", { className: "panel__wide" }, "Share this view", address),
    button("Copy", share),
    shared,
    button("Keys", showKeys),
    button("Show everything", () => change(EVERYTHING)),
  );
  let branches = [];

  // Browsers let a page copy over HTTPS only; elsewhere the address is selected.
  async function share() {
    address.select();
    try {
      await navigator.clipboard.writeText(address.value);
      setText(shared, "Copied");
    } catch (error) {
      setText(shared, "Copy it with Ctrl+C");
    }
  }

  function draw() {
    if (form.hidden) return;
    const { view, tiles } = getView();
    const query = new URLSearchParams(writeView(view));
    for (const name of NAMES) {
      const values = tiles.map((tile) => tile[name]).concat(view[name]);
      if (name === "branch") values.push(...branches);
      setOptions(form.elements[name], [...new Set(values.filter(Boolean))].sort());
    }
    for (const field of form.elements) {
      if (field.name) setField(field, query.getAll(field.name));
    }
    address.value = location.href;
  }

  // Tiles name their own branch only, so the list of branches is fetched.
  async function loadBranches() {
    const { branches: list } = await getJson(`${base}api/filters`);
    branches = list.map(({ value }) => value);
    draw();
  }

  function open(isOpen) {
    form.hidden = !isOpen;
    opener.setAttribute("aria-expanded", isOpen);
    if (!isOpen) return;
    setText(shared, "");
    draw();
    // After an error the list stays the same; the next opening tries again.
    loadBranches().catch(() => {});
  }

  setOptions(form.elements.state, STATES, labelOf);
  setOptions(form.elements.hide, HIDEABLE, labelOf);
  form.addEventListener("input", ({ target }) => {
    const isTyped = target.matches("input:not([type=checkbox])");
    go(new URLSearchParams(new FormData(form)), isTyped ? "replace" : "push");
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", ({ target }) => {
    if (!form.contains(target) && !opener.contains(target)) open(false);
  });
  opener.after(form);
  return {
    draw,
    open,
    isOpen: () => !form.hidden,
    close() {
      open(false);
      opener.focus();
    },
    search() {
      open(true);
      form.elements.q.focus();
    },
  };
}
