// The page of the API: only keeps the age of the data up to date, and the text of an upgrade.

import { keepLive } from "./live.js";

keepLive({ address: () => location.href.split("#")[0], onDraw: () => {} });
