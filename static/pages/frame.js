// Datasette's pages: their header shows the age of the data, and the banner when it is bad.
// The page itself is not refreshed.

import { connectPage } from "./live.js";

connectPage({ load: () => null, onData() {} });
