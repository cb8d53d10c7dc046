// Finds texts that are cut off and tiles that overlap; the tests run it in the page.
// A text may end in an ellipsis or be hidden as a whole if the tile's link has it in
// full. No text may be cut in the middle of a line.
() => {
  const isCutOff = (style) => style.overflowX === "hidden" || style.overflowY === "hidden";
  const complaints = [];
  for (const tile of document.querySelectorAll(".tile")) {
    const box = tile.getBoundingClientRect();
    const said = tile.querySelector("a").title;
    const texts = document.createTreeWalker(tile, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode;
      const range = document.createRange();
      range.selectNodeContents(node);
      const size = parseFloat(getComputedStyle(node.parentElement).fontSize);
      for (const rect of range.getClientRects()) {
        // The box of a font is higher than its glyphs.
        const top = rect.top + 0.2 * size;
        const bottom = rect.bottom - 0.2 * size;
        let isTold = false;
        for (let clip = node.parentElement; clip !== tile.parentElement; clip = clip.parentElement) {
          const style = getComputedStyle(clip);
          if (!isCutOff(style)) continue;
          const edge = clip.getBoundingClientRect();
          if (top >= edge.bottom || bottom <= edge.top) break;
          const isThrough = top < edge.top - 1 || bottom > edge.bottom + 1;
          const isWide = rect.left < edge.left - 1 || rect.right > edge.right + 1;
          isTold = isTold || style.textOverflow === "ellipsis";
          if (isThrough || (isWide && !isTold)) {
            complaints.push(`"${node.data}" of ${said.split("\n")[0]} (${tile.dataset.state})`
              + ` cut by ${clip.className}, ${isThrough ? "height" : "width"}`);
          }
        }
      }
    }
    const outside = box.left < -1 || box.right > innerWidth + 1;
    if (outside) complaints.push(`${said} is outside the window`);
  }
  const boxes = [...document.querySelectorAll(".tiles > li")]
    .map((item) => item.getBoundingClientRect());
  boxes.forEach((one, index) => {
    const covers = (other) => one.left < other.right - 1 && other.left < one.right - 1
      && one.top < other.bottom - 1 && other.top < one.bottom - 1;
    if (boxes.slice(index + 1).some(covers)) complaints.push(`item ${index} covers another`);
  });
  return complaints;
}
