"""futex(2): operations, flags, the bits of a futex word and robust lists."""

from struct import Struct

# Operations
FUTEX_WAIT = 0
FUTEX_WAKE = 1
FUTEX_FD = 2
FUTEX_REQUEUE = 3
FUTEX_CMP_REQUEUE = 4
FUTEX_WAKE_OP = 5
FUTEX_LOCK_PI = 6
FUTEX_UNLOCK_PI = 7
FUTEX_TRYLOCK_PI = 8
FUTEX_WAIT_BITSET = 9
FUTEX_WAKE_BITSET = 10
FUTEX_WAIT_REQUEUE_PI = 11
FUTEX_CMP_REQUEUE_PI = 12
FUTEX_LOCK_PI2 = 13

# Flags of an operation
FUTEX_PRIVATE_FLAG = 0x80
FUTEX_CLOCK_REALTIME = 0x100
FUTEX_CMD_MASK = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)

FUTEX_BITSET_MATCH_ANY = 0xFFFFFFFF

# FUTEX_WAKE_OP: what is done to the second word, and the comparison of its old value.
FUTEX_OP_SET = 0
FUTEX_OP_ADD = 1
FUTEX_OP_OR = 2
FUTEX_OP_ANDN = 3
FUTEX_OP_XOR = 4
FUTEX_OP_OPARG_SHIFT = 8
FUTEX_OP_CMP_EQ = 0
FUTEX_OP_CMP_NE = 1
FUTEX_OP_CMP_LT = 2
FUTEX_OP_CMP_LE = 3
FUTEX_OP_CMP_GT = 4
FUTEX_OP_CMP_GE = 5

# The futex word of a robust or priority-inheriting lock.
FUTEX_WAITERS = 0x80000000
FUTEX_OWNER_DIED = 0x40000000
FUTEX_TID_MASK = 0x3FFFFFFF

# futex_wait(2), futex_wake(2), futex_requeue(2) and futex_waitv(2): flags
FUTEX2_SIZE_U8 = 0x0
FUTEX2_SIZE_U16 = 0x1
FUTEX2_SIZE_U32 = 0x2
FUTEX2_SIZE_U64 = 0x3
FUTEX2_SIZE_MASK = 0x3
FUTEX2_NUMA = 0x4
FUTEX2_MPOL = 0x8
FUTEX2_PRIVATE = 0x80

FUTEX_WAITV_MAX = 128

# val, uaddr, flags, a reserved field.
FUTEX_WAITV = Struct("<QQII")

# get_robust_list(2): first entry, offset from an entry to its futex, the entry being taken or given back.
ROBUST_LIST_HEAD = Struct("<QqQ")
# A list longer than this is taken for a loop.
ROBUST_LIST_LIMIT = 2048
