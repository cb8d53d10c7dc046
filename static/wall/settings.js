// The settings: a panel next to the tiles, applied at every change. The address is the only
// place that stores them.

import { getJson } from "../shared/connection.js";
import { base, setAttr, setText } from "../shared/dom.js";
import { count } from "../shared/format.js";
import { labelOf } from "../shared/vocabulary.js";
import { makeCheckList } from "./check_list.js";
import { choicesOf, isChosen, shownTiles, withChoice } from "./choices.js";
import { build, button } from "../shared/elements.js";
import { makeFields } from "./fields.js";
import { makePresets, TV } from "./presets.js";
import { writeView } from "./view.js";

const ONLY = [
  { name: "repo", title: "Repositories", none: "all" },
  { name: "workflow", title: "Workflows", none: "all" },
  { name: "branch", title: "Branches", none: "each default branch",
    order: "given", hint: "Branches to show instead of the default one." },
  { name: "event", title: "Events", none: "all", hint: "What started the last run." },
  { name: "actor", title: "People", none: "all", hint: "Who started the last run." },
  { name: "team", title: "Teams", none: "all" },
  { name: "state", title: "States", none: "all", order: "fixed" },
];
const NOT = [
  { name: "hide", title: "Results", none: "none", order: "fixed",
    hint: "Tiles with this last result, also while a newer run is in progress." },
  { name: "mute", title: "Single tiles", none: "none",
    hint: "The header says how many are hidden, and which of them do not pass." },
];

const section = (title, ...children) => build(
  "section", { className: "drawer__part" }, build("h3", { textContent: title }), ...children);

// Links to the stored views of the settings file.
const screenLinks = (screens) => (!screens.length ? [] : [section("Screens",
  build("p", { className: "screens" }, ...screens.map(({ name }) =>
    build("a", { href: `${base}s/${name}`, textContent: name }))))]);

// The part of the repositories that this instance watches.
const shardText = (shard) => (!shard ? [] : [build("p", {
  className: "quiet",
  textContent: `Shard ${shard.number} of ${shard.count}: ${shard.repos} of ${
    shard.all_repos} ${shard.all_repos === 1 ? "repository" : "repositories"}`,
})]);

