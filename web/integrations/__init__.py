"""What the wall shows in the formats of other tools."""
