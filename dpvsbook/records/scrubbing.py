from __future__ import annotations

try:
    from dpvsbook.secrets import scrub
except ImportError:

    def scrub(text: str) -> str:
        return text
