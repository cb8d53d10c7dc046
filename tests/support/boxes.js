// Finds texts that are cut off, and things that overlap; the tests run it in the page.
// A text may end in an ellipsis or be hidden as a whole if the tile's link has it in
// full. No text may be cut in the middle of a line, nor touch another text, the tile's
// symbol, its strip or the bar of its progress. Its repository is always shown.
() => {
  const isCutOff = (style) => style.overflowX === "hidden" || style.overflowY === "hidden";
  const complaints = [];
  const meet = (one, other, by = 1) => one.left < other.right - by && other.left < one.right - by
    && one.top < other.bottom - by && other.top < one.bottom - by;

  // The boxes of a text's glyphs, as far as they are shown: the box of a font is higher.
  function shownBoxes(node, tile, said) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const size = parseFloat(getComputedStyle(node.parentElement).fontSize);
    const boxes = [];
    for (const rect of range.getClientRects()) {
      const box = { node, top: rect.top + 0.2 * size, bottom: rect.bottom - 0.2 * size,
        left: rect.left, right: rect.right };
      let isShown = size > 0 && rect.width > 0;
      let isTold = false;
      for (let clip = node.parentElement; clip !== tile.parentElement; clip = clip.parentElement) {
        const style = getComputedStyle(clip);
        if (!isCutOff(style)) continue;
        const edge = clip.getBoundingClientRect();
        if (box.top >= edge.bottom || box.bottom <= edge.top) {
          isShown = false;
          break;
        }
        const isThrough = box.top < edge.top - 1 || box.bottom > edge.bottom + 1;
        const isWide = rect.left < edge.left - 1 || rect.right > edge.right + 1;
        isTold = isTold || style.textOverflow === "ellipsis";
        if (isThrough || (isWide && !isTold)) {
          complaints.push(`"${node.data}" of ${said} (${tile.dataset.state})`
            + ` cut by ${clip.className}, ${isThrough ? "height" : "width"}`);
        }
        box.left = Math.max(box.left, edge.left);
        box.right = Math.min(box.right, edge.right);
      }
      if (isShown) boxes.push(box);
    }
    return boxes;
  }

  const tiles = [...document.querySelectorAll(".tile")];
  // Lay out the tiles that are far from the window, too.
  for (const { style } of tiles) style.contentVisibility = "visible";
  for (const tile of tiles) {
    const box = tile.getBoundingClientRect();
    const said = tile.querySelector("a").title.split("\n").slice(0, 2).join(" of ");
    const texts = document.createTreeWalker(tile, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) found.push(...shownBoxes(texts.currentNode, tile, said));
    found.forEach((one, index) => {
      const other = found.slice(index + 1).find((text) => text.node !== one.node && meet(one, text));
      if (other) complaints.push(`"${one.node.data}" on "${other.node.data}" of ${said}`);
    });
    for (const name of [".tile__progress", ".strip", "h2 > .symbol"]) {
      const shape = tile.querySelector(name)?.getBoundingClientRect();
      const text = shape?.width && found.find((one) => meet(one, shape));
      if (text) complaints.push(`"${text.node.data}" of ${said} on ${name}`);
    }
    const repo = tile.querySelector("[data-part=repo]");
    const shown = found.filter(({ node }) => repo.contains(node));
    const letters = shown.map(({ node }) => node.data).join("").replace(/[^\p{L}\p{N}]/gu, "");
    if (letters.length < Math.min(5, repo.textContent.length)) complaints.push(`no repository on ${said}`);
    if (box.left < -1 || box.right > innerWidth + 1) complaints.push(`${said} is outside the window`);
  }
  const boxes = [...document.querySelectorAll(".tiles > li")]
    .map((item) => item.getBoundingClientRect());
  boxes.forEach((one, index) => {
    const isCovered = boxes.slice(index + 1).some((other) => meet(one, other));
    if (isCovered) complaints.push(`item ${index} covers another`);
  });
  return complaints;
}
