"""What may go wrong on the way."""

import http.client
import os
import socket
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.downloads.given import ALPHABET, LARGE, Given, give


def test_a_damaged_blob_is_a_500_before_its_first_byte(server: Server) -> None:
    for content in (ALPHABET, LARGE):
        given = give(server, content)
        os.truncate(given.blob, len(content) - 1)
        short = given.get(Accept="application/json")
        given.blob.unlink()
        missing = given.get(Accept="application/json")

        assert (short.status, missing.status) == (500, 500)
        assert str(server.root) not in short.text + missing.text


def test_a_download_cut_short_never_looks_whole(server: Server) -> None:
    given = give(server, os.urandom(64 << 20))
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    connection.request("GET", given.path)
    response = connection.getresponse()
    response.read(1)

    os.truncate(given.blob, 1 << 20)

    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()
    connection.close()


def test_a_client_that_hangs_up_leaves_no_file_open(server: Server) -> None:
    given = give(server, os.urandom(64 << 20))
    with socket.create_connection(server.address, 30) as connection:
        connection.sendall(f"GET {given.path} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        connection.makefile("rb").read(1 << 20)
        assert is_open(given)

    while is_open(given):
        assert server.ask("GET", "/livez").status == 200


def is_open(given: Given) -> bool:
    """Tell whether the server holds the blob open; Linux only, elsewhere never."""
    for descriptor in Path(f"/proc/{given.server.process.pid}/fd").glob("*"):
        try:
            if descriptor.readlink() == given.blob:
                return True
        except FileNotFoundError:
            continue
    return False


def test_many_readers_get_the_same_bytes(large: Given) -> None:
    clients = [large.server.client() for _ in range(20)]
    for client in clients:
        client.connection.request("GET", large.path)

    bodies = {client.connection.getresponse().read() for client in clients}

    assert bodies == {LARGE}
    for client in clients:
        client.connection.close()
