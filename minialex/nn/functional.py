"""torch's name for minialex.functional: `import minialex.nn.functional as F` gives the same module."""

import sys
from typing import TYPE_CHECKING

from .. import functional

if TYPE_CHECKING:
    from ..functional import *  # noqa: F403

sys.modules[__name__] = functional  # what is imported is what stands here
