"""Every write to the database, one transaction for each public function."""
