// A page that could not be shown: it comes by itself once the database can be read.

import { makeContact } from "./contact.js";
import { keepFresh } from "./refresh.js";

const { zone, ...first } = JSON.parse(document.getElementById("config").textContent);
const { base } = document.documentElement.dataset;
const contact = makeContact({ base, first, timeZone: zone });
const hadNoDatabase = first.polling.state === "no_database";

function take(config) {
  if (hadNoDatabase) {
    location.reload();
    return;
  }
  contact.accept(config);
  contact.draw();
}

const { refresh } = keepFresh({
  every: contact.refreshSeconds,
  load: contact.load,
  take,
  lose: contact.lose,
});
contact.draw();
setInterval(contact.draw, 1000);
refresh();
