// Datasette's pages: their header shows the age of the data, and the banner when it is bad.
// The page itself is not refreshed, so its rows have an age of their own.

import { drawAges } from "./ages.js";
import { connectPage } from "./live.js";

connectPage({ load: () => null, onData() {}, onDraw: ({ now }) => drawAges(now) });
