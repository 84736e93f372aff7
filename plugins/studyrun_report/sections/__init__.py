"""The sections of the report: each module has `section(source) -> Section | None`."""
