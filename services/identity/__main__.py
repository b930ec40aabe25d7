"""``python -m services.identity``."""

from learndock.serving.process import run
from services.identity.config import Settings
from services.identity.wiring import build

run("identity", Settings, build)
