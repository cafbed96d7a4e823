"""``python -m pollux``: the same as ``pollux``."""

import sys

from pollux.cli import main

sys.exit(main())
