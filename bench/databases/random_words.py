"""Random words for titles, messages and names."""

from random import Random

TEXT = """
add align allow avoid bound cache check clamp clear close count defer drain drop ensure
export fetch filter flush follow handle ignore index inline keep limit load lock log map
mend merge move name open order parse pass pin print prune quote raise read record
refuse remove rename replay reset resolve retry return route save scan send share show
skip sort split start stop store strip trim update use wait warn write archive batch
branch column commit cursor error file header invoice ledger list message number page
payload price query queue rate row run schedule session table tenant tile time token
total user value view wall worker zone
"""
WORDS = TEXT.split()


def some_words(random: Random, fewest: int, most: int) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(fewest, most)))
