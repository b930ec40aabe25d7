"""``python -m services.storage``: the service, or one of an operator's commands."""

import sys

from learndock.serving.process import run
from services.storage import care
from services.storage.config import Settings
from services.storage.wiring import build

if sys.argv[1:2] and sys.argv[1] in care.COMMANDS:
    sys.exit(care.main(sys.argv[1:]))
run("storage", Settings, build)
