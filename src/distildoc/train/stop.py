"""Stop between two steps when the user or the system asks, so that a checkpoint can be written first."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

Handler = Callable[[int, FrameType | None], object] | int | None


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; the message says where it stands, `signal` which signal asked."""

    def __init__(self, message: str, asked: int) -> None:
        super().__init__(message)
        self.signal = asked


class Stop:
    """Inside, Ctrl-C (SIGINT) and SIGTERM are noted in `asked`; a second one ends the process as usual.

    Outside the main thread nothing is caught, as Python allows handlers only there.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._before: dict[int, Handler] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
