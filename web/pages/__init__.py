"""The HTML pages: runs, one workflow, and the wall's table without JavaScript."""
