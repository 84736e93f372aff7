from __future__ import annotations

from installing import clean_imports, install  # noqa: F401  # fixtures
