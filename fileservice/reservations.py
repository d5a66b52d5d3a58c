"""
Room that is reserved for what is on its way; called in the transaction of what it is for.

What is used, by a user or an address and in a box, is what its files have and what is reserved.
Both change in one transaction with the rows that they stand for, so that the sum is always right.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from fileservice.errors import DropFull, QuotaExceeded
from fileservice.models import Drop, File, Reservation, ResumableUpload, Usage
from fileservice.recipients import Recipient, subject_of

# A worker renews what it takes in; of one that was killed it runs out.
LEASE = timedelta(seconds=60)
UNLIMITED = (1 << 63) - 1


class Most(NamedTuple):
    """What everybody may use who has no limits of his own."""

    bytes: int
    files: int


class Reserved(NamedTuple):
    """One row of `models.Reservation`, as far as it is counted."""

    subject: str
    drop_id: str
    bytes: int
    files: int


TABLE = Reservation._meta.db_table
USAGE = Usage._meta.db_table
DROP = Drop._meta.db_table
FILE = File._meta.db_table
# All names in these statements are ours.
CHARGE = (
    f"UPDATE {USAGE} SET used_bytes = used_bytes + %s, used_files = used_files + %s"  # noqa: S608
    " WHERE subject = %s AND used_bytes + %s <= COALESCE(max_bytes, %s)"
    " AND used_files + %s <= COALESCE(max_files, %s)"
)
CHARGE_DROP = (
    f"UPDATE {DROP} SET used_bytes = used_bytes + %s, used_files = used_files + %s"  # noqa: S608
    " WHERE id = %s AND used_bytes + %s <= COALESCE(max_bytes, %s)"
    " AND used_files + %s <= COALESCE(max_files, %s)"
)
ADD = (
    "UPDATE {} SET used_bytes = CASE WHEN used_bytes + %s > 0 THEN used_bytes + %s ELSE 0 END,"
    " used_files = CASE WHEN used_files + %s > 0 THEN used_files + %s ELSE 0 END WHERE {} = %s"
)
ADD_TO_USAGE = ADD.format(USAGE, "subject")
ADD_TO_DROP = ADD.format(DROP, "id")
RESERVE = (
    f"INSERT INTO {TABLE} (id, subject, drop_id, bytes, files, owner, until)"  # noqa: S608
    " VALUES (%s, %s, %s, %s, %s, %s, %s)"
)
GROW = f"UPDATE {TABLE} SET bytes = bytes + %s, files = files + %s WHERE id = %s"  # noqa: S608
RELEASE = f"DELETE FROM {TABLE} WHERE id = %s RETURNING subject, drop_id, bytes, files"  # noqa: S608
READ = f"SELECT subject, drop_id, bytes, files FROM {TABLE} WHERE id = %s"  # noqa: S608
# What has no worker and is gone on with some day stays: finished parts wait to be joined.
ABANDONED = (
    f"SELECT id FROM {TABLE} WHERE until <= ? AND id NOT IN"  # noqa: S608
    f" (SELECT id FROM {ResumableUpload._meta.db_table}"
    " WHERE state = 'open' OR (state = 'finished' AND kind = 'part'))"
)
BYTES = f"SELECT bytes FROM {TABLE} WHERE id = ?"  # noqa: S608


def count_of(which: str) -> str:
    """Return the SQL that counts anew what is used in one row, by the files of `which`."""
    of_reservations = "subject" if which != "drop_id" else "drop_id"
    return ", ".join(
        f"used_{unit} = (SELECT COALESCE({of_files}, 0) FROM {FILE} WHERE {which} = %s)"  # noqa: S608
        f" + (SELECT COALESCE(SUM({unit}), 0) FROM {TABLE} WHERE {of_reservations} = %s)"
        for unit, of_files in (("bytes", "SUM(size)"), ("files", "COUNT(*)"))
    )


COUNT_USER = f"UPDATE {USAGE} SET {count_of('user_id')} WHERE subject = %s"  # noqa: S608
COUNT_ADDRESS = f"UPDATE {USAGE} SET {count_of('address')} WHERE subject = %s"  # noqa: S608
COUNT_DROP = f"UPDATE {DROP} SET {count_of('drop_id')} WHERE id = %s"  # noqa: S608


def reserve(
    id: str, to: Recipient, size: int, files: int, most: Most, *, owner: str, now: datetime
) -> None:
    """
    Reserve room for an upload.

    Raises:
        QuotaExceeded: its recipient would use more than he may.
        DropFull: the box would hold more than it may.
    """
    charge(to.subject, to.drop_id or "", size, files, most)
    until = connection.ops.adapt_datetimefield_value(now + LEASE)
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, (id, to.subject, to.drop_id or "", size, files, owner, until))


def grow(id: str, total: int, step: int, files: int, most: Most) -> int:
    """
    Reserve more, for `total` bytes at least, and return for how many it is then.

    Where there is room for it, for `step` bytes more, so that not each block asks.

    Raises:
        QuotaExceeded, DropFull: see `reserve`; it stays as it is.
    """
    with connection.cursor() as cursor:
        row = cursor.execute(READ, (id,)).fetchone()
    if row is None:
        return UNLIMITED  # nobody counts it, or a worker that stood still has lost it
    reserved = Reserved(*row)
    missing = max(0, total - reserved.bytes)
    more = missing + step
    try:
        charge(reserved.subject, reserved.drop_id, more, files, most)
    except (QuotaExceeded, DropFull):
        if not step:
            raise
        more = missing
        charge(reserved.subject, reserved.drop_id, more, files, most)
    with connection.cursor() as cursor:
        cursor.execute(GROW, (more, files, id))
    return reserved.bytes + more


def settle(id: str, to: Recipient, size: int, files: int = 1) -> None:
    """
    Count what has arrived in place of what was reserved for it.

    It is counted also where the reservation was lost: it is here.
    """
    reserved = taken(id) or Reserved(to.subject, to.drop_id or "", 0, 0)
    add(reserved.subject, reserved.drop_id, size - reserved.bytes, files - reserved.files)


def shrink(id: str, size: int) -> None:
    """Give back what was reserved beyond `size`, since no more is to come."""
    with connection.cursor() as cursor:
        row = cursor.execute(READ, (id,)).fetchone()
        if row is not None:
            more = size - Reserved(*row).bytes
            cursor.execute(GROW, (more, 0, id))
            add(row[0], row[1], more, 0)


def release(*ids: str) -> None:
    """Give back what is reserved; nothing where nothing is."""
    for id in ids:
        reserved = taken(id)
        if reserved is not None:
            add(reserved.subject, reserved.drop_id, -reserved.bytes, -reserved.files)


def give_back(user_id: int | None, address: str, drop_id: str | None, size: int) -> None:
    """Count a file no more; call it where its row goes."""
    add(subject_of(user_id, address), drop_id or "", -size, -1)


def taken(id: str) -> Reserved | None:
    """Remove a reservation and return what was counted for it."""
    with connection.cursor() as cursor:
        row = cursor.execute(RELEASE, (id,)).fetchone()
    return Reserved(*row) if row else None


def add(subject: str, drop_id: str, size: int, files: int) -> None:
    """Count more, or less, whatever the limits are; what nobody counts stays uncounted."""
    values = (size, size, files, files)
    with connection.cursor() as cursor:
        if subject:
            cursor.execute(ADD_TO_USAGE, (*values, subject))
        if drop_id:
            cursor.execute(ADD_TO_DROP, (*values, drop_id))


def charge(subject: str, drop_id: str, size: int, files: int, most: Most) -> None:
    """Count more, where that is within the limits; else raise and count nothing."""
    if drop_id and not charged(CHARGE_DROP, drop_id, size, files, Most(UNLIMITED, UNLIMITED)):
        raise DropFull("This box takes no more: it may hold no more bytes, or no more files.")
    if not subject or charged(CHARGE, subject, size, files, most):
        return
    if not is_known(subject) and charged(CHARGE, subject, size, files, most):
        return
    if drop_id:
        add("", drop_id, -size, -files)
        raise DropFull("Whose box this is has no room for more.")
    raise exceeded(subject, size, files, most)


def charged(sql: str, which: str, size: int, files: int, most: Most) -> bool:
    """Count more in one row, if its limits allow it."""
    values = (size, files, which, size, most.bytes, files, most.files)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return bool(cursor.rowcount)


def is_known(subject: str) -> bool:
    """Tell whether there is a row of usage; else make it, of what is stored already."""
    _, created = Usage.objects.get_or_create(subject=subject)
    if created:
        recount(subject)
    return not created


def recount(subject: str) -> None:
    """Count anew what a user or an address uses; one statement, so that nothing comes between."""
    kind, _, which = subject.partition(":")
    sql = COUNT_USER if kind == "user" else COUNT_ADDRESS
    with connection.cursor() as cursor:
        cursor.execute(sql, (which, subject, which, subject, subject))


def recount_drop(id: str) -> None:
    """Count anew what a box holds."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_DROP, (id,) * 5)


