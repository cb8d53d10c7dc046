// A page that could not be shown: it comes by itself once the database can answer.

import { makeContact } from "../shared/contact.js";
import { keepFresh } from "../shared/refresh.js";

const find = (id) => document.getElementById(id);
const { zone, ...first } = JSON.parse(find("config").textContent);
const { base } = document.documentElement.dataset;
const isTemporary = find("refusal").dataset.temporary === "true";
const contact = makeContact({ base, first, timeZone: zone });

async function load(signal) {
  const config = await contact.load(signal);
  if (!isTemporary) return { config, isBack: false };
  const page = await fetch(location.href, { signal, cache: "no-store" });
  return { config, isBack: page.ok };
}

function take({ config, isBack }) {
  if (isBack) location.reload();
  contact.accept(config);
  contact.draw();
}

const { refresh } = keepFresh({
  every: contact.refreshSeconds, load, take, lose: contact.lose,
});
contact.draw();
setInterval(contact.draw, 1000);
refresh();
