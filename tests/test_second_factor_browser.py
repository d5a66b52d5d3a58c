"""A security key in a real Chromium, whose DevTools make one of no metal."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browsing import Browser, Page, expect, opened, playwright
from tests.conftest import Server, manage, need_program, serving
from tests.persons import PASSWORD, add_person

KEY = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = need_program("chromium")
    async with playwright.async_playwright() as driver:
        running = await driver.chromium.launch(executable_path=program)
        yield running
        await running.close()


@pytest.fixture(scope="module")
def protected(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a service with second factors and ada, who may use one."""
    root = tmp_path_factory.mktemp("protected") / "root"
    shutil.copytree(migrated, root)
    done = manage(root, "migrate", "--verbosity", "0", SECOND_FACTOR="yes")
    assert done.returncode == 0, done.stderr
    add_person(root, "ada")
    with serving(root, ACCESS="private", SECOND_FACTOR="yes") as server:
        yield server


async def log_in(page: Page, url: str) -> None:
    await page.goto(f"{url}/accounts/login/")
    await page.get_by_label("Username").fill("ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def test_a_security_key_is_added_and_then_asked_for(
    protected: Server, browser: Browser
) -> None:
    # Security keys are for names, not for addresses (Web Authentication, "RP ID").
    url = f"http://localhost:{protected.port}"
    async with opened(browser) as tab:
        page = tab.page
        tools = await page.context.new_cdp_session(page)
        await tools.send("WebAuthn.enable")
        await tools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
        await log_in(page, url)
        await page.goto(f"{url}/accounts/2fa/webauthn/add/")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Confirm").click()
        await page.get_by_role("button", name="Add").click()
        await expect(page).to_have_url(re.compile("/accounts/2fa/recovery-codes/"))

        await page.goto(f"{url}/accounts/")
        await page.get_by_role("button", name="Log out").click()
        await log_in(page, url)
        await expect(page).to_have_url(re.compile("/accounts/2fa/authenticate/"))
        await page.get_by_role("button", name="Use a security key").click()

        await expect(page).to_have_url(f"{url}/")
        await expect(page.get_by_role("link", name="ada")).to_be_visible()
        assert not tab.complaints
        assert tab.origins == {url}
