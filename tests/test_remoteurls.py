"""URLs of other hosts: one reading each, or none."""

from urllib.parse import urlsplit

import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from fileservice.errors import BadUrl
from fileservice.remoteurls import MAX_URL_CHARACTERS, join_remote_url, parse_remote_url
from tests.hostile_hosts import BAD_URLS

GOOD = [
    # raw, scheme, host, port, target, as a string
    ("https://a.example", "https", "a.example", 443, "/", "https://a.example/"),
    ("HTTPS://A.Example/", "https", "a.example", 443, "/", "https://a.example/"),
    ("http://a.example:80/x", "http", "a.example", 80, "/x", "http://a.example/x"),
    ("https://a.example:0443/", "https", "a.example", 443, "/", "https://a.example/"),
    ("https://a.example:8443/", "https", "a.example", 8443, "/", "https://a.example:8443/"),
    ("http://a.example:443/", "http", "a.example", 443, "/", "http://a.example:443/"),
    ("http://a.example:65535/", "http", "a.example", 65535, "/", "http://a.example:65535/"),
    ("https://a.example?b=c", "https", "a.example", 443, "/?b=c", "https://a.example/?b=c"),
    ("https://a.example/?", "https", "a.example", 443, "/?", "https://a.example/?"),
    ("https://a/%2F?b/c@d:e", "https", "a", 443, "/%2F?b/c@d:e", "https://a/%2F?b/c@d:e"),
    ("https://a//b/../c", "https", "a", 443, "//b/../c", "https://a//b/../c"),
    (
        "https://a/~b.pdf;c,d!*'()",
        "https",
        "a",
        443,
        "/~b.pdf;c,d!*'()",
        "https://a/~b.pdf;c,d!*'()",
    ),
    ("https://xn--bcher-kva.example/", "https", "xn--bcher-kva.example", 443, "/", None),
    ("https://1.example/", "https", "1.example", 443, "/", None),
    ("https://127.0.0.1.example/", "https", "127.0.0.1.example", 443, "/", None),
    ("https://1e100/", "https", "1e100", 443, "/", None),
    ("https://0xg/", "https", "0xg", 443, "/", None),
    ("https://127.0.0.1:8443/", "https", "127.0.0.1", 8443, "/", None),
    ("http://[::1]:8080/", "http", "::1", 8080, "/", None),
    ("http://[0:0:0:0:0:0:0:1]/", "http", "::1", 80, "/", "http://[::1]/"),
    ("http://[FE80::00A]/", "http", "fe80::a", 80, "/", "http://[fe80::a]/"),
    ("http://[::ffff:127.0.0.1]/", "http", "::ffff:127.0.0.1", 80, "/", None),
    ("http://[::ffff:7f00:1]/", "http", "::ffff:127.0.0.1", 80, "/", "http://[::ffff:127.0.0.1]/"),
]
LABEL = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?\Z")
HOSTS = st.one_of(
    st.lists(LABEL, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=6).map(lambda address: f"[{address.exploded}]"),
    st.text("0123456789abcdefx.:[]%@\\-", max_size=20),
)
PORTS = st.one_of(st.just(""), st.integers(0, 70_000).map(":{}".format))
TARGETS = st.text("abz09/?.:@!$&'()*+,;=%-_~[]#\\ \t", max_size=12)
URLS = st.one_of(
    st.builds(
        "{}://{}{}{}{}".format,
        st.sampled_from(["http", "https", "HTTP", "hTTpS"]),
        HOSTS,
        PORTS,
        st.sampled_from(["", "/", "?"]),
        TARGETS,
    ),
    st.text().map("https://{}".format),
    st.text(),
)


@pytest.mark.parametrize(("raw", "scheme", "host", "port", "target", "text"), GOOD)
def test_a_url_is_read(
    raw: str, scheme: str, host: str, port: int, target: str, text: str | None
) -> None:
    url = parse_remote_url(raw)

    assert (url.scheme, url.host, url.port, url.target) == (scheme, host, port, target)
    assert str(url) == (raw if text is None else text)


@pytest.mark.parametrize("raw", BAD_URLS.values(), ids=BAD_URLS)
def test_what_has_a_second_reading_is_refused(raw: str) -> None:
    with pytest.raises(BadUrl):
        parse_remote_url(raw)


