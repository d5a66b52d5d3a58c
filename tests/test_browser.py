"""The pages in a real Chromium, with scripts off unless a test is about them."""

import asyncio
import io
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browsing import (
    Browser,
    Page,
    Tab,
    expect,
    named,
    names_on,
    opened,
    playwright,
    saved,
    send,
    title_of,
)
from tests.conftest import Server, manage, need_program, serving
from tests.otherhosts import give, other_host
from tests.pdfs import shipped_template, text_of
from tests.test_panels import HOSTILE_ENTRIES
from tests.test_signed import signed_by_other

PASSWORD = "correct-horse-1843"  # noqa: S105 - of a server that lives for one test
PHONE = {"width": 320, "height": 640}
MARKUP = "<img src=/ran onerror=location='/ran'>'\"&amp;.txt"
SCRIPT = b"<script>fetch('/ran')</script>"


# One browser for all: a test has a profile of its own in it.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = need_program("chromium")
    async with playwright.async_playwright() as driver:
        running = await driver.chromium.launch(executable_path=program)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    async with opened(browser, java_script_enabled=False) as plain:
        yield plain


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    """Give a private service whose one user is ada, a superuser."""
    with serving(migrated, ACCESS="private") as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        asked = ["createsuperuser", "--noinput", "--username", "ada", "--email", "a@example.org"]
        done = manage(running.root, *asked)
        assert done.returncode == 0, done.stderr
        yield running


async def log_in(page: Page) -> None:
    await page.get_by_label("Username").fill("ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def test_files_sent_by_the_form_are_listed_and_come_back_the_same(
    server: Server, tab: Tab
) -> None:
    letter, table = b"Dear Ada,\r\n" * 9000, bytes(range(256)) * 2048
    await send(tab.page, server.url, named("letter.txt", letter), named("отчёт 表.bin", table))

    await expect(names_on(tab.page)).to_have_text(["отчёт 表.bin", "letter.txt"])
    assert await saved(tab.page, "link", "letter.txt") == ("letter.txt", letter)
    assert await saved(tab.page, "link", "отчёт 表.bin") == ("отчёт 表.bin", table)


async def test_the_button_deletes_one_file(server: Server, tab: Tab) -> None:
    await send(tab.page, server.url, named("kept.txt", b"kept"), named("gone.txt", b"gone"))
    link = await tab.page.get_by_role("link", name="gone.txt", exact=True).get_attribute("href")

    await tab.page.get_by_role("button", name="Delete gone.txt").click()

    await expect(names_on(tab.page)).to_have_text(["kept.txt"])
    assert (await tab.page.goto(link)).status == 404


