"""``python -m services.spec``."""

from learndock.serving.process import run
from services.spec.config import Settings
from services.spec.wiring import build

run("spec", Settings, build)
