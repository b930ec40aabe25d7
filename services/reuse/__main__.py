"""``python -m services.reuse``."""

from learndock.serving.process import run
from services.reuse.config import Settings
from services.reuse.wiring import build

run("reuse", Settings, build)