async def test_a_folder_is_sent_into_a_parcel_and_comes_as_a_zip(
    server: Server, tab: Tab, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    (folder / "day 1").mkdir(parents=True)
    (folder / "day 1" / "a.txt").write_bytes(b"one")
    (folder / "b.txt").write_bytes(b"two")
    page = tab.page
    await page.goto(server.url)
    await page.get_by_label("Choose files").set_input_files([named("c.txt", b"three")])
    await page.get_by_role("button", name="As a parcel").click()

    await page.get_by_label("Or a folder").set_input_files(folder)
    await page.get_by_role("button", name="Add").click()

    await expect(names_on(page)).to_have_text(["c.txt", "holiday/b.txt", "holiday/day 1/a.txt"])
    name, content = await saved(page, "link", "Download all as ZIP")
    assert name == "files.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.read("holiday/day 1/a.txt") == b"one"
    await page.goto(server.url)
    await page.get_by_role("link", name="files", exact=True).click()
    await page.get_by_role("button", name="Delete all for good").click()
    await page.goto(server.url)
    await expect(page.get_by_role("link", name="files", exact=True)).to_have_count(0)


async def test_the_link_to_keep_shows_a_file_and_deletes_it(server: Server, tab: Tab) -> None:
    await send(tab.page, server.url, named("report.pdf", b"%PDF-1.4\n%%EOF\n"))
    await tab.page.get_by_role("link", name="Keep").click()

    await expect(title_of(tab.page)).to_have_text("report.pdf")
    await expect(tab.page.get_by_role("main")).to_contain_text("application/pdf")

    await tab.page.get_by_role("button", name="Delete").click()

    await expect(tab.page.get_by_text("None yet.")).to_be_visible()
    await expect(names_on(tab.page)).to_have_count(0)


async def test_a_file_is_shared_by_a_form_and_downloaded_by_a_page(
    server: Server, browser: Browser, tab: Tab
) -> None:
    await send(tab.page, server.url, named("report.txt", b"a report"))
    await tab.page.get_by_role("link", name="Keep").click()
    await tab.page.get_by_label("Downloads").fill("1")
    await tab.page.get_by_label("Password").fill(PASSWORD)
    await tab.page.get_by_role("button", name="Make a link").click()
    await expect(tab.page.get_by_text("0 of 1")).to_be_visible()
    link = await tab.page.get_by_role("link", name="/s/").get_attribute("href")

    async with opened(browser, java_script_enabled=False) as guest:
        await guest.page.goto(link)
        await guest.page.get_by_label("Password").fill(PASSWORD)
        await guest.page.get_by_role("button", name="Go on").click()
        await expect(title_of(guest.page)).to_have_text("report.txt")
        code = guest.page.get_by_role("img", name="QR code of this link")
        await expect(code).to_have_js_property("complete", True)
        for _ in range(2):
            found = await saved(guest.page, "link", "Download")
            assert found == ("report.txt", b"a report")
        await guest.page.reload()
        await expect(guest.page.get_by_text("You have begun a download.")).to_be_visible()
        assert guest.complaints == []

    await tab.page.reload()
    await expect(tab.page.get_by_text("1 of 1")).to_be_visible()
    await tab.page.get_by_role("button", name="Revoke").click()
    await expect(tab.page.get_by_text("revoked")).to_be_visible()
    assert tab.complaints == []


async def test_another_browser_sees_nothing_of_them(
    server: Server, browser: Browser, tab: Tab
) -> None:
    await send(tab.page, server.url, named("mine.txt", b"mine"))
    await expect(names_on(tab.page)).to_have_text(["mine.txt"])

    async with opened(browser) as other:
        await other.page.goto(server.url)

        await expect(other.page.get_by_text("None yet.")).to_be_visible()
        await expect(names_on(other.page)).to_have_count(0)


async def test_a_template_is_looked_at_before_its_certificate_is_made(
    server: Server, tab: Tab
) -> None:
    await tab.page.goto(server.url)
    await tab.page.get_by_role("link", name="certificate", exact=True).click()
    picture = tab.page.get_by_role("img", name="Page 1")
    await expect(picture).to_have_js_property("complete", True)
    await expect(picture).to_have_js_property("naturalWidth", 1600)

    await tab.page.get_by_label("name").fill("Ada Lovelace")
    await tab.page.get_by_role("button", name="Look at it").click()

    filled = tab.page.get_by_role("img", name="Page 1, filled")
    await expect(filled).to_have_js_property("complete", True)
    await expect(filled).to_have_js_property("naturalWidth", 1600)
    await expect(tab.page.get_by_label("name")).to_have_value("Ada Lovelace")
    name, content = await saved(tab.page, "button", "Make the PDF")
    assert name == "certificate.pdf"
    assert "Ada Lovelace" in text_of(content)
    assert tab.complaints == []


async def test_the_certificate_form_saves_a_pdf(server: Server, tab: Tab) -> None:
    await tab.page.goto(server.url)
    await tab.page.get_by_label("Presented to").fill("Ada Lovelace")
    name, content = await saved(tab.page, "button", "Make the PDF")

    assert name == "certificate.pdf"
    assert content.startswith(b"%PDF-")


async def test_pages_load_nothing_from_elsewhere_and_keep_their_policy(
    server: Server, tab: Tab
) -> None:
    await send(tab.page, server.url, named("a.txt", b"a"))
    await tab.page.get_by_role("link", name="Keep").click()
    await expect(title_of(tab.page)).to_have_text("a.txt")
    await tab.page.goto(f"{server.url}/nothing")
    await tab.page.goto(f"{server.url}/accounts/login/")

    assert tab.origins == {server.url}
    assert tab.complaints == []


async def test_a_problem_is_a_page_that_leads_back(server: Server, tab: Tab) -> None:
    answer = await tab.page.goto(f"{server.url}/files/nothing")

    assert answer.status == 404
    await expect(title_of(tab.page)).to_have_text("Not found")

    await tab.page.get_by_role("main").get_by_role("link", name="To the start page").click()

    await expect(tab.page).to_have_url(f"{server.url}/")


async def test_a_name_with_markup_is_shown_as_text(server: Server, browser: Browser) -> None:
    async with opened(browser) as tab:
        await send(tab.page, server.url, named("harmless-7c1e.txt", b"x"))
        await expect(names_on(tab.page)).to_have_text(["harmless-7c1e.txt"])
        # No door lets this name in; the pages must not rely on that.
        with closing(sqlite3.connect(server.root / "fileservice.sqlite3")) as rows, rows:
            rename = "UPDATE fileservice_file SET name = ? WHERE name = 'harmless-7c1e.txt'"
            rows.execute(rename, [MARKUP])
        await tab.page.reload()

        await expect(names_on(tab.page)).to_have_text([MARKUP])

        await tab.page.get_by_role("link", name="Keep").click()

        await expect(title_of(tab.page)).to_have_text(MARKUP)
        assert not any(url.endswith("/ran") for url in tab.asked)


async def test_hostile_panels_run_nothing_and_load_nothing(
    migrated: Path, browser: Browser
) -> None:
    async with other_host(give(*HOSTILE_ENTRIES)) as host, opened(browser, viewport=PHONE) as tab:
        with serving(migrated, HOME_PANELS=f"Hostile={host.url()}") as running:
            await tab.page.goto(running.url)
            await expect(tab.page.get_by_text("<script>location='/ran'</script>")).to_be_visible()
            for link in await tab.page.get_by_role("listitem").all():
                await link.click()
            width = await tab.page.evaluate("document.documentElement.scrollWidth")

        assert not any(url.endswith("/ran") for url in tab.asked)
        assert tab.origins == {running.url}
        assert tab.complaints == []
        assert width == PHONE["width"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", b"<!doctype html><title>t</title>" + SCRIPT),
        ("page.xhtml", b'<html xmlns="http://www.w3.org/1999/xhtml">' + SCRIPT + b"</html>"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>"),
        ("note.txt", SCRIPT),
    ],
)
async def test_a_script_in_a_file_does_not_run_on_our_origin(
    server: Server, browser: Browser, name: str, content: bytes
) -> None:
    async with opened(browser) as tab:
        await send(tab.page, server.url, named(name, content))
        assert await saved(tab.page, "link", name) == (name, content)
        link = await tab.page.get_by_role("link", name=name, exact=True).get_attribute("href")
        tab.asked.clear()
        # A frame asks for the file as a page would, and takes a download without an error.
        await tab.page.route(
            f"{server.url}/frames",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f'<iframe src="{link}"></iframe><object data="{link}?inline=1"></object>',
            ),
        )
        await tab.page.goto(f"{server.url}/frames", wait_until="networkidle")

        assert any(url.startswith(link) for url in tab.asked)
        assert not any(url.endswith("/ran") for url in tab.asked)


