"""The pages of templates and their pictures, over sockets."""

import asyncio
import html
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import web

from tests.authority import Authority
from tests.client import Answer
from tests.conftest import Server, free_port, serving
from tests.otherhosts import other_host
from tests.pdfs import checked, page_of, text_of
from tests.pictures import decoded, is_blue
from tests.test_producers import TEMPLATES

JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html"}
PICTURE = "/templates/certificate/preview.png"
MARKUP = b"<script>x</script>"
FORM = page_of(
    b"BT /F1 14 Tf 60 700 Td (%name% %grade|pass% %timestamp% %id%) Tj ET",
    page=b"/Annots[6 0 R 7 0 R]",
    catalog=b"/AcroForm<</Fields[6 0 R 7 0 R]/DR<</Font<</He 5 0 R>>>>>>",
    more=[
        b"<</Type/Annot/Subtype/Widget/FT/Ch/T(class)/Rect[100 600 300 620]/Ff 131072"
        b"/Opt[(first)(second)]/DA(/He 12 Tf 0 g)>>",
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(%b)/Rect[100 500 300 520]/MaxLen 30/Ff 2"
        b"/DA(/He 12 Tf 0 g)>>" % MARKUP,
    ],
)


@pytest.fixture(scope="module")
def shelf(migrated: Path) -> Iterator[Server]:
    """Give a service with templates of its own, and one on a host that is down."""
    dead = f"dead=http://127.0.0.1:{free_port()}/x.pdf"
    with serving(migrated, ACCESS="open", TEMPLATE_URLS=dead) as running:
        folder = running.root / "pdf_templates"
        folder.mkdir(exist_ok=True)
        shutil.copy(TEMPLATES / "signed.pdf", folder)
        shutil.copy(TEMPLATES / "weasyprint.pdf", folder / "award.pdf")
        (folder / "form.pdf").write_bytes(FORM)
        (folder / "Not-a-name.pdf").write_bytes(FORM)
        (folder / "damaged.pdf").write_bytes(FORM.replace(b"startxref\n", b"startxref\n99"))
        yield running


def test_all_templates_are_listed(shelf: Server) -> None:
    names = ["award", "certificate", "damaged", "dead", "form", "signed"]

    as_json = shelf.ask("GET", "/templates/", headers=JSON)
    as_text = shelf.ask("GET", "/templates/")
    as_page = shelf.ask("GET", "/templates/", headers=PAGE)

    urls = [f"{shelf.url}/templates/{name}" for name in names]
    assert as_json.json == {
        "templates": [{"name": n, "url": u} for n, u in zip(names, urls, strict=True)]
    }
    assert as_text.text.split() == urls
    assert re.findall(r'<a href="(http[^"]*)"', as_page.text) == urls
    assert as_json.headers["cache-control"] == "no-store"


def test_the_home_page_leads_to_each(shelf: Server) -> None:
    page = shelf.ask("GET", "/", headers=PAGE).text

    assert 'href="/templates/award">award<' in page
    assert 'href="/templates/">' in page


def test_a_template_says_what_it_asks_for_and_where(shelf: Server) -> None:
    found = shelf.ask("GET", "/templates/form", headers=JSON).json

    values = {each.pop("name"): each for each in found["values"]}
    assert list(values) == ["name", "grade", "class", MARKUP.decode()]
    assert values["name"] == {
        "required": True, "default": None, "longest": 500, "choices": [], "is_open": True
    }  # fmt: skip
    assert (values["grade"]["required"], values["grade"]["default"]) == (False, "pass")
    assert values["class"]["choices"] == ["first", "second"]
    assert values["class"]["is_open"] is False
    assert values[MARKUP.decode()]["longest"] == 30
    fields = found["fields"]
    assert [each["number"] for each in fields] == [1, 2, 3, 4, 5, 6]
    assert [each["name"] for each in fields[:4]] == ["name", "grade", "timestamp", "id"]
    assert fields[0]["box"][0] == 60.0
    assert fields[0]["font"] == "Helvetica"
    assert fields[0]["substituted"] is True
    assert found["warnings"] == ["Helvetica is not at hand: values are drawn in NotoSans-Regular."]
    [page] = found["pages"]
    assert (page["page"], page["width"], page["height"]) == (1, 595, 842)
    assert page["preview_url"] == f"{shelf.url}/templates/form/preview.png?page=1"


