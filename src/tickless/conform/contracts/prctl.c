/* prctl(2): names, death signals, subreapers, dumpability, timer slack, and what a child and a new program keep. */
#include "contract.h"
#include <stdio.h>
#include <sys/prctl.h>

#define NOWHERE 16L

static long call(long option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return syscall(SYS_prctl, option, a, b, c, d);
}

static const char *name_now(void)
{
    static char name[17];
    memset(name, 0, sizeof name);
    call(PR_GET_NAME, (unsigned long)name, 0, 0, 0);
    return name;
}

static int status_of(pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

RULE(unknown_option, "prctl(2)", "EINVAL for an option that is not there")
{
    SEE(call(999999, 0, 0, 0, 0));
    SEE(call(-1, 0, 0, 0, 0));
    SEE(call(0, 0, 0, 0, 0));
}

RULE(long_names, "PR_SET_NAME(2const)", "a name is cut after 15 bytes; the empty one is fine; EFAULT")
{
    SEE(call(PR_SET_NAME, (unsigned long)"0123456789abcdefgh", 0, 0, 0));
    observed("name", "<%s>", name_now());
    SEE(call(PR_SET_NAME, (unsigned long)"", 0, 0, 0));
    observed("name", "<%s>", name_now());
    SEE(call(PR_SET_NAME, NOWHERE, 0, 0, 0));
    SEE(call(PR_GET_NAME, NOWHERE, 0, 0, 0));
    SEE(call(PR_SET_NAME, (unsigned long)"more", 1, 2, 3));
}

RULE(names_of_children, "PR_SET_NAME(2const)", "a child has the name of its parent, /proc shows it")
{
    call(PR_SET_NAME, (unsigned long)"parent", 0, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        char comm[20] = "";
        int fd = open("/proc/self/comm", O_RDONLY);
        if (read(fd, comm, sizeof comm - 1) < 0)
            comm[0] = '?';
        comm[strcspn(comm, "\n")] = 0;
        observed("comm", "%s", comm);
        observed("name", "<%s>", name_now());
        call(PR_SET_NAME, (unsigned long)"child", 0, 0, 0);
        _exit(0);
    }
    status_of(child);
    observed("parent", "%s", name_now());
}

static int told;

RULE(death_signal_arguments, "PR_SET_PDEATHSIG(2const)", "EINVAL above the last signal, 0 clears; EFAULT for a bad address")
{
    SEE(call(PR_SET_PDEATHSIG, 65, 0, 0, 0));
    SEE(call(PR_SET_PDEATHSIG, -1, 0, 0, 0));
    SEE(call(PR_SET_PDEATHSIG, SIGUSR1, 1, 2, 3));
    SEE(call(PR_GET_PDEATHSIG, (unsigned long)&told, 0, 0, 0));
    observed("told", "%s", signal_name(told));
    SEE(call(PR_SET_PDEATHSIG, 0, 0, 0, 0));
    SEE(call(PR_GET_PDEATHSIG, (unsigned long)&told, 0, 0, 0));
    SEE(told);
    SEE(call(PR_GET_PDEATHSIG, NOWHERE, 0, 0, 0));
}

RULE(death_signal_of_children, "PR_SET_PDEATHSIG(2const)", "a child does not inherit it")
{
    call(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        call(PR_GET_PDEATHSIG, (unsigned long)&told, 0, 0, 0);
        _exit(told);
    }
    SEE(status_of(child));
}

RULE(death_signal_comes, "PR_SET_PDEATHSIG(2const)", "it comes when the parent ends, even if a subreaper takes over")
{
    int ready[2];
    if (pipe(ready) < 0)
        cannot_start("pipe");
    SEE(call(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    pid_t child = fork();
    if (child == 0) {
        pid_t parent = getpid(), grandchild = fork();
        if (grandchild == 0) {
            sigset_t set;
            siginfo_t info;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            sigprocmask(SIG_BLOCK, &set, NULL);
            call(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0);
            close(ready[1]);
            _exit(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_pid == parent && info.si_code == SI_USER ? 7 : 1);
        }
        until_asleep(grandchild);
        _exit(0);
    }
    SEE(status_of(child));
    close(ready[1]);
    char byte;
    SEE(read(ready[0], &byte, 1));
    int status;
    SEE(wait(&status) > 0);
    observed("grandchild", "%s", status_name(status));
}

RULE(subreaper, "PR_SET_CHILD_SUBREAPER(2const)", "anything but 0 is yes; a child does not inherit it; what is left over is ignored")
{
    SEE(call(PR_GET_CHILD_SUBREAPER, (unsigned long)&told, 0, 0, 0));
    SEE(told);
    SEE(call(PR_SET_CHILD_SUBREAPER, 42, 1, 2, 3));
    SEE(call(PR_GET_CHILD_SUBREAPER, (unsigned long)&told, 1, 2, 3));
    SEE(told);
    SEE(call(PR_GET_CHILD_SUBREAPER, NOWHERE, 0, 0, 0));
    pid_t child = fork();
    if (child == 0) {
        call(PR_GET_CHILD_SUBREAPER, (unsigned long)&told, 0, 0, 0);
        _exit(told);
    }
    SEE(status_of(child));
}

RULE(dumpable, "PR_SET_DUMPABLE(2const)", "0 and 1 only; it starts as 1")
{
    SEE(call(PR_GET_DUMPABLE, 0, 0, 0, 0));
    SEE(call(PR_SET_DUMPABLE, 0, 0, 0, 0));
    SEE(call(PR_GET_DUMPABLE, 1, 2, 3, 4));
    SEE(call(PR_SET_DUMPABLE, 2, 0, 0, 0));
    SEE(call(PR_SET_DUMPABLE, -1, 0, 0, 0));
    SEE(call(PR_SET_DUMPABLE, 1, 9, 9, 9));
    SEE(call(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

RULE(keepcaps, "PR_SET_KEEPCAPS(2const)", "0 and 1 only")
{
    SEE(call(PR_GET_KEEPCAPS, 0, 0, 0, 0));
    SEE(call(PR_SET_KEEPCAPS, 2, 0, 0, 0));
    SEE(call(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    SEE(call(PR_GET_KEEPCAPS, 0, 0, 0, 0));
}

RULE(timer_slack, "PR_SET_TIMERSLACK(2const)", "a value of 0 goes back to what the thread began with; a child begins with its parent's")
{
    SEE(call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    SEE(call(PR_SET_TIMERSLACK, 7000, 0, 0, 0));
    SEE(call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    pid_t child = fork();
    if (child == 0) {
        SEE(call(PR_SET_TIMERSLACK, 9000, 0, 0, 0));
        SEE(call(PR_SET_TIMERSLACK, 0, 0, 0, 0));
        SEE(call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
        _exit(0);
    }
    status_of(child);
    SEE(call(PR_SET_TIMERSLACK, 0, 0, 0, 0));
    SEE(call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
}

RULE(no_new_privileges, "PR_SET_NO_NEW_PRIVS(2const)", "1 only, other arguments 0; never taken back; a child has it")
{
    SEE(call(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SEE(call(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    SEE(call(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SEE(call(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SEE(call(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    pid_t child = fork();
    if (child == 0)
        _exit(call(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SEE(status_of(child));
}

RULE(timing, "PR_SET_TIMING(2const)", "statistical timing is all there is")
{
    SEE(call(PR_GET_TIMING, 0, 0, 0, 0));
    SEE(call(PR_SET_TIMING, 0, 0, 0, 0));
    SEE(call(PR_SET_TIMING, 1, 0, 0, 0));
}

RULE(huge_pages, "PR_SET_THP_DISABLE(2const)", "it can be read back; unused arguments have to be 0")
{
    SEE(call(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    SEE(call(PR_SET_THP_DISABLE, 1, 0, 0, 1));
    SEE(call(PR_GET_THP_DISABLE, 1, 0, 0, 0));
    SEE(call(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    SEE(call(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

RULE(tid_address, "PR_GET_TID_ADDRESS(2const)", "set_tid_address gives the thread's id, and never fails")
{
    int word;
    SEE(syscall(SYS_set_tid_address, &word) == getpid());
    SEE(syscall(SYS_set_tid_address, NOWHERE) == getpid());
    SEE(syscall(SYS_set_tid_address, NULL) == getpid());
}

RULE(capabilities, "PR_CAPBSET_READ(2const)", "EINVAL for a capability that is not there")
{
    SEE(call(PR_CAPBSET_READ, 64, 0, 0, 0));
    SEE(call(PR_CAPBSET_READ, -1, 0, 0, 0));
    SEE(call(47, 1, 99, 0, 0));
    SEE(call(47, 9, 0, 0, 0));
    SEE(call(47, 4, 1, 0, 0));
}

RULE(machine_checks, "PR_MCE_KILL(2const)", "unused arguments have to be 0; the default is 2")
{
    SEE(call(PR_MCE_KILL_GET, 0, 0, 0, 0));
    SEE(call(PR_MCE_KILL_GET, 1, 0, 0, 0));
    SEE(call(PR_MCE_KILL, 5, 0, 0, 0));
    SEE(call(PR_MCE_KILL, 1, 3, 0, 0));
    SEE(call(PR_MCE_KILL, 0, 0, 1, 0));
}
