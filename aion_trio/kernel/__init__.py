"""A deterministic scheduler with Trio's semantics, stepped synchronously, without a clock and without an event loop.

`scheduler` is the heart and says how it works; `tasks`, `scopes` and `nursery` are the structure, `alarms` what is due,
`sync`, `limits` and `channels` what tasks share; `guard`, `monitoring` and `static_look` keep the outside world out, and
`interruptions` tells from it what Python itself runs in between; `anyio_backend` makes plain AnyIO code run on it.
Nothing here knows events, activities or a journal.
"""

from .context import current as current, current_kernel as current_kernel, current_task as current_task
from .errors import KERNEL_ERRORS as KERNEL_ERRORS, Errors as Errors, Evicted as Evicted, Fault as Fault
from .guard import NO_GUARD as NO_GUARD, Guard as Guard, TrioGuard as TrioGuard
from .scheduler import KERNEL_VERSION as KERNEL_VERSION, Kernel as Kernel
