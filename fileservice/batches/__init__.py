"""Certificates by the list: ordered, issued by processes of their own, given out together."""
