"""capabilities(7): those that a call of ours asks for."""

CAP_DAC_OVERRIDE = 1
CAP_FOWNER = 3
CAP_SYS_NICE = 23
CAP_SYS_RESOURCE = 24
CAP_SYS_TIME = 25
CAP_WAKE_ALARM = 35
CAP_BLOCK_SUSPEND = 36
