# The clock of virtual time, as it stands in each address space's own copy of the vDSO: vdso(7).
# scripts/assemble_vdso.py turns it into vdso_code.py; vdso.py puts it in place.
#
# It reads and advances five 64-bit cells of the same address space, whose address replaces CELLS:
    .set NOW, 0             # CLOCK_MONOTONIC in ns; the next read returns this
    .set REALTIME, 8        # what CLOCK_REALTIME is ahead of it
    .set BOOTTIME, 16       # what CLOCK_BOOTTIME is ahead of it
    .set STEP, 24           # what one read advances NOW by
    .set LIMIT, 32          # from here on a read is a system call: the supervisor decides
    .set CELLS, 0x1122334455667788
#
# Leaf code without a stack frame, so CFA = rsp+8 at any instruction. rdi and rsi keep the arguments until the last
# cell was read, so a fault on a cell can be repaired by going on at the function's system call. One xadd without a
# lock prefix: all tasks run on one CPU, and a signal handler may read the clock between any two instructions.

    .intel_syntax noprefix

    .set CLOCK_BOOTTIME, 7
    .set CLOCK_TAI, 11
    .set SERVED, 0x8f3          # 1 << clock: REALTIME, MONOTONIC, MONOTONIC_RAW, both COARSE, BOOTTIME, TAI
    .set REALTIME_CLOCKS, 0x821 # REALTIME, REALTIME_COARSE, TAI

    .macro read_clock late      # rax = NOW, r8 = the cells; NOW has moved on by STEP
    movabs r8, CELLS
    mov rax, [r8+STEP]
    xadd [r8+NOW], rax
    cmp rax, [r8+LIMIT]
    jae \late
    .endm

    .macro split                # rax in ns: rax = seconds, rdx = the rest in ns
    xor edx, edx
    mov ecx, 1000000000
    div rcx
    .endm

    .macro system_call number
    mov eax, \number
    syscall
    ret
    .endm

clock_gettime:                  # int (clockid_t edi, struct timespec *rsi)
    cmp edi, CLOCK_TAI
    ja clock_gettime_call       # negative, ALARM or AUX clocks
    mov eax, SERVED
    bt eax, edi
    jnc clock_gettime_call      # CPU time
    read_clock clock_gettime_late
    mov ecx, REALTIME_CLOCKS
    bt ecx, edi
    jnc 1f
    add rax, [r8+REALTIME]
1:  cmp edi, CLOCK_BOOTTIME
    jne 2f
    add rax, [r8+BOOTTIME]
2:  split
    mov [rsi], rax              # a bad pointer is SIGSEGV, as in the kernel's vDSO
    mov [rsi+8], rdx
    xor eax, eax
    ret
clock_gettime_call:
    system_call 228
clock_gettime_late:             # a system call of its own: its address says that NOW already has this read's STEP
    system_call 228

gettimeofday:                   # int (struct timeval *rdi, struct timezone *rsi)
    test rdi, rdi
    jz 1f
    read_clock gettimeofday_late
    add rax, [r8+REALTIME]
    split
    mov [rdi], rax
    mov eax, edx
    xor edx, edx
    mov ecx, 1000
    div ecx
    mov [rdi+8], rax
1:  test rsi, rsi
    jz 2f
    mov qword ptr [rsi], 0      # UTC
2:  xor eax, eax
    ret
gettimeofday_late:
    system_call 96

time:                           # time_t (time_t *rdi)
    read_clock time_late
    add rax, [r8+REALTIME]
    split
    test rdi, rdi
    jz 1f
    mov [rdi], rax
1:  ret
time_late:
    system_call 201

clock_getres:                   # int (clockid_t edi, struct timespec *rsi)
    system_call 229

getrandom:                      # -ENOSYS: libc then makes the system call
    mov rax, -38
    ret
