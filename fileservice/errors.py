"""
The failures a client can cause, each with its HTTP status.

FileserviceError
  BadRequest 400           BadName, NoFile, Truncated, BadForm, DigestMismatch, BadUrl,
                           InconsistentLength, CompletedUpload
  Unauthorized 401         PasswordNeeded
  Forbidden 403            UrlRefused, Withheld, Infected
  NotFound 404
  MethodNotAllowed 405
  SlowBody 408
  NotReady 409             OffsetMismatch
  Revoked 410
  Expired 410
  ShareEnded 410
  DropClosed 410
  PreconditionFailed 412
  TooLarge 413             LengthExceeded, TooManyParts, QuotaExceeded, DropFull,
                           TooManyEntries
  UnsupportedRequest 415
  RangeNotSatisfiable 416
  Unprocessable 422        TemplateError (pdf.errors), BadValue, BadList, BadField
  Locked 423
  TooManyRequests 429
  ChecksumMismatch 460
  RemoteFailed 502
  ServiceUnavailable 503   BeingScanned
  RemoteTimeout 504
  InsufficientStorage 507
"""

from collections.abc import Mapping


class FileserviceError(Exception):
    """
    A failure that is the client's to know of.

    Attributes:
        status: the HTTP status it is answered with.
        code: a lower-case word for programs; never changes once released.
        title: a short sentence for people, the same for every occurrence (RFC 9457 3.1.3).
        detail: this occurrence, in a sentence for the person who sent the request.
        headers: HTTP fields that belong to the answer.
        extensions: further members of the problem document (RFC 9457 3.2).
    """

    status = 500
    code = "error"
    title = "Something failed"

    def __init__(
        self,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})


class BadRequest(FileserviceError):
    """The request is not one that can be understood."""

    status = 400
    code = "bad_request"
    title = "Bad request"


class BadName(BadRequest):
    """The file name lies about what it is: a path, a control character, broken text."""

    code = "bad_name"
    title = "Bad file name"


class NoFile(BadRequest):
    """A form or a request came without the file it is for."""

    code = "no_file"
    title = "No file"


class Truncated(BadRequest):
    """The body ended before it was complete; nothing of it is kept."""

    code = "truncated"
    title = "Body cut short"


class BadForm(BadRequest):
    """The multipart/form-data body breaks RFC 7578 or RFC 2046."""

    code = "bad_form"
    title = "Bad form"


class DigestMismatch(BadRequest):
    """The bytes that arrived are not those the client's digest speaks of."""

    code = "digest_mismatch"
    title = "Digest does not match"


class InconsistentLength(BadRequest):
    """An upload is said to be as long as it cannot be, or of another length than before."""

    code = "inconsistent_length"
    title = "Length does not fit"


class CompletedUpload(BadRequest):
    """The upload is complete: it takes no more, and is not told again that there is more."""

    code = "completed_upload"
    title = "Upload is complete"


class BadUrl(BadRequest):
    """A URL is not one that every program reads alike, or not of a scheme that is fetched."""

    code = "bad_url"
    title = "Bad URL"


class Unauthorized(FileserviceError):
    """Who asks is not known, and has to be."""

    status = 401
    code = "unauthorized"
    title = "Log in or send a token"


class PasswordNeeded(Unauthorized):
    """The link alone is not the right: it has a password, and none was shown, or another."""

    code = "password_needed"
    title = "Password needed"


