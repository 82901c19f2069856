"""What a user can do about each thing that tickless does not serve, by id: the last part of docs/coverage.md."""

# Ids that no program under a host can get: they are for programs on the bare kernel.
WITHOUT_HOST = {"TL112", "TL430", "TL441"}

# What is told, but refused to nobody: what it is, and what to do.
TOLD = {
    "TL502": (
        "waiting in a call that nobody foresaw",
        "The call goes on in Linux and comes to its end, but the clock may jump meanwhile. The line names the call: "
        "please report it.",
    ),
    "TL503": (
        "computing for a second, without a call, while a deadline is pending",
        "Computing takes no virtual time, so a loop that waits for another thread or a timer without a call would "
        "never end. From then on the clock jumps to the next deadline with every 10 ms of CPU time, and the run may "
        "not repeat itself. Let the loop read the clock or call sched_yield.",
    ),
    "TL513": (
        "a program that its user may not read",
        "Linux lets an ordinary user execute it, but not look into it, which is what tickless has to do. The process "
        "is killed. Run tickless as root, or make the file readable.",
    ),
    "TL514": (
        "a 32-bit program",
        "Its calls have other numbers and other structures, and none is served. The process is killed before its first "
        "instruction. Build it for 64 bits.",
    ),
}

WHAT_TO_DO = {
    "TL110": "Watch queues carry events of the host's kernel. Its makers fall back when pipe2 fails: ENOPKG is what a "
    "kernel gives that was built without them.",
    "TL113": "No program is known that locks a pipe. Locks on files are served.",
    "TL120": "Pipes live in tickless, which must not wait for a terminal itself. Programs that splice have a path with "
    "read and write for files that cannot: EINVAL leads there. Other files, sockets and FIFOs are spliced.",
    "TL130": "Completions would arrive in memory, past the clock. Libraries fall back to epoll, as on an older kernel; "
    "some take a switch (libuv: UV_USE_IO_URING=0).",
    "TL131": "Linux knows files of tickless as placeholders only. Let the operation be on a file of Linux, and wait "
    "for it with io_getevents.",
    "TL301": "In a pid namespace the numbers of the program would not be those that tickless sees. Start the program "
    "without it (systemd: PrivatePIDs=no; bubblewrap: no --unshare-pid), or start tickless inside.",
    "TL302": "The clocks are tickless's already: --start sets CLOCK_REALTIME.",
    "TL303": "rdtsc gives virtual time here, and a program that traps it by itself would get in the way.",
    "TL304": "As TL301.",
    "TL305": "As TL302.",
    "TL401": "glibc has not used it since 2.25; its condition variables work, also with priority inheritance mutexes.",
    "TL402": "As TL401.",
    "TL403": "Use a futex without a node.",
    "TL420": "The kernel's time zone is only used by old file systems. Set TZ.",
    "TL421": "Hardware clocks are the host's. Set CLOCK_REALTIME, or let --at SPAN:jump=SPAN do it.",
    "TL423": "The clock has no drift that would have to be slewed away: it is exact. An NTP daemon should be started "
    "in a mode that steps, or not at all.",
    "TL424": "As TL421.",
    "TL440": "All the CPU time of a thread can be timed, and that of any process of the run: CLOCK_THREAD_CPUTIME_ID, "
    "CLOCK_PROCESS_CPUTIME_ID.",
    "TL501": "A thread waited in a call for a file whose number another thread has closed and reused. Let it end its "
    "waits before it closes: on Linux, too, such a close is an error in most programs.",
    "TL505": "Sockets, terminals and the like are watched by way of pidfd_getfd(2), which some containers forbid: "
    "`docker run --cap-add=SYS_PTRACE`. `tickless doctor` says whether it is that; otherwise the task is not dumpable.",
    "TL510": "Open one end: O_RDONLY or O_WRONLY.",
    "TL511": "A task is traced by tickless already, and Linux allows one tracer. Debug the program without tickless, "
    "or read its trace (-o).",
    "TL512": "Linux allows one listener for a process, and that is tickless's. Run the program without its supervisor "
    "of calls, or that without tickless.",
    "TL601": "tickless keeps a file descriptor for each virtual file of the run. Raise the hard limit before you start "
    "it: ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of a container.",
    "TL602": "tickless keeps two file descriptors for each process of the run: as TL601.",
    "TL603": "Pipes hold their bytes in tickless, and each file, task and timer takes some. Give it more: ulimit -v, "
    "LimitAS= of systemd, --memory of a container.",
    "TL604": "tickless may have no more file descriptors than the program, and needs some itself: as TL601.",
}
