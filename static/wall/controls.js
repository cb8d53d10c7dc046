// Settings, keys and the pointer: loaded when a person uses one of them, so that a screen
// on a wall never loads them.

import { listKeys, moveFocus } from "./keys.js";
import { loadStyle } from "./load_style.js";
import { makeSettings } from "./settings.js";
import { makeTileMenu } from "./tile_menu.js";

const IDLE_AFTER_MS = 3000;

const isTyping = ({ key, target }) =>
  target.closest(key === "Escape" ? "dialog" : "input, select, textarea, dialog");

// The ways to group the tiles, one after the other; by team only if a tile has one.
function nextGroup({ view, tiles }) {
  const groups = ["", "repo", ...(tiles.some(({ team }) => team) ? ["team"] : [])];
  return groups[(groups.indexOf(view.group) + 1) % groups.length];
}

// `getView` returns { view, tiles }, `change` takes some properties of a view, and `tileOf`
// returns the tile of an element. `pageKeys` are listed, too: the page itself handles them.
export async function makeControls({ opener, grid, tileOf, getView, change, pageKeys = [] }) {
  await loadStyle("settings");
  const settings = makeSettings({ opener, getView, change, showKeys });
  const menu = makeTileMenu({ grid, tileOf, getView, change });
  const toggle = () => (settings.isOpen() ? settings.close() : settings.open());
  const keys = [
    ["/", "search", () => settings.search()],
    ["f", "open or close the settings", toggle],
    ["g", "group by repository, by team, or not", () =>
      change({ group: nextGroup(getView()) })],
    ["m", "hide the tile", () => menu.hideCurrent()],
    ["M", "show hidden tiles again", () => {
      if (getView().view.mute.length) change({ mute: [] });
    }],
    ["t", "theme: dark, light, as the system", () => document.getElementById("theme").click()],
    ["k", "kiosk: only the tiles, or not", () => change({ kiosk: !getView().view.kiosk })],
    ["Escape", "close the settings, leave the kiosk", () => {
      if (settings.isOpen()) settings.close();
      else if (getView().view.kiosk) change({ kiosk: false });
    }],
    ["?", "show these keys", showKeys],
  ];
  const dialog = listKeys([...pageKeys, ...keys]);
  let idleTimer = null;

  function showKeys() {
    if (!dialog.open) dialog.showModal();
  }

  // Speech input may type single letters by accident: keys=0 turns them off.
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const [, , act] = keys.find(([key]) => key === event.key) || [];
    const isOn = event.key.length > 1 || getView().view.keys;
    if (act && isOn) act();
    if ((act && isOn) || moveFocus(grid, event.key)) event.preventDefault();
  }

  // In the kiosk, a pointer at rest is hidden together with the button that leaves it.
  function wake() {
    document.body.toggleAttribute("data-awake", true);
    clearTimeout(idleTimer);
    idleTimer =
      setTimeout(() => document.body.toggleAttribute("data-awake", false), IDLE_AFTER_MS);
  }

  document.addEventListener("pointermove", wake);
  wake();
  return { draw: settings.draw, toggle, press };
}
