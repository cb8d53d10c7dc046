// The login page. A screen opens it once as /login#token=TOKEN, with or without
// &next=/PAGE at the end: the fragment of an address reaches no server and no log. The
// script clears it before anything else, posts the token, and goes on to the page.

const RETRY_MS = 15 * 1000;
const { base } = document.documentElement.dataset;
const form = document.getElementById("login");
const problem = document.getElementById("problem");
const link = document.getElementById("go");
const target = link ? link.getAttribute("href") : form.elements.next.value;

// Returns [token, next] from the address, each null if missing.
function takeFragment() {
  const [, token = null, next = null] =
    /^#token=(.*?)(?:&next=(.*))?$/.exec(location.hash) || [];
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return [decoded(token), decoded(next)];
}

function decoded(text) {
  try {
    return text && decodeURIComponent(text);
  } catch (error) {
    return text;
  }
}

function show(text) {
  problem.hidden = false;
  problem.textContent = text;
}

// Nobody may be in front of the screen: retry after every error that may pass.
async function logIn(token, next) {
  const again = (milliseconds) => setTimeout(() => logIn(token, next), milliseconds);
  let response;
  let body;
  try {
    response = await fetch(`${base}login`, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams({ token, next }),
    });
    body = await response.json();
  } catch (error) {
    show("No connection to CI Observer. Retrying automatically.");
    return again(RETRY_MS);
  }
  if (response.ok) return location.replace(body.next);
  show(body.error);
  if (response.status === 429) again(1000 * (response.headers.get("Retry-After") || 60));
  return null;
}

// The login may be valid again, or another tab has logged in.
async function goOnWhenLoggedIn() {
  const response = await fetch(`${base}api/config`, { cache: "no-store" }).catch(() => null);
  if (response && response.ok) location.replace(target);
}

const [token, next] = takeFragment();
if (token) logIn(token, next || target);
// Without an access token, everybody may read.
else if (link) location.replace(target);
else setInterval(goOnWhenLoggedIn, RETRY_MS);
