"""The edge: ASGI, requests and answers; nothing here decides what may happen to a file."""