def exceeded(subject: str, size: int, files: int, most: Most) -> QuotaExceeded:
    """Return the refusal, with what is used and what may be."""
    usage = Usage.objects.get(subject=subject)
    limit = Most(
        most.bytes if usage.max_bytes is None else usage.max_bytes,
        most.files if usage.max_files is None else usage.max_files,
    )
    extensions: dict[str, object] = {"used_bytes": usage.used_bytes, "used_files": usage.used_files}
    if limit.bytes < UNLIMITED:
        extensions["limit_bytes"] = limit.bytes
    if limit.files < UNLIMITED:
        extensions["limit_files"] = limit.files
    if usage.used_files + files > limit.files:
        said = f"You may have {limit.files:,} files, with what is on its way; delete some first."
    else:
        said = (
            f"You may have {limit.bytes:,} bytes and have {usage.used_bytes:,}, with what is on its"
            f" way: there is no room for {size:,} more."
        )
    return QuotaExceeded(said, extensions=extensions)


def renew(owner: str, now: datetime) -> None:
    """Say that a worker lives, and with it what it takes in."""
    Reservation.objects.filter(owner=owner).update(until=now + LEASE)


def release_abandoned(id: str, now: datetime) -> bool:
    """Give back what a killed worker had reserved, unless it turns out to live."""
    if not Reservation.objects.filter(id=id, until__lte=now).exists():
        return False
    release(id)
    return True


def subjects() -> list[str]:
    """Return all that is counted."""
    return list(Usage.objects.values_list("subject", flat=True))


def forget_unused() -> None:
    """Remove the rows of addresses that have nothing here, and no limits of their own."""
    unused = Usage.objects.filter(subject__startswith="address:", used_bytes=0, used_files=0)
    unused.filter(max_bytes=None, max_files=None).delete()


def boxes() -> list[str]:
    """Return the ids of all boxes."""
    return list(Drop.objects.values_list("id", flat=True))
