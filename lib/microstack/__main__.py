"""`python -m microstack`."""

from __future__ import annotations

from microstack.cli import main

if __name__ == "__main__":
    main()
