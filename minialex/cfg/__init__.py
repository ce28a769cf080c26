"""The .cfg files of cuda-convnet, in which AlexNet was written: networks and training, read as data.

    program = cfg.read("layers-145.cfg", "layer-params-145.cfg", initial_rates=True)
"""

from .program import Network, Program, read
from .text import Text

__all__ = ["Network", "Program", "Text", "read"]
