"""Errands: who may say where, and how far a redirect may lead."""

import pytest

from fileservice.errors import BadUrl, UrlRefused
from fileservice.fetch.errands import Errand
from fileservice.remoteurls import parse_remote_url
from tests.hostile_hosts import BAD_URLS

LISTED = frozenset({("a.example", 443), ("b.example", 8443), ("10.0.0.1", 443), ("::1", 443)})


def of_operator(url: str) -> Errand:
    return Errand.of_operator(parse_remote_url(url))


@pytest.mark.parametrize(
    "raw",
    [
        "https://a.example/x.pdf",
        "https://A.EXAMPLE:443/",
        "https://b.example:8443/x.pdf",
        "https://10.0.0.1/",  # listed, and still public: the address is refused when it is reached
        "https://[::1]/",
    ],
)
def test_a_request_names_a_listed_host_and_gets_to_the_public_internet_only(raw: str) -> None:
    errand = Errand.of_request(raw, LISTED)

    assert errand == Errand(parse_remote_url(raw), "public", LISTED)


@pytest.mark.parametrize(
    "raw",
    [
        "https://c.example/",
        "https://a.example:8443/",
        "https://b.example/",
        "https://a.example.c.example/",
        "https://sub.a.example/",
        "https://xa.example/",
        "https://10.0.0.2/",
        "https://[::2]/",
    ],
)
def test_a_request_for_an_unlisted_host_is_refused(raw: str) -> None:
    with pytest.raises(UrlRefused):
        Errand.of_request(raw, LISTED)


def test_with_an_empty_list_every_request_is_refused() -> None:
    with pytest.raises(UrlRefused):
        Errand.of_request("https://a.example/", frozenset())


@pytest.mark.parametrize("raw", ["http://a.example/", "http://a.example:443/"])
def test_a_request_must_say_https(raw: str) -> None:
    with pytest.raises(BadUrl):
        Errand.of_request(raw, LISTED | {("a.example", 80)})


@pytest.mark.parametrize("raw", BAD_URLS.values(), ids=BAD_URLS)
def test_a_request_with_an_odd_url_is_refused(raw: str) -> None:
    with pytest.raises(BadUrl):
        Errand.of_request(raw, LISTED)


@pytest.mark.parametrize(
    "location", ["/y", "//a.example/y", "https://b.example:8443/y", "https://10.0.0.1/"]
)
def test_a_request_is_led_to_a_listed_host(location: str) -> None:
    led = Errand.of_request("https://a.example/x", LISTED).redirected(location)

    assert (led.reach, led.hosts) == ("public", LISTED)
    assert (led.url.host, led.url.port) in LISTED


@pytest.mark.parametrize(
    "location",
    [
        "https://c.example/",
        "//c.example/",
        "https://a.example:8443/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:7f00:1]/",
    ],
)
def test_a_request_is_not_led_to_an_unlisted_host(location: str) -> None:
    errand = Errand.of_request("https://a.example/x", LISTED)

    with pytest.raises(UrlRefused):
        errand.redirected(location)


def test_the_list_still_holds_at_the_third_redirect() -> None:
    errand = Errand.of_request("https://a.example/x", LISTED)
    errand = errand.redirected("https://b.example:8443/").redirected("//a.example/")

    with pytest.raises(UrlRefused):
        errand.redirected("https://c.example/")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://a.example/", "http://a.example/"),
        ("https://a.example/", "http://a.example:443/"),
        ("https://a.example/", "http://b.example/"),
        ("https://a.example:8443/", "http://a.example:8443/"),
    ],
)
def test_nobody_is_led_from_https_to_http(url: str, location: str) -> None:
    with pytest.raises(UrlRefused):
        of_operator(url).redirected(location)


def test_a_request_is_not_led_to_http_even_on_a_listed_host() -> None:
    errand = Errand.of_request("https://a.example/", LISTED | {("a.example", 80)})

    with pytest.raises(UrlRefused):
        errand.redirected("http://a.example/")


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8080/", "https://a.example/", "http://[::1]/", "http://localhost:1/"]
)
def test_an_operators_url_may_lead_to_a_private_address(url: str) -> None:
    assert of_operator(url) == Errand(parse_remote_url(url), "private", None)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://a.example/", "/y"),
        ("http://a.example/", "https://a.example/"),
        ("http://a.example/", "http://A.EXAMPLE/y"),
        ("http://a.example:8080/", "/y"),
        ("http://a.example:8080/", "https://a.example:8080/"),
        ("http://10.0.0.1/", "https://10.0.0.1/"),
        ("http://[::1]:8080/", "//[0:0::1]:8080/"),
    ],
)
def test_the_operators_right_stays_on_the_same_host(url: str, location: str) -> None:
    led = of_operator(url).redirected(location)

    assert (led.reach, led.hosts) == ("private", None)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://a.example/", "http://b.example/"),
        ("http://a.example/", "https://b.example/"),
        ("http://a.example/", "https://b.example:443/"),
        ("http://a.example/", "http://127.0.0.1/"),
        ("http://a.example/", "http://169.254.169.254/"),
        ("https://a.example/", "https://sub.a.example/"),
        # The same name at another port is another server; at a usual one it may be asked.
        ("http://a.example:8080/", "http://a.example/"),
        ("http://a.example:8080/", "https://a.example/"),
        ("https://a.example:8443/", "https://a.example/"),
    ],
)
def test_the_operators_right_goes_to_no_other_host(url: str, location: str) -> None:
    led = of_operator(url).redirected(location)

    assert (led.reach, led.hosts) == ("public", None)


def test_the_operators_right_does_not_come_back() -> None:
    there = of_operator("http://a.example/").redirected("http://b.example/")

    assert there.redirected("http://a.example/").reach == "public"
    assert there.redirected("/y").reach == "public"


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://a.example/", "http://b.example:8080/"),
        ("http://a.example/", "http://b.example:443/"),
        ("http://a.example/", "https://b.example:80/"),
        ("http://a.example/", "http://a.example:8080/"),
        ("http://a.example/", "https://a.example:8443/"),
        ("http://a.example/", "http://a.example:443/"),
        ("http://a.example:8080/", "http://a.example:6379/"),
        ("https://a.example/", "https://a.example:22/"),
        ("http://a.example/", "http://10.0.0.1:22/"),
    ],
)
def test_another_host_has_the_usual_ports_only(url: str, location: str) -> None:
    with pytest.raises(UrlRefused):
        of_operator(url).redirected(location)


@pytest.mark.parametrize("location", ["http://[", "//user@b.example/", "file:///x", "/\r\nX: y"])
def test_a_location_that_is_no_url_ends_the_errand(location: str) -> None:
    with pytest.raises(BadUrl):
        of_operator("http://a.example/").redirected(location)
