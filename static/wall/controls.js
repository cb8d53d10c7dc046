// What only a person needs: settings, keys, a pointer. Loaded when one comes, so that a
// screen on the wall never does.

import { listKeys, moveFocus } from "./keys.js";
import { build, makeSettings } from "./settings.js";

const IDLE_AFTER_MS = 3000;
const THEMES = ["dark", "light", "auto"];

const isTyping = ({ key, target }) =>
  target.closest(key === "Escape" ? "dialog" : "input, select, textarea, dialog");

function loadStyle(href) {
  return new Promise((done) => {
    document.head.append(build("link", { rel: "stylesheet", href, onload: done, onerror: done }));
  });
}

// `look` gives { view, tiles }; `change` takes parts of a view, `go` a whole address.
export async function makeHands({ base, opener, grid, look, change, go }) {
  await loadStyle(`${base}static/wall/settings.css`);
  const settings = makeSettings({ base, opener, look, change, go, showKeys });
  const toggle = () => (settings.isOpen() ? settings.close() : settings.open(true));
  const keys = [
    ["/", "search", () => settings.search()],
    ["f", "open or close the settings", toggle],
    ["g", "group by repository, or not", () =>
      change({ group: look().view.group ? "" : "repo" })],
    ["t", "theme: dark, light, as the browser's", () =>
      change({ theme: THEMES[(THEMES.indexOf(look().view.theme) + 1) % THEMES.length] })],
    ["k", "kiosk: only the tiles, or not", () => change({ kiosk: !look().view.kiosk })],
    ["Escape", "close the settings, leave the kiosk", () => {
      if (settings.isOpen()) settings.close();
      else if (look().view.kiosk) change({ kiosk: false });
    }],
    ["?", "show these keys", showKeys],
  ];
  const dialog = listKeys(keys);
  let idle = null;

  function showKeys() {
    if (!dialog.open) dialog.showModal();
  }

  // A key of one letter may be what somebody's speech is heard as: keys=0 turns them off.
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const [, , act] = keys.find(([key]) => key === event.key) || [];
    const isOn = event.key.length > 1 || look().view.keys;
    if (act && isOn) act();
    if ((act && isOn) || moveFocus(grid, event.key)) event.preventDefault();
  }

  // In the kiosk the pointer is hidden while it rests, and so is the way out.
  function wake() {
    document.body.dataset.awake = true;
    clearTimeout(idle);
    idle = setTimeout(() => { document.body.dataset.awake = false; }, IDLE_AFTER_MS);
  }

  document.addEventListener("pointermove", wake);
  wake();
  return { draw: settings.draw, toggle, press };
}
