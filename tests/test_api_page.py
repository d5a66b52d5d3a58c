"""The page of the API in a real Chromium."""

from tests.browsing import expect, opened, playwright
from tests.conftest import Server, need_program


async def test_it_shows_and_tries_the_operations_and_asks_nobody_else(server: Server) -> None:
    complaints: list[str] = []
    program = need_program("chromium")
    async with (
        playwright.async_playwright() as driver,
        await driver.chromium.launch(executable_path=program) as browser,
        opened(browser) as tab,
    ):
        tab.page.on("console", lambda message: complaints.append(message.text))
        tab.page.on("pageerror", lambda error: complaints.append(str(error)))
        await tab.page.goto(f"{server.url}/api/docs")
        await tab.page.locator("#operations-files-list_files").click()
        await tab.page.get_by_role("button", name="Try it out").click()
        await tab.page.get_by_role("button", name="Execute").click()
        answer = tab.page.locator(".live-responses-table .response-col_status").last
        await expect(answer).to_contain_text("200")

    assert tab.origins == {server.url}
    assert complaints == []
