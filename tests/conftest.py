"""Properties have no deadline: a loaded machine is not a mistake."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("paperboy", deadline=None)
settings.load_profile("paperboy")
