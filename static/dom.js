// What all scripts of the wall do to the page: as little as possible.

// Only what stands elsewhere is moved, so that the focus stays where it is.
export function place(parent, children) {
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  children.forEach((child, index) => {
    const there = parent.children[index] || null;
    if (there !== child) parent.insertBefore(child, there);
  });
}

// Only another text is set, so that nothing is spoken twice.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The same for an attribute; without a value it goes.
export function set(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}
