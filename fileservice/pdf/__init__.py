"""Certificates out of PDF templates, compiled once and filled many times; pure functions."""
