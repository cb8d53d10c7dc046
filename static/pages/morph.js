// Makes one element equal to a newer one. Nodes that have not changed stay the same, so
// that focus, scroll position and open <details> are kept.

const keyOf = (node) =>
  node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "";

const isAlike = (node, other) =>
  node.nodeName === other.nodeName && keyOf(node) === keyOf(other);

// The script writes the text of these, which the server cannot know: see ages.js.
const isDrawn = ({ dataset }) => "ago" in dataset || "since" in dataset;

export function morph(node, other) {
  const focused = document.activeElement;
  morphNode(node, other);
  // Moving a row removes and inserts it, which loses the focus.
  if (focused !== document.activeElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
}

function morphNode(node, other) {
  if (node.isEqualNode(other)) return;
  if (node.nodeType !== Node.ELEMENT_NODE) {
    node.nodeValue = other.nodeValue;
    return;
  }
  morphAttributes(node, other);
  if (!isDrawn(node)) morphChildren(node, other);
}

function morphAttributes(node, other) {
  for (const { name } of [...node.attributes]) {
    // The reader decides which <details> are open.
    if (!other.hasAttribute(name) && name !== "open") node.removeAttribute(name);
  }
  for (const { name, value } of other.attributes) {
    if (name !== "open" && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
}

function morphChildren(node, other) {
  const keyed = new Map([...node.children].map((child) => [keyOf(child), child]));
  keyed.delete("");
  let next = node.firstChild;
  for (const wanted of [...other.childNodes]) {
    const key = keyOf(wanted);
    const found = key ? keyed.get(key) : next;
    if (!found || !isAlike(found, wanted)) {
      node.insertBefore(document.importNode(wanted, true), next);
      continue;
    }
    if (found === next) next = next.nextSibling;
    else node.insertBefore(found, next);
    morphNode(found, wanted);
  }
  while (next) {
    const rest = next.nextSibling;
    next.remove();
    next = rest;
  }
}
