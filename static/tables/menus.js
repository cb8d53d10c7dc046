// Opened menus of the toolbar close on Escape and on a click elsewhere.

const toolbar = document.getElementById("toolbar");

function close({ except } = {}) {
  for (const menu of toolbar.querySelectorAll("details[open]")) {
    if (menu !== except) menu.open = false;
  }
}

if (toolbar) {
  document.addEventListener("click", (event) => {
    close({ except: event.target.closest("#toolbar details") });
  });
  toolbar.addEventListener("keydown", (event) => {
    const menu = event.target.closest("details[open]");
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}
