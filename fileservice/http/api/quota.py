"""The operation that tells how much one uses, and may."""

from ninja import Router, Schema
from pydantic import Field

from fileservice.http.api.admission import needs
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest

router = Router(tags=["quota"])


class Quota(Schema):
    """What is used, with what is on its way, and may be."""

    counted: bool = Field(description="whether anything is counted; where it is not, all is null")
    used_bytes: int | None
    used_files: int | None
    max_bytes: int | None = Field(description="null for any number")
    max_files: int | None = Field(description="null for any number")


@router.get("/quota", response=Quota, operation_id="get_quota", **needs("read"))
async def get_quota(request: NativeRequest) -> dict[str, object]:
    """How much one has here, and may have; of who has no account, all of the address."""
    standing = resources_of(request).quotas.standing(request.auth)
    if standing is None:
        return {"counted": False, **dict.fromkeys(Quota.model_fields.keys() - {"counted"})}
    return {"counted": True, **standing._asdict()}
