/* io_submit(2), io_getevents(2): completions of the disk, and waits for them. */
#include "contract.h"
#include <stdint.h>
#include <sys/time.h>

#define MOST 8
#define IOCB_CMD_PWRITE 1

/* linux/aio_abi.h, which a libc of its own does not find. */
struct iocb {
    uint64_t aio_data;
    uint32_t aio_key, aio_rw_flags;
    uint16_t aio_lio_opcode;
    int16_t aio_reqprio;
    uint32_t aio_fildes;
    uint64_t aio_buf, aio_nbytes;
    int64_t aio_offset;
    uint64_t aio_reserved;
    uint32_t aio_flags, aio_resfd;
};

struct io_event {
    uint64_t data, obj;
    int64_t res, res2;
};

static unsigned long context;
static struct io_event events[MOST];

/* `count` writes of 8 bytes to a new file, submitted; it returns what io_submit does. */
static long submit(int count)
{
    static struct iocb operations[MOST];
    struct iocb *list[MOST];
    int fd = open("written", O_RDWR | O_CREAT, 0600);
    for (int i = 0; i < count; i++) {
        operations[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_nbytes = 8,
                                      .aio_buf = (unsigned long)"written", .aio_offset = 8 * i, .aio_data = i};
        list[i] = &operations[i];
    }
    return syscall(SYS_io_submit, context, (long)count, list);
}

static long get(long least, long most, long timeout_ms)
{
    struct timespec span = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
    return syscall(SYS_io_getevents, context, least, most, events, timeout_ms < 0 ? NULL : &span);
}

static void set_up(void)
{
    if (syscall(SYS_io_setup, MOST, &context) < 0)
        cannot_start("io_setup");
}

RULE(completions, "io_getevents(2)", "a wait for as many as were submitted gets each of them, with its data and result")
{
    long long sum = 0, written = 0;
    set_up();
    SEE(submit(4));
    SEE(get(4, MOST, -1));
    for (int i = 0; i < 4; i++) {
        sum += (long long)events[i].data;
        written += events[i].res;
    }
    SEE(sum);
    SEE(written);
    SEE(get(0, MOST, -1));
}

RULE(timeout, "io_getevents(2)", "without completions it gives 0 when the time is over, not before")
{
    long long start = now_ns(CLOCK_MONOTONIC);
    set_up();
    SEE(get(1, MOST, 20));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
    SEE(get(1, MOST, 0));
}

RULE(too_few, "io_getevents(2)", "when the time is over it gives what there is")
{
    long long start = now_ns(CLOCK_MONOTONIC);
    set_up();
    submit(2);
    SEE(get(3, MOST, 20));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
    SEE(get(0, MOST, 0));
}

RULE(room, "io_getevents(2)", "it gives no more than there is room for; the others stay")
{
    set_up();
    submit(3);
    SEE(get(1, 2, -1));
    SEE(get(1, 2, -1));
}

RULE(interrupted, "io_getevents(2)", "a signal ends the wait with EINTR, SA_RESTART or not; with what there is, if it is something")
{
    set_up();
    SEE_BLOCKED(get(1, MOST, -1));
    submit(1);
    count_signal(SIGALRM, SA_RESTART);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 20000}, NULL);
    SEE(get(2, MOST, -1));
    SEE(signals_counted);
}

RULE(errors, "io_getevents(2)", "EINVAL for a context that there is not, and for more than there is room for")
{
    set_up();
    SEE(get(3, 2, -1));
    SEE(get(-1, 2, -1));
    SEE(syscall(SYS_io_getevents, context, 1L, 1L, events, (void *)16));
    SEE(syscall(SYS_io_destroy, context));
    SEE(get(1, 1, 20));
    SEE(syscall(SYS_io_destroy, context));
}