def test_the_longest_url_is_taken() -> None:
    raw = "https://a.example/".ljust(MAX_URL_CHARACTERS, "a")

    assert str(parse_remote_url(raw)) == raw


def test_the_longest_host_is_taken() -> None:
    host = f"{'a.' * 126}a"

    assert parse_remote_url(f"https://{host}/").host == host


@given(URLS)
def test_other_libraries_read_the_same_host(raw: str) -> None:
    try:
        url = parse_remote_url(raw)
    except BadUrl:
        return

    read = yarl.URL(str(url), encoded=True)
    split = urlsplit(str(url))
    assert (read.scheme, read.host, read.port) == (url.scheme, url.host, url.port)
    default = 443 if url.scheme == "https" else 80
    assert (split.scheme, split.hostname, split.port or default) == (
        url.scheme,
        url.host,
        url.port,
    )


@given(URLS)
def test_aiohttp_asks_the_host_that_was_read(raw: str) -> None:
    try:
        url = parse_remote_url(raw)
    except BadUrl:
        return

    asked = yarl.URL(str(url))  # as aiohttp does with a string
    assert (asked.scheme, asked.raw_host, asked.port) == (url.scheme, url.host, url.port)


@given(URLS)
def test_a_url_written_down_is_read_as_itself(raw: str) -> None:
    try:
        url = parse_remote_url(raw)
    except BadUrl:
        return

    assert parse_remote_url(str(url)) == url


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("https://b.example/y", "https://b.example/y"),
        ("HTTPS://B.example", "https://b.example/"),
        ("//b.example/y", "https://b.example/y"),
        ("//127.0.0.1/y", "https://127.0.0.1/y"),
        ("/y", "https://a.example:8443/y"),
        ("y?z", "https://a.example:8443/x/y?z"),
        ("../y", "https://a.example:8443/y"),
        ("../../../y", "https://a.example:8443/y"),
        ("?z", "https://a.example:8443/x/w.pdf?z"),
        ("", "https://a.example:8443/x/w.pdf"),
        ("#top", "https://a.example:8443/x/w.pdf"),
        ("https://b.example/y#top", "https://b.example/y"),
        ("https://b.example#@127.0.0.1/", "https://b.example/"),
        ("http://b.example/", "http://b.example/"),
    ],
)
def test_a_location_is_followed_from_where_it_came(location: str, leads_to: str) -> None:
    base = parse_remote_url("https://a.example:8443/x/w.pdf")

    assert str(join_remote_url(base, location)) == leads_to


@pytest.mark.parametrize(
    "location",
    [
        raw
        for name, raw in BAD_URLS.items()
        if "://" in raw and "#" not in raw and not name.startswith("2,049")
    ],
)
def test_a_location_has_no_second_reading_either(location: str) -> None:
    base = parse_remote_url("https://a.example/x")

    with pytest.raises(BadUrl):
        join_remote_url(base, location)


@pytest.mark.parametrize(
    "location",
    [
        "/\r\nX: y",
        "/x\n",
        "/\tx",
        "\t//b.example/",
        "/b\u00fccher",
        "//\u24dbocalhost/",
        "//[",
        "//]/",
        "http://[",
        "https://[v1.x]/",
        "https://[\uff11]/",
        "https://[::1/",
        "//user@b.example/",
        "\\\\127.0.0.1\\x",
        "/\\127.0.0.1",
        "/ x",
        "mailto:a@b.example",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/x",
        "data:application/pdf,x",
        "x" * 3000,
    ],
)
def test_a_location_that_is_no_url_is_refused(location: str) -> None:
    base = parse_remote_url("https://a.example/x")

    with pytest.raises(BadUrl):
        join_remote_url(base, location)


@given(st.one_of(URLS, TARGETS, st.text(), st.text("/:[]@?#.\\ax1%", max_size=12)))
def test_whatever_a_location_says_it_is_a_url_or_a_bad_one(location: str) -> None:
    base = parse_remote_url("https://a.example/x")

    try:
        url = join_remote_url(base, location)
    except BadUrl:
        return

    assert parse_remote_url(str(url)) == url


def test_what_is_shown_of_a_url_has_no_query() -> None:
    assert parse_remote_url("https://c.example:8443/a?key=b?c").public == "https://c.example:8443/a"
