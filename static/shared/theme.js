// The theme, set before anything is drawn. An address with ?theme= wins, for a screen on a
// wall; otherwise the visitor's choice is kept in this browser.

(() => {
  const known = (name) => /^(dark|light|auto)$/.test(name) && name;

  window.showTheme = (given) => {
    let stored = "";
    try {
      stored = localStorage.getItem("ci-observer-theme");
    } catch (error) {
      // A browser may forbid pages to store anything.
    }
    const address = new URLSearchParams(location.search).get("theme");
    document.documentElement.dataset.theme =
      known(address) || known(given) || known(stored) || "dark";
  };

  // The login has the theme of the page that it leads to.
  window.showTheme(document.documentElement.dataset.theme);
  window.addEventListener("storage", () => window.showTheme());
  document.addEventListener("click", async ({ target }) => {
    if (target.closest("#theme")) (await import("./theme_choice.js")).chooseNext();
  });
})();
