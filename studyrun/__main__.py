"""`python -m studyrun` is `studyrun`."""

from __future__ import annotations

import sys

from studyrun.cli import main

if __name__ == "__main__":
    sys.exit(main())
