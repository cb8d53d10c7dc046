// Makes a part of the page equal to a newer one: what has not changed stays as it is,
// with its focus, its place and whatever is open in it.

const keyOf = (node) =>
  node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "";

const isAlike = (node, other) =>
  node.nodeName === other.nodeName && keyOf(node) === keyOf(other);

export function swap(node, other) {
  const focused = document.activeElement;
  swapNode(node, other);
  // A row that moved was taken out and put in again, which loses the focus.
  if (focused !== document.activeElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
}

function swapNode(node, other) {
  if (node.isEqualNode(other)) return;
  if (node.nodeType !== Node.ELEMENT_NODE) {
    node.nodeValue = other.nodeValue;
    return;
  }
  swapAttributes(node, other);
  swapChildren(node, other);
}

function swapAttributes(node, other) {
  for (const { name } of [...node.attributes]) {
    // Whether something is open is up to the reader.
    if (!other.hasAttribute(name) && name !== "open") node.removeAttribute(name);
  }
  for (const { name, value } of other.attributes) {
    if (name !== "open" && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
}

function swapChildren(node, other) {
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
    swapNode(found, wanted);
  }
  while (next) {
    const rest = next.nextSibling;
    next.remove();
    next = rest;
  }
}
