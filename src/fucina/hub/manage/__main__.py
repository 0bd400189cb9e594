"""`python -m fucina.hub.manage COMMAND`: Django's commands and ours."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fucina.hub.settings")
    execute_from_command_line(["fucina.hub.manage", *sys.argv[1:]])
