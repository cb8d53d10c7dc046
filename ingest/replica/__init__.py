"""A copy of another instance's database, which Litestream keeps up to date."""