export function makeSettings({ opener, getView, change, showKeys }) {
  let branches = [];
  let isFirstChange = true;
  let opened = null;

  // All changes while the panel is open are one step for the browser's Back button.
  function apply(changes) {
    const how = isFirstChange ? "push" : "replace";
    isFirstChange = false;
    change(changes, how);
  }

  function makeList(list) {
    const { name } = list;
    const textOf = list.order === "fixed" ? labelOf : String;
    return makeCheckList(
      list,
      () => getView().view[name].map(textOf),
      () => {
        const { tiles, view } = getView();
        return [choicesOf(name, { tiles, view, branches }), isChosen(name, view)];
      },
      (choice, isOn) => apply({ [name]: withChoice(name, getView().view, choice, isOn) }),
      () => apply({ [name]: [] }),
    );
  }

  // Without teams in the settings there is nothing to choose.
  const hasTeams = getView().tiles.some(({ team }) => team) || getView().view.team.length;
  const only = ONLY.filter(({ name }) => name !== "team" || hasTeams);
  const lists = new Map([...only, ...NOT].map((list) => [list.name, makeList(list)]));
  const rootsOf = (group) => group.map(({ name }) => lists.get(name).root);
  const presets = makePresets({
    getView, apply, chooseRepository: () => lists.get("repo").open(),
  });
  const fields = makeFields({ getView, apply });
  const result = build("p", { className: "drawer__result", attributes: { role: "status" } });
  const address = build("input", { readOnly: true, attributes: { "aria-label": "Link" } });
  const copied = build("span", { className: "drawer__copied", attributes: { role: "status" } });
  const dialog = build(
    "dialog",
    { id: "drawer", className: "drawer", attributes: { "aria-labelledby": "drawer-title" } },
    build("div", { className: "drawer__head" },
      build("h2", { id: "drawer-title", textContent: "Settings" }), result,
      button("✕", close, { className: "drawer__close", title: "Close the settings (Escape)",
        attributes: { "aria-label": "Close" } })),
    build("form", { className: "drawer__body", onsubmit: (event) => event.preventDefault() },
      presets.root,
      ...shardText(getView().shard),
      ...screenLinks(getView().screens),
      fields.search,
      section("Show only", ...rootsOf(only)),
      section("Hide", ...rootsOf(NOT)),
      section("Display", fields.display),
      section("This screen", fields.screen, button("List of the keys", showKeys))),
    build("div", { className: "drawer__foot" }, address,
      button("Copy link", () => share(getView().view)),
      button("Copy link for a TV", () => share({ ...getView().view, ...TV })), copied),
  );

  const linkOf = (view) => `${location.origin}${base}${writeView(view)}`;

  // Browsers let a page copy over HTTPS only; elsewhere the link is selected.
  async function share(view) {
    address.value = linkOf(view);
    try {
      await navigator.clipboard.writeText(address.value);
      setText(copied, "Copied");
    } catch (error) {
      address.focus();
      address.select();
      setText(copied, "Copy it with Ctrl+C");
    }
  }

  function draw() {
    if (!dialog.open) return;
    const { tiles, view } = getView();
    setText(result, `${shownTiles(tiles, view).length} of ${count(tiles.length, "tile")} shown`);
    for (const list of lists.values()) list.draw();
    presets.draw();
    fields.draw();
    if (document.activeElement !== address) {
      address.value = linkOf(view);
      setText(copied, "");
    }
    placeBelowHeader();
  }

  // The header stays visible: it has the filters and the number of hidden tiles.
  function placeBelowHeader() {
    const { bottom } = document.querySelector("header").getBoundingClientRect();
    dialog.style.setProperty("--top", `${Math.max(0, Math.round(bottom))}px`);
  }

  // Tiles name their own branch only, so the list of branches is fetched.
  async function loadBranches() {
    const response = await getJson(`${base}api/filters`);
    branches = response.branches.map(({ value, count: runs }) => [value, runs]);
    draw();
  }

  function open() {
    if (dialog.open) return;
    opened = document.activeElement;
    isFirstChange = true;
    dialog.showModal();
    setOpen(true);
    draw();
    // After an error the list stays the same; the next opening tries again.
    loadBranches().catch(() => {});
  }

  function close() {
    if (dialog.open) dialog.close();
  }

  // The tiles make room for the panel, so that it covers none of them.
  function setOpen(isOpen) {
    setAttr(opener, "aria-expanded", isOpen);
    document.body.toggleAttribute("data-drawer", isOpen);
    window.dispatchEvent(new Event("resize"));
  }

  function isOutside({ target, clientX: x, clientY: y }) {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    return target === dialog && (x < left || x > right || y < top || y > bottom);
  }

  let isPressedOutside = false;
  dialog.addEventListener("pointerdown", (event) => { isPressedOutside = isOutside(event); });
  dialog.addEventListener("click", (event) => {
    if (isPressedOutside && isOutside(event)) close();
  });
  dialog.addEventListener("close", () => {
    setOpen(false);
    // Browsers give the focus back before this event; by now a key may have moved it on. Older
    // browsers leave it in the panel, and without an element to give it back to it is lost.
    const { activeElement, body } = document;
    if (activeElement && activeElement !== body && !dialog.contains(activeElement)) return;
    (opened && opened !== body && opened.isConnected ? opened : opener).focus();
  });
  dialog.addEventListener("keydown", (event) => {
    // In a search field, Escape would clear it first.
    if (event.key === "Escape") {
      event.preventDefault();
      close();
    }
    const isText = event.target.matches("select, input:not([type=checkbox])");
    if (event.key !== "f" || isText || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!getView().view.keys) return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });
  window.addEventListener("popstate", () => { isFirstChange = true; });
  document.body.append(dialog);
  return {
    draw,
    open,
    close,
    isOpen: () => dialog.open,
    search() {
      open();
      fields.focusSearch();
    },
  };
}
