"""clone(2), clone3(2), fork(2), vfork(2): what a new task shares with its maker."""


class Birth:
    """What the last clone of a task asked for: the host needs it when it tells of the new task."""

    __slots__ = ("clear_child_tid", "exit_signal", "flags")

    def __init__(self, flags: int, exit_signal: int, clear_child_tid: int) -> None:
        self.flags = flags  # CLONE_ flags
        self.exit_signal = exit_signal  # 0: none
        self.clear_child_tid = clear_child_tid  # 0: none
