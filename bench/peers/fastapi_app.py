"""The FastAPI peer: `UploadFile` and `FileResponse`, as its documentation uses them."""

import os
import shutil
from pathlib import Path

import aiofiles
from fastapi import FastAPI, UploadFile  # type: ignore[import-not-found]  # the peers' own
from fastapi.responses import FileResponse  # type: ignore[import-not-found]  # likewise

UPLOADS = Path(os.environ["BENCH_ROOT"]) / "uploads"
BLOCK_BYTES = 1024 * 1024


async def upload(file: UploadFile) -> dict[str, int | str]:
    """Copy what Starlette has spooled, block by block, with aiofiles."""
    size = 0
    name = str(file.filename)
    async with aiofiles.open(UPLOADS / name, "wb") as out:
        while block := await file.read(BLOCK_BYTES):
            size += await out.write(block)
    return {"name": name, "size": size}


def upload_in_a_thread(file: UploadFile) -> dict[str, int | str]:
    """Copy what Starlette has spooled by shutil in one thread hop."""
    name = str(file.filename)
    with (UPLOADS / name).open("wb") as out:
        shutil.copyfileobj(file.file, out, BLOCK_BYTES)
        return {"name": name, "size": out.tell()}


async def download(name: str) -> FileResponse:
    """Give a file out."""
    return FileResponse(UPLOADS / name)


application = FastAPI()
application.add_api_route("/upload/", upload, methods=["POST"], status_code=201)
application.add_api_route("/thread/", upload_in_a_thread, methods=["POST"], status_code=201)
application.add_api_route("/files/{name}", download, methods=["GET"])
