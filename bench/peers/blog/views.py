"""The views of the blog posts."""

import aiofiles
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from bench.peers.blog.settings import ROOT


@csrf_exempt
async def upload(request: HttpRequest) -> JsonResponse:
    """Copy the file that Django has spooled into uploads/."""
    file = request.FILES["file"]
    assert isinstance(file, UploadedFile)  # noqa: S101
    async with aiofiles.open(ROOT / "uploads" / str(file.name), "wb") as out:
        for chunk in file.chunks():
            await out.write(chunk)
    return JsonResponse({"name": file.name, "size": file.size}, status=201)


async def download(request: HttpRequest, name: str) -> FileResponse:
    """Give a file out as Django's documentation says."""
    return FileResponse(open(ROOT / "uploads" / name, "rb"), as_attachment=True)  # noqa: ASYNC230, PTH123


async def certificate(request: HttpRequest) -> HttpResponse:
    """Replace the placeholders in the bytes of the PDF."""
    async with aiofiles.open(ROOT / "pdfs" / "certificate-template.pdf", "rb") as file:
        template = await file.read()
    body = template.replace(b"%timestamp%", timezone.now().isoformat().encode())
    body = body.replace(b"%name%", request.GET.get("name", "").encode())
    return HttpResponse(
        body,
        content_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="certificate.pdf"'},
    )
