"""From text to studies: YAML with positions, `extends`, `--set`, `matrix`, a study's keys."""
