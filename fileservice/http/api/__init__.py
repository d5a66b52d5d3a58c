"""The JSON API: what is here, for programs."""
