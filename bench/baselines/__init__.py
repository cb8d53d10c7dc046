"""The programs and pages that CI Observer is compared with."""
