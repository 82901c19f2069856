"""capabilities(7): those that a call of ours asks for."""

CAP_SYS_TIME = 25
CAP_WAKE_ALARM = 35
