"""The networks as plain torch modules, one file each; imported only where one runs."""

from ..models.user_torch import check
from ..threads import hand_on_threads

check()
try:
    import torch  # noqa: F401
except OSError as error:  # a build whose own libraries are not there
    raise ImportError(str(error).partition("\n")[0], name="torch") from error
hand_on_threads()
