// Keeps a list in one line.

import { setAttr, setText } from "../shared/dom.js";

function makeMore() {
  const more = document.createElement("li");
  more.className = "fold";
  more.append(Object.assign(document.createElement("button"), { type: "button" }));
  return more;
}

// Hides the items that have no room, those of the highest rank and the last ones first. A button at the end counts
// them, and shows them in further lines. `items` are { node, rank, name }.
export function foldLine(list, items) {
  const more = list.querySelector(".fold") || makeMore();
  const button = more.firstElementChild;
  const isOpen = list.hasAttribute("data-all");
  list.append(more);
  for (const { node } of items) node.hidden = false;
  more.hidden = !isOpen;
  const names = !isOpen && list.scrollWidth > list.clientWidth ? hide(list, items, more) : [];
  setText(button, isOpen ? "less" : `+${names.length}`);
  setAttr(button, "title", names.join(", "));
  setAttr(button, "aria-label", isOpen ? "Show less" : `${names.length} more: ${names.join(", ")}`);
  setAttr(button, "aria-expanded", isOpen);
  button.onclick = () => {
    list.toggleAttribute("data-all");
    foldLine(list, items);
    window.dispatchEvent(new Event("resize"));
  };
}

// Returns the names of the hidden items.
function hide(list, items, more) {
  more.hidden = false;
  setText(more.firstElementChild, `+${items.length}`);
  const { columnGap, paddingLeft } = getComputedStyle(list);
  const widths = new Map(items.map(({ node }) => [node, node.offsetWidth + parseFloat(columnGap)]));
  let excess = [...widths.values()].reduce((sum, width) => sum + width, more.offsetWidth)
    + 2 * parseFloat(paddingLeft) - list.clientWidth;
  const hidden = [];
  const [, ...others] = [...items].sort((a, b) => a.rank - b.rank);
  // The most important item always stays.
  for (const { node, name } of others.reverse()) {
    if (excess <= 0) break;
    node.hidden = true;
    excess -= widths.get(node);
    hidden.push(name);
  }
  return hidden.reverse();
}
