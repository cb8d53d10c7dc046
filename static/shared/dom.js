// What all scripts of the wall do to the page: as little as possible.

// Only what stands elsewhere is moved, and the focus stays where it is.
export function place(parent, children) {
  const focused = document.activeElement;
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let there = parent.firstElementChild;
  for (const child of children) {
    // One that goes further down, not all others up.
    if (there && there !== child && there.nextElementSibling === child) {
      there.remove();
      there = child;
    }
    if (there === child) there = child.nextElementSibling;
    else parent.insertBefore(child, there);
  }
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus();
}

// What need not be in the next frame, but in the one after it.
export const afterFrame = (act) => requestAnimationFrame(() => requestAnimationFrame(act));

// Only another text is set, so that nothing is spoken twice.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The same for an attribute; without a value it goes.
export function set(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// The same for a style.
export function setStyle({ style }, name, value) {
  if (style.getPropertyValue(name) !== String(value)) style.setProperty(name, value);
}
