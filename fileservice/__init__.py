"""Takes files in, gives them out, makes certificate PDFs."""

__version__ = "0.1.0"
