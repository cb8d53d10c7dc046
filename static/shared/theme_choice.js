// The theme button in the header: dark, light, as the system. Loaded at its first click.

const THEMES = ["dark", "light", "auto"];
const NAMES = ["dark", "light", "as the system"];
const root = document.documentElement;

export function chooseNext() {
  const index = (THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length;
  try {
    localStorage.setItem("ci-observer-theme", THEMES[index]);
  } catch (error) {
    // The choice holds for this page.
  }
  const address = new URL(location.href);
  if (address.searchParams.has("theme")) {
    // The links of the page carry the theme of its address, so the page is loaded again.
    address.searchParams.delete("theme");
    location.replace(address);
    return;
  }
  root.dataset.theme = THEMES[index];
  document.getElementById("theme").title = `Theme: ${NAMES[index]}`;
  // For drawings that do not follow the style sheet.
  document.dispatchEvent(new Event("themechange"));
}
