"""The rows by theme; each function runs one row and returns it."""
