"""The search service as a process: ``python -m services.search``."""

from learndock.serving.process import run
from services.search.config import Settings
from services.search.wiring import build

run("search", Settings, build, computes=True)
