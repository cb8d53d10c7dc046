// Finds elements, and changes the DOM only where it differs.

// The path of the site's root.
export const { base } = document.documentElement.dataset;

export const find = (id) => document.getElementById(id);

// Makes `children` the children of `parent`, moves as few as possible, and keeps the focus.
export function setChildren(parent, children) {
  const focused = document.activeElement;
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of children) {
    // Here `next` moves down: take it out, instead of moving all the others up.
    if (next && next !== child && next.nextElementSibling === child) {
      next.remove();
      next = child;
    }
    if (next === child) next = child.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus();
}

// Runs `act` after the next frame has been painted.
export const afterFrame = (act) => requestAnimationFrame(() => requestAnimationFrame(act));

// An unchanged text is not set again, so that screen readers do not repeat it.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Null and false remove the attribute.
export function setAttr(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function setStyle({ style }, name, value) {
  if (style.getPropertyValue(name) !== String(value)) style.setProperty(name, value);
}