async def test_a_form_on_another_site_is_refused(server: Server, tab: Tab) -> None:
    await tab.page.goto(server.url)
    await tab.page.route(
        "http://elsewhere.test/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=(
                f'<form method="post" enctype="multipart/form-data" action="{server.url}/files/">'
                '<input type="file" name="file"><button>Send</button></form>'
            ),
        ),
    )
    await tab.page.goto("http://elsewhere.test/")
    await tab.page.locator("input").set_input_files([named("forged.txt", b"forged")])
    async with tab.page.expect_response(f"{server.url}/files/") as answered:
        await tab.page.get_by_role("button", name="Send").click()

    assert (await answered.value).status == 403


@asynccontextmanager
async def page_of_another_origin(tab: Tab) -> AsyncIterator[str]:
    """Open a page that another host has, and give its origin: another site than the service's."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>An app</title>", content_type="text/html")

    async with other_host(page) as host:
        origin = f"http://localhost:{host.port}"
        await tab.page.goto(origin)
        yield origin


SEND = """async ([url, size, fields]) => {
  const sent = await fetch(url, {method: 'PUT', body: new Uint8Array(size), headers: fields})
  return [sent.status, sent.headers.get('Location'), await sent.text()]
}"""
SEND_FORM = """async ([url]) => {
  const form = new FormData()
  form.append('file', new File(['hello'], 'a.txt'))
  const sent = await fetch(url, {method: 'POST', body: form})
  const got = await fetch(sent.headers.get('Location'), {headers: {Range: 'bytes=1-'}})
  return [sent.status, got.status, got.headers.get('Content-Range'), await got.text()]
}"""


RESUME = """async origin => {
  const tus = {'Tus-Resumable': '1.0.0'}
  const length = {'Upload-Length': '11'}
  const begun = await fetch(origin + '/files/', {method: 'POST', headers: {...tus, ...length}})
  const url = new URL(begun.headers.get('Location'), begun.url)
  const append = (offset, body) => fetch(url, {method: 'PATCH', body, headers:
    {...tus, 'Upload-Offset': offset, 'Content-Type': 'application/offset+octet-stream'}})
  const [first, lost] = [await append(0, 'hello '), await append(0, 'hello ')]
  await append(6, 'world')
  const told = await fetch(url, {method: 'HEAD', headers: tus})
  const file = await (await fetch(url, {headers: {Accept: 'application/json'}})).json()
  return [
    [begun.status, begun.headers.has('Tus-Resumable'), begun.headers.has('Upload-Expires')],
    [first.status, first.headers.get('Upload-Offset')],
    [lost.status, lost.headers.get('Upload-Offset')],
    told.headers.get('Upload-Offset'),
    await (await fetch(file.url)).text(),
  ]
}"""


async def test_a_page_of_a_listed_origin_sends_and_reads_files_and_refusals(
    migrated: Path, browser: Browser
) -> None:
    async with opened(browser) as tab, page_of_another_origin(tab) as origin:
        choices = {"MAX_UPLOAD_BYTES": "1000000", "CORS_ORIGINS": origin}
        with serving(migrated, **choices) as running:
            run = tab.page.evaluate
            url = f"{running.url}/files/a.bin"

            status, location, text = await run(SEND, [url, 500_000, {"X-Request-ID": "1"}])
            formed = await run(SEND_FORM, [f"{running.url}/files/"])
            too_large = await run(SEND, [url, 1_000_001, {}])
            lying = await run(SEND, [url, 9, {"Repr-Digest": "sha-256=:AAAA:"}])
            endless = await run("async url => (await fetch(url)).status", f"{url}?{'a' * 9000}")
            stored = running.stored()

    assert (status, text) == (201, f"{location}\n")
    assert location.startswith(f"{running.url}/files/")
    assert formed == [201, 206, "bytes 1-4/5", "ello"]
    assert [too_large[0], lying[0], endless] == [413, 400, 414]
    assert len(stored) == 2


async def test_a_page_of_a_listed_origin_resumes_an_upload(
    migrated: Path, browser: Browser
) -> None:
    async with opened(browser) as tab, page_of_another_origin(tab) as origin:
        with serving(migrated, CORS_ORIGINS=origin) as running:
            begun, told, lost, offset, got = await tab.page.evaluate(RESUME, running.url)

    assert begun == [201, True, True]
    assert told == [204, "6"]
    assert lost == [409, "6"]
    assert (offset, got) == ("11", "hello world")


async def test_where_any_origin_is_let_in_it_is_without_cookies(
    migrated: Path, browser: Browser
) -> None:
    async with opened(browser) as tab, page_of_another_origin(tab):
        with serving(migrated, CORS_ORIGINS="*") as running:
            url = f"{running.url}/files/a.bin"
            status, location, _ = await tab.page.evaluate(SEND, [url, 9, {}])
            with pytest.raises(playwright.Error, match="Failed to fetch"):
                await tab.page.evaluate(
                    "url => fetch(url, {method: 'PUT', body: 'x', credentials: 'include'})", url
                )
            stored = running.stored()

    assert status == 201
    assert location.startswith(f"{running.url}/files/")
    assert len(stored) == 1


async def test_a_page_of_an_origin_that_is_not_listed_sends_and_reads_nothing(
    migrated: Path, browser: Browser
) -> None:
    async with opened(browser) as tab, page_of_another_origin(tab):
        with serving(migrated, CORS_ORIGINS="https://app.example") as running:
            for script in (SEND, SEND_FORM):
                with pytest.raises(playwright.Error, match="Failed to fetch"):
                    await tab.page.evaluate(script, [f"{running.url}/files/", 5, {}])
            stored = running.stored()

    assert f"{running.url}/files/" in tab.asked
    assert stored == []


async def test_no_page_is_wider_than_a_phone(server: Server, browser: Browser) -> None:
    async with opened(browser, viewport=PHONE) as tab:
        await send(tab.page, server.url, named("W" * 196 + ".txt", b"wide"))
        pages = [server.url]
        pages += [await tab.page.get_by_role("link", name="Keep").get_attribute("href")]
        pages += [f"{server.url}/nothing", f"{server.url}/accounts/login/"]
        widths = []
        for url in pages:
            await tab.page.goto(url)
            widths.append(await tab.page.evaluate("document.documentElement.scrollWidth"))

        assert widths == [PHONE["width"]] * 4


async def test_a_signature_is_told_on_a_phone(server: Server, browser: Browser) -> None:
    content = await asyncio.to_thread(signed_by_other, shipped_template(), name="W" * 64)
    async with opened(browser, viewport=PHONE) as tab:
        await tab.page.goto(f"{server.url}/verify/")
        await tab.page.get_by_label("Choose the PDF").set_input_files(named("x.pdf", content))
        await tab.page.get_by_role("button", name="Verify").click()

        await expect(title_of(tab.page)).to_have_text("This file is not known here.")
        await expect(tab.page.get_by_role("main")).to_contain_text("a key that this service does")
        width = await tab.page.evaluate("document.documentElement.scrollWidth")
        assert width == PHONE["width"]
        assert not tab.complaints


async def test_pages_are_dark_where_the_browser_is(server: Server, browser: Browser) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        async with opened(browser, color_scheme=scheme) as tab:
            await tab.page.goto(server.url)
            colour = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
            brightness[scheme] = int(colour.removeprefix("rgb(").split(",")[0])

    assert brightness["light"] > 230
    assert brightness["dark"] < 50


async def test_a_login_leads_to_the_forms_and_a_logout_away(private: Server, tab: Tab) -> None:
    await tab.page.goto(private.url)
    await expect(tab.page.get_by_text("This service is private")).to_be_visible()
    await expect(tab.page.locator("form")).to_have_count(0)

    await tab.page.get_by_role("main").get_by_role("link", name="Log in").click()
    await log_in(tab.page)

    await expect(tab.page).to_have_url(f"{private.url}/")
    await send(tab.page, private.url, named("secret.txt", b"secret"))
    await expect(names_on(tab.page)).to_have_text(["secret.txt"])

    await tab.page.get_by_role("link", name="ada").click()
    await tab.page.get_by_role("button", name="Log out").click()

    await expect(tab.page.get_by_text("This service is private")).to_be_visible()
    await expect(tab.page.get_by_label("Choose files")).to_have_count(0)


async def test_a_wrong_password_is_told(private: Server, tab: Tab) -> None:
    await tab.page.goto(f"{private.url}/accounts/login/")
    await tab.page.get_by_label("Username").fill("ada")
    await tab.page.get_by_label("Password").fill("wrong")
    await tab.page.get_by_role("button", name="Log in").click()

    await expect(tab.page.get_by_role("alert")).to_contain_text("correct username and password")


async def test_the_admin_shows_the_files_under_its_policy(
    private: Server, browser: Browser
) -> None:
    async with opened(browser) as tab:
        await tab.page.goto(private.url)
        await tab.page.get_by_role("main").get_by_role("link", name="Log in").click()
        await log_in(tab.page)
        await expect(tab.page).to_have_url(f"{private.url}/")
        await send(tab.page, private.url, named("seen-by-admin.txt", b"seen"))
        await expect(names_on(tab.page).first).to_have_text("seen-by-admin.txt")
        await tab.page.goto(f"{private.url}/admin/")
        header = await tab.page.evaluate(
            "getComputedStyle(document.querySelector('#header')).backgroundColor"
        )
        await tab.page.get_by_role("link", name="Files", exact=True).first.click()

        assert header != "rgba(0, 0, 0, 0)"
        await expect(tab.page.get_by_role("main")).to_contain_text("seen-by-admin.txt")

        await tab.page.get_by_role("link", name="seen-by-admin.txt").click()

        await expect(tab.page.get_by_role("main")).to_contain_text("text/plain")
        assert tab.origins == {private.url}
        assert tab.complaints == []
