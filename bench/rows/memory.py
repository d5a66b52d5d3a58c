"""How much memory uploads take."""

from bench.contenders import BLOG, FASTAPI, OURS, Contender
from bench.crowd import chunked_put, slow_crowd
from bench.figures import Bound, Measure, Row, Sample
from bench.race import DISK, GIB, MIB, Terms, clear, race
from bench.servers import Server

GROWTH = Measure("growth", "MiB")
TOTAL = Measure("all memory", "MiB")

PIECE_BYTES = 64 * 1024


def huge_upload(terms: Terms) -> Row:
    def turn(contender: Contender, server: Server) -> Sample:
        assert contender.puts is not None  # noqa: S101  ours has one
        chunked_put(server, contender.puts + "warm.bin", 4 * MIB)
        grown = chunked_put(server, contender.puts + "huge.bin", terms.huge_bytes)
        clear(server)
        return {GROWTH.name: grown / MIB}

    outcome = race([OURS], turn, place=DISK, rounds=terms.rounds)
    return Row(
        f"Memory that one chunked upload of {terms.huge_bytes / GIB:g} GiB adds",
        (GROWTH,),
        outcome.samples,
        outcome.absent,
        (Bound(GROWTH, 16),),
        ("Resident memory of all processes, seen every 50 ms; after one upload of 4 MiB.",),
    )


def many_slow_uploads(terms: Terms) -> Row:
    def turn(contender: Contender, server: Server) -> Sample:
        assert contender.form is not None  # noqa: S101  all of this row have one
        peak = slow_crowd(
            server, contender.form, crowd=terms.crowd, pieces=8, piece_bytes=PIECE_BYTES
        )
        clear(server)
        return {TOTAL.name: peak / MIB}

    outcome = race([OURS, FASTAPI, BLOG], turn, place=DISK, rounds=terms.rounds)
    return Row(
        f"Memory of the service with {terms.crowd:,} slow uploads at once",
        (TOTAL,),
        outcome.samples,
        outcome.absent,
        (Bound(TOTAL, 300),),
        ("Each form upload sends 64 KiB a second for 8 s. Resident memory of all processes.",),
    )
