// The menu of a tile. Its button is on the tile under the pointer or with the focus only, so that
// a wall without a user shows none.

import { base } from "../shared/dom.js";
import { nameOf } from "../shared/tile_text.js";
import { makeMuteOf } from "./choices.js";
import { build, button } from "../shared/elements.js";
import { displayQuery } from "./view.js";

const linkOf = (node) => node && node.querySelector("a[href]");

// `tileOf` returns the tile of an element of the grid.
export function makeTileMenu({ grid, tileOf, getView, change }) {
  const opener = button("⋯", toggle, {
    className: "tile-menu", attributes: { "aria-haspopup": "menu", "aria-expanded": "false" },
  });
  const menu = build("div", { className: "menu", hidden: true, attributes: { role: "menu" } });

  const tileNode = (target) => target instanceof Element && target.closest(".tile");
  const currentTile = () => tileOf(opener.closest(".tile"));

  function hide(node) {
    const tile = node && tileOf(node);
    if (!tile) return;
    const { tiles, view } = getView();
    const next = node.nextElementSibling || node.previousElementSibling;
    const hasFocus = node.contains(document.activeElement) || menu.contains(document.activeElement);
    close();
    change({ mute: [...view.mute, makeMuteOf(tiles)(tile)] });
    // The keyboard goes on with the next tile.
    if (hasFocus && linkOf(next)) linkOf(next).focus();
  }

  function makeItem(text, key, act) {
    const item = button(text, act, { tabIndex: -1, attributes: { role: "menuitem" } });
    if (key) item.append(build("kbd", { textContent: key }));
    return item;
  }

  // Other pages about a tile: their name, path and branch.
  function pagesOf({ repo, workflow, branch, last_result_run_id: run, is_default_branch: isDefault }) {
    const path = repo.split("/").map(encodeURIComponent).join("/");
    const other = !isDefault && branch;
    return [
      run && ["Show the run of the last result", `runs/${run}`],
      ["Show the jobs", `workflows/${path}/${encodeURIComponent(workflow)}/jobs`, other],
      ["Show the newest commits", `commits/${path}`, other],
    ].filter(Boolean);
  }

  function open() {
    const tile = currentTile();
    if (!tile) return;
    const { view } = getView();
    const { keys } = view;
    menu.replaceChildren(
      makeItem("Hide this tile", keys && "m", () => hide(opener.closest(".tile"))),
      makeItem(`Show only ${tile.repo}`, "", () => {
        close();
        change({ repo: [tile.repo] });
      }),
      ...pagesOf(tile).map(([text, path, branch]) => makeItem(text, "", () => {
        const query = new URLSearchParams(displayQuery(view));
        if (branch) query.set("branch", branch);
        location.assign(`${tile.peer_url || base}${path}?${query}`);
      })),
    );
    menu.setAttribute("aria-label", nameOf(tile));
    menu.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    place();
    menu.firstElementChild.focus();
  }

  // Below the button, or above it at the bottom of the window.
  function place() {
    const { right, bottom, top } = opener.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = menu;
    const isLow = bottom + height > window.innerHeight;
    menu.style.left = `${Math.max(0, right - width)}px`;
    menu.style.top = `${Math.max(0, isLow ? top - height : bottom)}px`;
  }

  function close() {
    menu.hidden = true;
    opener.setAttribute("aria-expanded", "false");
  }

  function toggle() {
    if (menu.hidden) open();
    else close();
  }

  function showOn(node) {
    if (!menu.hidden || !node || !tileOf(node) || opener.parentNode === node) return;
    opener.setAttribute("aria-label", `Menu of ${nameOf(tileOf(node))}`);
    node.append(opener);
  }

  function leave() {
    if (menu.hidden && !opener.matches(":focus")) opener.remove();
  }

  grid.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType !== "touch") showOn(tileNode(target));
  });
  grid.addEventListener("pointerleave", leave);
  grid.addEventListener("focusin", ({ target }) => showOn(tileNode(target)));
  document.addEventListener("pointerdown", ({ target }) => {
    if (!menu.contains(target) && !opener.contains(target)) close();
  });
  window.addEventListener("resize", close);
  window.addEventListener("scroll", close);
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (!menu.contains(relatedTarget) && relatedTarget !== opener) close();
  });
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const index = items.indexOf(document.activeElement);
    const steps = { ArrowDown: index + 1, ArrowUp: index - 1 + items.length, Home: 0,
      End: items.length - 1 };
    event.stopPropagation();
    if (event.key in steps) items[steps[event.key] % items.length].focus();
    else if (event.key === "Escape") {
      close();
      opener.focus();
    } else return;
    event.preventDefault();
  });
  grid.after(menu);
  // This script is loaded after the first move of the pointer or the focus.
  showOn(grid.querySelector(".tile:hover") || tileNode(document.activeElement));

  return {
    // Hides the tile with the focus, or else the one under the pointer.
    hideCurrent: () => hide(tileNode(document.activeElement) || opener.closest(".tile")),
  };
}
