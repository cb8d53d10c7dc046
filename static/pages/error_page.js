// The error page: reloads as soon as the server can send the requested page.

import { find } from "../shared/dom.js";
import { connectPage } from "./live.js";

const isTemporary = find("error").dataset.temporary === "true";

async function isBack(signal) {
  if (!isTemporary) return false;
  const response = await fetch(location.href, { signal, cache: "no-store" });
  // A response that is not read keeps its connection open.
  await response.text();
  return response.ok;
}

connectPage({
  load: isBack,
  onData(isAvailable) {
    if (isAvailable) location.reload();
  },
});
