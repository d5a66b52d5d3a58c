"""What this service asks of other hosts."""
