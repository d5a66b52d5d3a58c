import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp.multipart import content_disposition_filename, parse_content_disposition
from hypothesis import given
from hypothesis import strategies as st

from fileservice.disposition import (
    FormField,
    format_attachment,
    parse_filename,
    parse_form_data,
)
from fileservice.errors import BadForm, BadName, BadRequest, NoFile
from fileservice.names import CleanName, clean_name
from tests.hostile import DISPOSITIONS, NAMES, DispositionCase, NameCase, Outcome

STORED = [case for case in NAMES if case.stored is not None]


def _is_bad_form(case: DispositionCase) -> bool:
    return case.outcome is Outcome.REFUSED and case.filename is None


BAD_FORMS = [case for case in DISPOSITIONS if _is_bad_form(case)]
FORMS = [case for case in DISPOSITIONS if not _is_bad_form(case)]


@pytest.mark.parametrize("case", BAD_FORMS, ids=lambda case: case.id)
def test_a_part_that_can_be_read_in_two_ways_is_refused(case: DispositionCase) -> None:
    with pytest.raises(BadForm):
        parse_form_data(case.value)


@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.id)
def test_a_part_says_its_field_and_its_file_name_byte_for_byte(case: DispositionCase) -> None:
    assert parse_form_data(case.value) == FormField("file", case.filename)


@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.id)
def test_what_a_part_hands_on_is_judged_as_a_name(case: DispositionCase) -> None:
    raw = case.filename
    if raw is None:
        assert case.stored is None
    elif case.outcome is Outcome.REFUSED:
        with pytest.raises(BadName):
            clean_name(raw)
    elif case.outcome is Outcome.EMPTY:
        with pytest.raises(NoFile):
            clean_name(raw)
    else:
        assert case.stored is not None
        assert clean_name(raw) == CleanName(case.stored, changed=case.outcome is Outcome.MENDED)


def test_every_hostile_name_passes_the_form_unaltered_or_breaks_its_line() -> None:
    for case in NAMES:
        value = case.as_form_data()

        if set(case.raw) & set(b"\0\r\n"):
            with pytest.raises(BadForm):
                parse_form_data(value)
        else:
            assert parse_form_data(value).filename == case.raw


_PIECES = [
    *(b"form-data", b"name=", b"filename=", b'"', b";", b" ", b"\t", b"\\", b"*", b"=", b"a"),
    *(b"form-data; name=f; filename", b"\xe9", b"\0"),
]


@given(value=st.one_of(st.binary(), st.lists(st.sampled_from(_PIECES)).map(b"".join)))
def test_any_bytes_are_a_bad_form_or_a_field_that_reads_the_same_when_written_again(
    value: bytes,
) -> None:
    try:
        field = parse_form_data(value)
    except BadForm:
        return
    if field.filename is not None:
        case = NameCase("again", field.filename, Outcome.KEPT, None)
        assert parse_form_data(case.as_form_data(field.name)) == field


@pytest.mark.parametrize("inline", [False, True])
def test_every_stored_name_survives_the_way_out(inline: bool) -> None:
    for case in STORED:
        header = format_attachment(case.stored or "", inline=inline)

        kind, parameters = parse_content_disposition(header)
        assert kind == ("inline" if inline else "attachment")
        assert content_disposition_filename(parameters) == case.stored
        assert header.isascii(), case
        assert header.isprintable(), case
        # What a client takes that knows the plain form only, is a clean name as well.
        assert clean_name(parameters["filename"].encode()).text == parameters["filename"]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report.pdf", 'attachment; filename="report.pdf"'),
        ("a b;c.txt", 'attachment; filename="a b;c.txt"'),
        ("r\u00e9.pdf", "attachment; filename=\"re.pdf\"; filename*=UTF-8''r%C3%A9.pdf"),
        ("\u540d.pdf", "attachment; filename=\"_.pdf\"; filename*=UTF-8''%E5%90%8D.pdf"),
        ("a%41.txt", "attachment; filename=\"a_41.txt\"; filename*=UTF-8''a%2541.txt"),
        ("\u0106on", "attachment; filename=\"_Con\"; filename*=UTF-8''%C4%86on"),
        ('a"b\\c', 'attachment; filename="a\\"b\\\\c"; filename*=UTF-8\'\'a%22b%5Cc'),
        ("a\r\nb", "attachment; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab"),
        ("\ud800", "attachment; filename=\"_\"; filename*=UTF-8''%3F"),
        ("a'(*)b!~.txt", 'attachment; filename="a\'(*)b!~.txt"'),
    ],
)
def test_a_name_is_sent_in_plain_ascii_and_where_that_loses_something_encoded(
    name: str, header: str
) -> None:
    assert format_attachment(name, inline=False) == header


