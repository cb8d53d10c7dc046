"""The settings file of the demo: teams, a screen and a muted tile."""

from datetime import date

_TEXT = """\
teams:
  shop: [acme/web-store, acme/payments-api, acme/partner-portal]
  apps: [acme/mobile-app, acme/design-system]
  platform: [acme/data-pipeline, acme/infrastructure-*]

screens:
  teams: group=team
  shop: team=shop&group=repo

muted:
  - tile: acme/infrastructure-live-accounts-networks-and-shared-modules/drift.yml
    reason: The new accounts are imported next week
    until: {until}
"""


def settings_text(until: date) -> str:
    """The file, with the day on which the mute ends."""
    return _TEXT.format(until=until)
