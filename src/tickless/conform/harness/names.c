/* What numbers are called, the same in every libc. */
#include "contract.h"
#include <poll.h>
#include <stdio.h>

#define NAME(constant) {constant, #constant}
#define COUNT_OF(table) (sizeof(table) / sizeof *(table))

struct named {
    int number;
    const char *name;
};

static const struct named errors[] = {
    NAME(EPERM), NAME(ENOENT), NAME(ESRCH), NAME(EINTR), NAME(EIO), NAME(ENXIO), NAME(E2BIG), NAME(ENOEXEC),
    NAME(EBADF), NAME(ECHILD), NAME(EAGAIN), NAME(ENOMEM), NAME(EACCES), NAME(EFAULT), NAME(ENOTBLK), NAME(EBUSY),
    NAME(EEXIST), NAME(EXDEV), NAME(ENODEV), NAME(ENOTDIR), NAME(EISDIR), NAME(EINVAL), NAME(ENFILE), NAME(EMFILE),
    NAME(ENOTTY), NAME(ETXTBSY), NAME(EFBIG), NAME(ENOSPC), NAME(ESPIPE), NAME(EROFS), NAME(EMLINK), NAME(EPIPE),
    NAME(EDOM), NAME(ERANGE), NAME(EDEADLK), NAME(ENAMETOOLONG), NAME(ENOLCK), NAME(ENOSYS), NAME(ENOTEMPTY),
    NAME(ELOOP), NAME(ENOMSG), NAME(EIDRM), NAME(ENODATA), NAME(ETIME), NAME(EPROTO), NAME(EBADMSG), NAME(EOVERFLOW),
    NAME(EILSEQ), NAME(EUSERS), NAME(ENOTSOCK), NAME(EDESTADDRREQ), NAME(EMSGSIZE), NAME(EPROTOTYPE),
    NAME(ENOPROTOOPT), NAME(EPROTONOSUPPORT), NAME(ESOCKTNOSUPPORT), NAME(EOPNOTSUPP), NAME(EPFNOSUPPORT),
    NAME(EAFNOSUPPORT), NAME(EADDRINUSE), NAME(EADDRNOTAVAIL), NAME(ENETDOWN), NAME(ENETUNREACH), NAME(ECONNABORTED),
    NAME(ECONNRESET), NAME(ENOBUFS), NAME(EISCONN), NAME(ENOTCONN), NAME(ESHUTDOWN), NAME(ETOOMANYREFS),
    NAME(ETIMEDOUT), NAME(ECONNREFUSED), NAME(EHOSTUNREACH), NAME(EALREADY), NAME(EINPROGRESS), NAME(ESTALE),
    NAME(EDQUOT), NAME(ECANCELED), NAME(EOWNERDEAD), NAME(ENOTRECOVERABLE),
};

static const struct named signals[] = {
    NAME(SIGHUP), NAME(SIGINT), NAME(SIGQUIT), NAME(SIGILL), NAME(SIGTRAP), NAME(SIGABRT), NAME(SIGBUS), NAME(SIGFPE),
    NAME(SIGKILL), NAME(SIGUSR1), NAME(SIGSEGV), NAME(SIGUSR2), NAME(SIGPIPE), NAME(SIGALRM), NAME(SIGTERM),
    NAME(SIGCHLD), NAME(SIGCONT), NAME(SIGSTOP), NAME(SIGTSTP), NAME(SIGTTIN), NAME(SIGTTOU), NAME(SIGURG),
    NAME(SIGXCPU), NAME(SIGXFSZ), NAME(SIGVTALRM), NAME(SIGPROF), NAME(SIGWINCH), NAME(SIGIO), NAME(SIGPWR),
    NAME(SIGSYS),
};

/* In the order in which they are printed. poll's and epoll's are the same numbers. */
static const struct named events[] = {
    {POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"},
    {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"}, {POLLWRNORM, "WRNORM"}, {POLLWRBAND, "WRBAND"},
    {POLLMSG, "MSG"}, {POLLRDHUP, "RDHUP"},
};

static const struct named any_code[] = {
    NAME(SI_USER), NAME(SI_KERNEL), NAME(SI_QUEUE), NAME(SI_TIMER), NAME(SI_MESGQ), NAME(SI_ASYNCIO), NAME(SI_SIGIO),
    NAME(SI_TKILL),
};

static const struct named child_codes[] = {
    NAME(CLD_EXITED), NAME(CLD_KILLED), NAME(CLD_DUMPED), NAME(CLD_TRAPPED), NAME(CLD_STOPPED), NAME(CLD_CONTINUED),
};

static const struct named io_codes[] = {
    NAME(POLL_IN), NAME(POLL_OUT), NAME(POLL_MSG), NAME(POLL_ERR), NAME(POLL_PRI), NAME(POLL_HUP),
};

static const char *name_in(const struct named *table, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].number == number)
            return table[i].name;
    return NULL;
}

/* A text that outlives the next few calls, so that one line can hold several. */
static const char *text(const char *format, int number)
{
    static _Thread_local char kept[8][32];
    static _Thread_local unsigned next;
    char *line = kept[next++ % 8];
    snprintf(line, sizeof kept[0], format, number);
    return line;
}

const char *errno_name(int error)
{
    const char *name = name_in(errors, COUNT_OF(errors), error);
    return name ? name : text("errno %d", error);
}

const char *signal_name(int signo)
{
    const char *name = name_in(signals, COUNT_OF(signals), signo);
    if (name)
        return name;
    return signo >= SIGRTMIN && signo <= SIGRTMAX ? text("SIGRTMIN+%d", signo - SIGRTMIN) : text("signal %d", signo);
}

const char *events_name(unsigned mask)
{
    static _Thread_local char kept[4][128];
    static _Thread_local unsigned next;
    char *line = kept[next++ % 4], *end = line;
    *end = 0;
    for (size_t i = 0; i < COUNT_OF(events); i++)
        if (mask & events[i].number) {
            end += sprintf(end, "%s%s", end == line ? "" : "|", events[i].name);
            mask &= ~events[i].number;
        }
    if (mask)
        sprintf(end, "%s0x%x", end == line ? "" : "|", mask);
    return *line ? line : "none";
}

const char *status_name(int status)
{
    static _Thread_local char line[64];
    if (WIFEXITED(status))
        sprintf(line, "exited %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        sprintf(line, "killed by %s", signal_name(WTERMSIG(status)));
    else if (WIFSTOPPED(status))
        sprintf(line, "stopped by %s", signal_name(WSTOPSIG(status)));
    else
        strcpy(line, WIFCONTINUED(status) ? "continued" : "of an unknown kind");
    return line;
}

const char *code_name(int signo, int code)
{
    const char *name = name_in(any_code, COUNT_OF(any_code), code);
    if (!name && signo == SIGCHLD)
        name = name_in(child_codes, COUNT_OF(child_codes), code);
    if (!name && code > 0)
        name = name_in(io_codes, COUNT_OF(io_codes), code);
    return name ? name : text("code %d", code);
}
