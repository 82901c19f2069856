"""semop(2), msgsnd(2) and their kin: commands, flags and structures of System V IPC."""

from struct import Struct

IPC_NOWAIT = 0o4000
MSG_NOERROR = 0o10000
MSG_COPY = 0o40000
SEM_UNDO = 0x1000

# semctl(2), msgctl(2): commands
IPC_RMID = 0
IPC_SET = 1
IPC_STAT = 2
GETPID = 11
GETVAL = 12
GETALL = 13
GETNCNT = 14
GETZCNT = 15
SETVAL = 16
SETALL = 17
# semctl(2), msgctl(2): a program of old may set this bit in a command.
IPC_64 = 0x100

SEMOPM = 500
"""The most operations in one semop(2), unless the system was told otherwise."""

# semop(2): struct sembuf (number, operation, flags)
SEMBUF = Struct("<Hhh")
# msgsnd(2): what precedes the text, its type
MESSAGE_TYPE = Struct("<q")