def test_a_terminal_gets_it_as_lines(shelf: Server) -> None:
    text = shelf.ask("GET", "/templates/award").text

    assert text.startswith("template: award\ntitle: ")
    assert "\nvalue: name, required\n" in text
    assert "\nfield 1: name, page 1, NotoSans-Regular 12.0 pt, centre\n" in text
    assert text.endswith(f"\npreview: {shelf.url}/templates/award/preview.png?page=1\n")


def test_a_damaged_file_is_warned_of(shelf: Server) -> None:
    text = shelf.ask("GET", "/templates/damaged").text

    assert "\nwarning: The file is damaged" in text
    assert "title:" not in text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/templates/none", 404, "not_found"),
        ("/templates/none/preview.png", 404, "not_found"),
        ("/templates/NONE", 404, "not_found"),
        ("/templates/..%2fsecret_key", 404, "not_found"),
        ("/templates/%00", 404, "not_found"),
        ("/templates/?template=..%2fsecret_key", 404, "not_found"),
        ("/templates/preview.png?template=none", 404, "not_found"),
        ("/templates/signed", 422, "signed"),
        ("/templates/signed/preview.png", 422, "signed"),
        ("/templates/dead", 502, "remote_failed"),
        ("/templates/?template=https://other.example/x.pdf", 403, "url_refused"),
        ("/templates/preview.png?template=http://other.example/x.pdf", 400, "bad_url"),
        ("/templates/?a=1&a=2", 400, "bad_request"),
        ("/templates/certificate?a=%FF", 400, "bad_request"),
        (f"{PICTURE}?page=2", 404, "not_found"),
        (f"{PICTURE}?page=0", 404, "not_found"),
        (f"{PICTURE}?page=-1", 400, "bad_request"),
        (f"{PICTURE}?page=%C2%B2", 400, "bad_request"),
        (f"{PICTURE}?page=99999", 400, "bad_request"),
        (f"{PICTURE}?name=Ada", 400, "bad_request"),
        (f"{PICTURE}?template=award", 400, "bad_request"),
        (f"{PICTURE}?filled=1&nmae=Ada", 422, "unknown_value"),
        (f"{PICTURE}?filled=1&id=7", 422, "bad_value"),
        (f"{PICTURE}?filled=1&tz=Mars", 422, "bad_value"),
        (f"{PICTURE}?filled=1&page=2", 404, "not_found"),
        ("/templates/award/preview.png?filled=1", 422, "missing_value"),
    ],
)
def test_what_cannot_be_shown_is_a_clear_error(
    shelf: Server, path: str, status: int, code: str
) -> None:
    answer = shelf.ask("GET", path, headers=JSON)

    assert (answer.status, answer.json["code"]) == (status, code)


def test_a_template_that_cannot_be_filled_says_so_on_a_page(shelf: Server) -> None:
    answer = shelf.ask("GET", "/templates/signed", headers=PAGE)

    assert answer.status == 422
    assert "carries a digital signature" in answer.text


def test_the_picture_is_a_file_like_any_other(shelf: Server) -> None:
    whole = shelf.ask("GET", PICTURE)
    part = shelf.ask("GET", PICTURE, headers={"Range": "bytes=8-15"})
    head = shelf.ask("HEAD", PICTURE)
    fresh = shelf.ask("GET", PICTURE, headers={"If-None-Match": whole.headers["etag"]})
    wrong = shelf.ask("GET", PICTURE, headers={"If-Match": '"x"'})

    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["content-disposition"].startswith("inline")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert any(map(is_blue, decoded(whole.body).colours()))
    assert (part.status, part.body) == (206, whole.body[8:16])
    assert head.headers["content-length"] == str(len(whole.body))
    assert (fresh.status, fresh.body) == (304, b"")
    assert wrong.status == 412


def test_many_who_look_get_the_same_picture(shelf: Server) -> None:
    with ThreadPoolExecutor(20) as threads:
        asked = [
            threads.submit(shelf.ask, "GET", "/templates/award/preview.png?page=1")
            for _ in range(20)
        ]

    assert len({each.result().headers["etag"] for each in asked}) == 1
    kept = list((shelf.root / "pdf_templates" / ".compiled").glob("*-1.png"))
    assert asked[0].result().body in [each.read_bytes() for each in kept]


