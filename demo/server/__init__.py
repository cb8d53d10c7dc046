"""The simulated GitHub: its objects, its endpoints and its faults."""
