"""Runs `manage.py sweep --grace 0` again and again until its input ends, and counts."""

import io
import select
import sys

import django
from django.core.management import CommandError, call_command

if __name__ == "__main__":
    django.setup()
    swept = refused = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            call_command("sweep", "--grace", "0", stdout=io.StringIO())
            swept += 1
        except CommandError as error:
            if error.returncode != 75:  # another sweeps
                raise
            refused += 1
    sys.stdout.write(f"{swept} {refused}\n")
