"""`python -m aion_trio.testing.simulate --seeds 0..1000`. For code there is the function of this name in `aion_trio.testing`."""

import sys

from .simulation.command import main

if __name__ == "__main__":
    sys.exit(main())
