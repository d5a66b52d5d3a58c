"""Figures against named peers, taken in one run: `python -m bench`."""
