"""adjtimex(2): modes, states and struct timex."""

from struct import Struct

# What is changed
ADJ_OFFSET = 0x1
ADJ_FREQUENCY = 0x2
ADJ_MAXERROR = 0x4
ADJ_ESTERROR = 0x8
ADJ_STATUS = 0x10
ADJ_TIMECONST = 0x20
ADJ_TAI = 0x80
ADJ_SETOFFSET = 0x100
ADJ_MICRO = 0x1000
ADJ_NANO = 0x2000
ADJ_TICK = 0x4000
ADJ_OFFSET_SINGLESHOT = 0x8001
ADJ_OFFSET_SS_READ = 0xA001

# The bit that makes it adjtime(3): with ADJ_OFFSET_SINGLESHOT or ADJ_OFFSET_SS_READ alone. linux/timex.h.
ADJ_ADJTIME = 0x8000

# Status bits
STA_UNSYNC = 0x40
STA_NANO = 0x2000

# What adjtimex returns: the clock is synchronized.
TIME_OK = 0

# modes, offset, freq, maxerror, esterror, status, constant, precision, tolerance, time (seconds, micro- or
# nanoseconds), tick, then what a pulse-per-second signal says: ppsfreq, jitter, shift, stabil and 4 counts; tai.
TIMEX = Struct("<I4xqqqqi4xqqqqqqqqi4xqqqqqi44x")
