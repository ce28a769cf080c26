"""The .cfg files of cuda-convnet, in which AlexNet was written: networks and training, read as data.

program = cfg.read("layers-145.cfg", "layer-params-145.cfg", initial_rates=True)
"""

from .optimizer import SGD2012, EveryStep
from .program import Network, Program, name_of, read
from .text import Text

__all__ = ["EveryStep", "Network", "Program", "SGD2012", "Text", "name_of", "read"]