@given(name=st.text(st.characters(codec=None)))
def test_no_name_ends_the_quotes_or_the_line(name: str) -> None:
    header = format_attachment(name, inline=True)

    assert header.isascii()
    assert header.isprintable()
    plain = header.removeprefix('inline; filename="').replace("\\\\", "").replace('\\"', "")
    assert plain.endswith('"') or plain.split('"')[1].startswith("; filename*=UTF-8''")


@contextmanager
def _answering(disposition: str) -> Iterator[str]:
    """Give the URL of a server that answers one request with this Content-Disposition."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(
                    f"HTTP/1.1 200 OK\r\nContent-Disposition: {disposition}\r\n"
                    "Content-Length: 2\r\nConnection: close\r\n\r\nok".encode()
                )

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/files/x"
        thread.join()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("report.pdf", "report.pdf"),
        ("a b;c,d'e.txt", "a b;c,d'e.txt"),
        ("100%.pdf", "100%.pdf"),
        ("_.htaccess", "_.htaccess"),
        ("$(id)`id`&a=b.txt", "$(id)`id`&a=b.txt"),
        ("r\u00e9sum\u00e9 (final).pdf", "resume (final).pdf"),
        ("\u540d\u524d.pdf", "__.pdf"),
    ],
)
def test_curl_saves_the_file_under_its_name(tmp_path: Path, name: str, saved: str) -> None:
    with _answering(format_attachment(name, inline=False)) as url:
        subprocess.run(["curl", "-sSOJ", "--max-time", "10", url], cwd=tmp_path, check=True)

    assert [path.name for path in tmp_path.iterdir()] == [saved]
    assert (tmp_path / saved).read_bytes() == b"ok"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'inline; filename="a b.txt"', b"a b.txt"),
        (b'attachment;filename="a\\"b.txt"', b'a"b.txt'),
        (b"inline; filename=a.txt; size=3", b"a.txt"),
        (b'inline; filename="\xc3\xa4"', b"\xc3\xa4"),
        (b"inline; filename=\"_\"; filename*=UTF-8''%c3%A4", b"\xc3\xa4"),
        (b"inline; filename*=utf-8'de-AT'a%20b; filename=\"_\"", b"a b"),
        (b"inline; filename=\"_\"; filename*=ISO-8859-1''%e4", b"_"),
        (b"inline; filename=\"_\"; filename*=UTF-8''%4", b"_"),
        (b'inline; filename="_"; filename*="UTF-8\'\'%41"', b"A"),
        (b"inline; filename*=UTF-8''", b""),
        (b"inline; filename", b""),
        (b"inline;", b""),
        (b"inline", b""),
    ],
)
def test_a_request_says_its_file_name(value: bytes, name: bytes) -> None:
    assert parse_filename(value) == name


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"; filename=a",
        b'"inline"; filename=a',
        b"inline filename=a",
        b'inline; filename="a',
        b"inline; filename=a; filename=b",
        b"inline; filename*=UTF-8''a; filename*=UTF-8''b",
    ],
)
def test_a_file_name_that_can_be_read_in_two_ways_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_filename(value)


@given(st.text("inline; filename*=UTF-8''%4\"\\\\", max_size=60))
def test_no_content_disposition_breaks_the_parser(value: str) -> None:
    try:
        name = parse_filename(value.encode())
    except BadRequest:
        return

    assert len(name) <= len(value)
