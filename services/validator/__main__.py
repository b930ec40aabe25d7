"""``python -m services.validator``."""

from learndock.serving.process import run
from services.validator.config import Settings
from services.validator.wiring import build

run("validator", Settings, build)
