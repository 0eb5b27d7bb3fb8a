"""What is kept of connections that have gone."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def more_of(*kinds: type) -> Callable[[], int]:
    """Tells how many objects of these kinds there are more than now: what other tests have left is no finding of this one."""
    left = [one for one in gc.get_objects() if type(one) in kinds]
    # Held, so that none of them goes meanwhile and stands for a new one.
    return lambda: sum(type(one) in kinds for one in gc.get_objects()) - len(left)