class Forbidden(FileserviceError):
    """Who asks may not do this."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class UrlRefused(Forbidden):
    """The service may not fetch from this host, port or address."""

    code = "url_refused"
    title = "URL not allowed"


class Withheld(Forbidden):
    """The file is here and is given to nobody, by a decision of who runs the service."""

    code = "withheld"
    title = "File withheld"


class Infected(Forbidden):
    """A scanner found malware in the file; it is given to nobody, its owner included."""

    code = "infected"
    title = "File infected"


class NotFound(FileserviceError):
    """There is nothing here, or nothing for who asks; the two are answered alike."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(FileserviceError):
    """The resource exists but does not know this method; `headers` carries Allow."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class SlowBody(FileserviceError):
    """The body came too slowly, or stopped coming."""

    status = 408
    code = "slow_body"
    title = "Body too slow"


class NotReady(FileserviceError):
    """What is asked for is still being made; `headers` carries Retry-After."""

    status = 409
    code = "not_ready"
    title = "Not ready yet"


class OffsetMismatch(FileserviceError):
    """The bytes of an append are not those that come next; `headers` carries Upload-Offset."""

    status = 409
    code = "offset_mismatch"
    title = "Other bytes come next"


class Expired(FileserviceError):
    """The upload was not finished in time, or it failed; what came of it is gone."""

    status = 410
    code = "expired"
    title = "Upload gone"


class Revoked(FileserviceError):
    """The certificate was taken back; its verification says since when and why."""

    status = 410
    code = "revoked"
    title = "Revoked"


class ShareEnded(FileserviceError):
    """What was shared by this link is so no longer: it expired, was taken back, or is used up."""

    status = 410
    code = "share_ended"
    title = "Link has ended"


class DropClosed(FileserviceError):
    """The box takes nothing more: it was taken back, or its time is up."""

    status = 410
    code = "drop_closed"
    title = "Box is closed"


class PreconditionFailed(FileserviceError):
    """If-Match or If-Unmodified-Since does not hold (RFC 9110 13.1)."""

    status = 412
    code = "precondition_failed"
    title = "Precondition failed"


class TooLarge(FileserviceError):
    """The content is larger than a limit."""

    status = 413
    code = "too_large"
    title = "Too large"


class LengthExceeded(TooLarge):
    """More bytes came than the upload was said to have."""

    code = "length_exceeded"
    title = "More than the length"


class TooManyParts(TooLarge):
    """The form has more parts than are taken."""

    code = "too_many_parts"
    title = "Too many parts"


class QuotaExceeded(TooLarge):
    """Who sends it would have more bytes, or more files, than is allowed; room can be made."""

    code = "quota_exceeded"
    title = "No more room for you"


class DropFull(TooLarge):
    """The box would hold more bytes, or more files, than its owner lets it."""

    code = "drop_full"
    title = "Box is full"


class TooManyEntries(TooLarge):
    """The parcel has, or would have, more files than a parcel may have."""

    code = "too_many_entries"
    title = "Too many files"


class UnsupportedRequest(FileserviceError):
    """The content is of a type or an encoding that is not taken here."""

    status = 415
    code = "unsupported_type"
    title = "Type of request not supported"


class RangeNotSatisfiable(FileserviceError):
    """No part of the range asked for lies in the file (RFC 9110 15.5.17)."""

    status = 416
    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class Unprocessable(FileserviceError):
    """The request is well formed, but what it asks for cannot be made."""

    status = 422
    code = "unprocessable"
    title = "Cannot be made"


class BadValue(Unprocessable):
    """A value for a certificate is missing, unknown or cannot be written."""

    code = "bad_value"
    title = "Bad value"


class BadList(Unprocessable):
    """Lines of a list of certificates cannot be used; `lines` says which, and why."""

    code = "bad_list"
    title = "Bad list"


class BadField(Unprocessable):
    """Members or parameters of a request are missing, unknown or out of bounds; `fields` tells."""

    code = "bad_field"
    title = "Bad field"


class Locked(FileserviceError):
    """Another request is writing to the same upload; `headers` carries Retry-After."""

    status = 423
    code = "locked"
    title = "Another request is at work"


class TooManyRequests(FileserviceError):
    """Who asks has to wait before the next request is looked at; `headers` has Retry-After."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class ChecksumMismatch(FileserviceError):
    """The bytes of an append are not those its Upload-Checksum speaks of (tus 1.0.0)."""

    status = 460
    code = "checksum_mismatch"
    title = "Checksum does not match"


class RemoteFailed(FileserviceError):
    """Another host that is needed refused, broke off, or sent what cannot be used."""

    status = 502
    code = "remote_failed"
    title = "Another host failed"


class ServiceUnavailable(FileserviceError):
    """The service cannot do this now, and may soon; `headers` carries Retry-After."""

    status = 503
    code = "unavailable"
    title = "Not available now"


class BeingScanned(ServiceUnavailable):
    """A scanner has not yet said that the file is harmless; `headers` carries Retry-After."""

    code = "being_scanned"
    title = "File is being scanned"


class RemoteTimeout(FileserviceError):
    """Another host that is needed did not answer in time."""

    status = 504
    code = "remote_timeout"
    title = "Another host is too slow"


class InsufficientStorage(FileserviceError):
    """The disk has no room for this (RFC 4918 11.5)."""

    status = 507
    code = "disk_full"
    title = "No room left"
