"""`python -m xdsi` is the command `xdsi`."""

import sys

from xdsi.cli import main

sys.exit(main())
