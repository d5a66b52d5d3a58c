"""Uploads one file by tuspy: JSON in as the one argument, the outcome out as a line of JSON."""

import asyncio
import json
import sys
from typing import Any

from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from tusclient.storage.filestorage import FileStorage


def upload(
    *,
    endpoint: str,
    headers: dict[str, str],
    store: str | None,
    asynchronous: bool,
    options: dict[str, Any],
) -> str:
    """Return the URL of the upload, which is finished."""
    client = TusClient(endpoint, headers)
    if store is not None:
        options |= {"store_url": True, "url_storage": FileStorage(store)}  # type: ignore[no-untyped-call]  # it has no types
    if asynchronous:
        return asyncio.run(upload_asynchronously(client, options))
    uploader = client.uploader(**options)
    uploader.upload()
    return str(uploader.url)


async def upload_asynchronously(client: TusClient, options: dict[str, Any]) -> str:
    uploader = client.async_uploader(**options)
    await uploader.upload()
    return str(uploader.url)


def main() -> None:
    try:
        url = upload(**json.loads(sys.argv[1]))
    except TusCommunicationError as error:
        outcome = {"event": "error", "message": str(error), "status": error.status_code}
    else:
        outcome = {"event": "success", "url": url}
    sys.stdout.write(f"{json.dumps(outcome)}\n")


if __name__ == "__main__":
    main()
