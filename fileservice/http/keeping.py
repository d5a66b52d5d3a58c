"""How a file is kept, for whom and until when: changed by who holds its link to keep."""

from http import HTTPStatus

from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.errors import BadRequest, NotReady
from fileservice.filing import Change
from fileservice.http.answers import methods, shape_of
from fileservice.http.auth import actor_of
from fileservice.http.creations import described
from fileservice.http.downloading import absent
from fileservice.http.entering import EXPIRES, KEEPING, RESTRICTED, kept
from fileservice.http.lifespan import resources_of
from fileservice.http.managing import told
from fileservice.http.requests import NativeRequest
from fileservice.http.resuming import resumable
from fileservice.http.shares import sent_terms
from fileservice.http.visitors import check_origin
from fileservice.recipients import NOBODY
from fileservice.sharing import may_manage


@methods("POST")
async def terms(request: NativeRequest, key: str) -> HttpResponseBase:
    """POST /uploads/<key>/terms says `restricted`, `expires` or both anew; the key is the right."""
    check_origin(request)
    resources = resources_of(request)
    file = resources.ledger.find_by_key(key)
    if file is None:
        resumable(request, key)
        raise NotReady("This is said of a file once all of it is here.")
    by = await actor_of(request)
    if not may_manage(by, file):
        raise absent()
    change = change_of(await sent_terms(request))
    changed = await resources.filing.change(file, change, by)
    if changed is None:
        raise absent()
    if shape_of(request) == "page":
        return HttpResponseRedirect(f"/uploads/{key}", status=HTTPStatus.SEE_OTHER)
    return told(request, described(request, changed), "file.html")


def change_of(sent: dict[str, str]) -> Change:
    """
    Return what is to change.

    Raises:
        BadRequest: nothing of it, something else, or what cannot be.
    """
    if not sent or not sent.keys() <= set(KEEPING):
        raise BadRequest(f"Of a file `{RESTRICTED}` and `{EXPIRES}` can be said anew.")
    to = kept(NOBODY, sent)
    change: Change = {}
    if RESTRICTED in sent:
        change["restricted"] = to.restricted
    if EXPIRES in sent:
        change["expires_at"] = to.expires_at
    return change
