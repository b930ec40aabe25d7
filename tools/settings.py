"""The page of settings, read from the settings class of each service."""

from __future__ import annotations

import importlib
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from learndock.serving.config import ServiceSettings

ROOT = Path(__file__).resolve().parents[1]

INTRODUCTION = """# Settings

A service reads its settings from the environment only, and names all faults at once when it starts. The name of a
variable is the service's prefix followed by the setting: `LEARNDOCK_SEARCH_` and `STORAGE_ADDRESS`.

Written by `make docs` from `services/*/config.py`.
"""


def settings_page() -> str:
    """The whole page."""
    common = _table(ServiceSettings, set())
    parts = [f"{INTRODUCTION}\n## Every service with RPCs\n\nAfter the prefix of the service:\n\n{common}"]
    for name in service_names():
        settings = settings_class(name)
        own = _table(settings, _inherited(settings))
        parts.append(f"## services/{name}: `{settings.model_config.get('env_prefix')}`\n\n{own}")
    return "\n".join(parts)


def service_names() -> list[str]:
    """Folders of services/ that have settings."""
    return sorted(path.parent.name for path in (ROOT / "services").glob("*/config.py"))


def settings_class(service: str) -> type[BaseSettings]:
    """The class `Settings` of a service."""
    found: type[BaseSettings] = importlib.import_module(f"services.{service}.config").Settings
    return found


def _inherited(settings: type[BaseSettings]) -> set[str]:
    if not issubclass(settings, ServiceSettings):
        return set()
    common = ServiceSettings.model_fields
    return {name for name, field in common.items() if settings.model_fields[name].default == field.default}


def _table(settings: type[BaseSettings], leave_out: set[str]) -> str:
    rows = [
        f"| `{name.upper()}` | {_default(field)} | {field.description or ''} |\n"
        for name, field in settings.model_fields.items()
        if name not in leave_out
    ]
    return "| setting | default | what it does |\n|---|---|---|\n" + "".join(rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, tuple):
        default = " ".join(default)
    return "empty" if default in (None, "") or not str(default) else f"`{default}`"
