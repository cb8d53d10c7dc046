"""The people of the lively world, and the titles of their commits and branches."""

from __future__ import annotations

PEOPLE = (
    "lena-hoffmann",
    "tomasz-zielinski",
    "priya-raman",
    "jordan-lee",
    "sofia-marques",
    "kenji-watanabe",
    "amara-okafor",
    "noah-berg",
    "chloe-martin",
)
OUTSIDERS = ("kwame-mensah", "astrid-lund", "mateo-rojas", "yuki-tanaka")
TITLES = (
    "Keep totals in minor units",
    "Retry the webhook with the same idempotency key",
    "Show the delivery date before the address form",
    "Drop Python 3.10",
    "Cache the price list for a minute",
    "Say which field is wrong, not only that one is",
    "Move the feature flags out of the session",
    "Read time zones from the profile",
    "Split the checkout in two steps",
    "Make the search field reachable by keyboard",
    "Log the request id with every error",
    "Round only once, at the end",
    "Use the new icons in the navigation",
    "Stop loading fonts twice",
    "Let refunds wait for the settlement",
    "Sort the order history by delivery",
    "Remove the old invoice template",
    "Validate the postcode per country",
)
FIXES = (
    "Fix the test that depended on the time zone",
    'Revert "Cache the price list for a minute"',
    "Fix the import that broke the build",
    "Pin the driver until the next release",
)
TOPICS = ("checkout", "search", "invoices", "login", "refunds", "icons", "mail", "i18n")
PACKAGES = ("vite", "pydantic", "esbuild", "urllib3", "playwright", "sqlalchemy")
