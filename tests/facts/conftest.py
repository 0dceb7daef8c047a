"""Hypothesis without a deadline: the machine is shared, and a slow moment is no bug."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("facts", deadline=None)
settings.load_profile("facts")
