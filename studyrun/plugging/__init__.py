"""Behind the registry: finding plugins, vetting and describing what they announce."""