def test_a_filled_picture_shows_the_values_and_is_not_kept(shelf: Server) -> None:
    blank = shelf.ask("GET", f"{PICTURE}?filled=1&tz=Europe/Berlin")
    named = shelf.ask("GET", f"{PICTURE}?filled=1&name=Ada+Lovelace")

    assert named.headers["cache-control"] == "no-store"
    assert "etag" not in named.headers
    first, second = decoded(blank.body), decoded(named.body)
    assert not any(map(is_blue, second.colours()))
    # Where the name stands there is ink now.
    assert first.at(0.47, 0.42) == (255, 255, 255)
    inked = {second.at(0.4 + step / 1000, 0.42) for step in range(200)}
    assert any(sum(pixel) < 300 for pixel in inked)


def inputs(page: Answer) -> dict[str, str]:
    """Return the tag of each input of the page's form, by its name."""
    form = page.text.split("<form")[1].split("</form>")[0]
    tags = re.findall(r"<(?:input|select)[^>]*>", form)
    return {html.unescape(re.findall('name="([^"]*)"', tag)[0]): tag for tag in tags}


def pictures_on(page: Answer) -> list[str]:
    return re.findall(r'<a class="picture" href="[^"]*"><img src="([^"]*)"', page.text)


def test_the_page_has_an_input_for_each_value(shelf: Server) -> None:
    page = shelf.ask("GET", "/templates/form", headers=PAGE)

    found = inputs(page)
    assert list(found) == ["template", "name", "grade", "class", MARKUP.decode()]
    assert "required" in found["name"]
    assert 'value="pass"' in found["grade"]
    assert "required" not in found["grade"]
    assert found["class"].startswith("<select")
    assert 'maxlength="30"' in found[MARKUP.decode()]
    assert MARKUP.decode() not in page.text
    assert "script" not in page.headers["content-security-policy"]


def test_the_form_makes_shows_and_issues(shelf: Server) -> None:
    page = shelf.ask("GET", "/templates/award", headers=PAGE)
    cookie = page.headers["set-cookie"].split(";")[0]
    [token] = re.findall('name="csrf_token" value="([^"]*)"', page.text)
    values = urlencode({"template": "award", "name": "Ada Lovelace", "course": "Analysis"})

    made = shelf.ask("GET", f"/certificate?{values}")
    shown = shelf.ask("GET", f"/templates/?{values}", headers=PAGE)
    issued = shelf.ask(
        "POST",
        "/certificates/",
        f"{values}&csrf_token={token}".encode(),
        {
            **PAGE,
            "Cookie": cookie,
            "Origin": shelf.url,
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )

    assert "Ada Lovelace" in text_of(checked(made.body))
    assert 'value="Ada Lovelace"' in shown.text
    [picture] = pictures_on(shown)
    path = html.unescape(picture).removeprefix(shelf.url)
    assert shelf.ask("GET", path).headers["content-type"] == "image/png"
    assert "name=Ada+Lovelace" in path
    assert issued.status == 303


def test_values_that_do_not_fit_are_told_on_the_page(shelf: Server) -> None:
    page = shelf.ask("GET", f"/templates/award?name={'W' * 300}&course=x", headers=PAGE)

    assert page.status == 200
    assert "is too long" in page.text
    [picture] = pictures_on(page)
    assert "filled" not in picture


async def test_a_template_of_a_url_is_shown_without_its_query(
    migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    content = (TEMPLATES / "weasyprint.pdf").read_bytes()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=content, content_type="application/pdf")

    async with other_host(answer, authority.server_tls("localhost")) as host:
        options = {
            "ACCESS": "open",
            "TEMPLATE_HOSTS": f"localhost:{host.port}",
            "FETCH_ALLOW_NETWORKS": "127.0.0.0/8 ::1/128",
        }
        query = urlencode({"template": f"https://localhost:{host.port}/a.pdf?key=secret"})
        with await asyncio.to_thread(lambda: serving(migrated, **options)) as server:
            found = await asyncio.to_thread(server.ask, "GET", f"/templates/?{query}", headers=JSON)
            url = found.json["pages"][0]["preview_url"].removeprefix(server.url)
            picture = await asyncio.to_thread(server.ask, "GET", url)
            folder = server.root / "pdf_templates"
            kept = list(folder.rglob("*.png"))

    assert found.json["template"] == f"https://localhost:{host.port}/a.pdf"
    assert decoded(picture.body).width == 1131
    assert kept == []
