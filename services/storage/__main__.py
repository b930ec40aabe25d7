"""``python -m services.storage``."""

from learndock.serving.process import run
from services.storage.config import Settings
from services.storage.wiring import build

run("storage", Settings, build)
