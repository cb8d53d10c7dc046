// Finds places of the tiles' area that no item covers, and tiles that differ in size from others
// of their kind; the tests run it in the page.
() => {
  const root = document.querySelector(".tiles");
  const area = root.getBoundingClientRect();
  const boxes = [...root.children].map((item) => item.getBoundingClientRect());
  const complaints = [];
  const step = 9;
  // Twice the gap between two items, which nothing covers.
  const reach = 2 * parseFloat(getComputedStyle(root).columnGap);
  for (let x = area.left + step; x < area.right; x += step) {
    for (let y = area.top + step; y < area.bottom; y += step) {
      const isNear = (box) => x > box.left - reach && x < box.right + reach
        && y > box.top - reach && y < box.bottom + reach;
      if (!boxes.some(isNear)) complaints.push(`empty at ${x}, ${y}`);
    }
  }
  for (const kind of ["[data-loud]", ":not([data-loud])"]) {
    const own = [...root.querySelectorAll(`.tile${kind}`)];
    const sizes = own.map((tile) => tile.getBoundingClientRect());
    for (const side of ["width", "height"]) {
      const values = sizes.map((size) => size[side]);
      if (Math.max(...values) - Math.min(...values) > 1.5) {
        complaints.push(`${side} of ${kind}: ${Math.min(...values)} to ${Math.max(...values)}`);
      }
    }
    const strips = new Set(own.map((tile) => tile.querySelector(".strip"))
      .filter((strip) => !strip.hidden)
      .map((strip) => getComputedStyle(strip).display !== "none"));
    if (strips.size > 1) complaints.push(`some of ${kind} have strips`);
  }
  return complaints.slice(0, 5);
}
