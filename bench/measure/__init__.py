"""One module for each subject that is measured; `rows` gives its part of the table."""
