// The error page: shows the page that was asked for as soon as the server can send it.

import { find } from "../shared/dom.js";
import { connectPage } from "./live.js";

const isTemporary = find("refusal").dataset.temporary === "true";

async function isBack(signal) {
  return isTemporary && (await fetch(location.href, { signal, cache: "no-store" })).ok;
}

connectPage({
  load: isBack,
  onData(isAvailable) {
    if (isAvailable) location.reload();
  },
});
