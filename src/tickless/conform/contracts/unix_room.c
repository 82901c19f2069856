/* unix(7): when a write to a socket waits. poll(2) wants three quarters of the send buffer to be free, a write any of it. */
#include "contract.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char bytes[1 << 14];
static int pair[2];

static void make(int kind)
{
    int smallest = 0;
    if (socketpair(AF_UNIX, kind, 0, pair) < 0)
        cannot_start("socketpair");
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
}

static int is_writable(void)
{
    struct pollfd entry = {pair[0], POLLOUT, 0};
    return poll(&entry, 1, 0);
}

/* Waits only once the buffer is full; whether it is, poll(2) does not tell. */
static void fill(int kind)
{
    make(kind);
    SEE(write(pair[0], bytes, 1000));
    SEE(is_writable());
    SEE_BLOCKED(write(pair[0], bytes, 1000));
    SEE_BLOCKED(write(pair[0], bytes, 1000));
}

RULE(stream, "unix(7)", "a write to a stream goes on though poll says no, until its buffer is full")
{
    fill(SOCK_STREAM);
}

RULE(datagrams, "unix(7)", "so does one of a datagram")
{
    fill(SOCK_DGRAM);
}

RULE(packets, "unix(7)", "so does one of a packet in sequence")
{
    fill(SOCK_SEQPACKET);
}

RULE(messages, "unix(7)", "so does sendmsg, also with a descriptor")
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {bytes, 1000};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    make(SOCK_STREAM);
    memcpy(CMSG_DATA(header), pair, sizeof(int));
    SEE(write(pair[0], bytes, 1000));
    SEE(is_writable());
    SEE_BLOCKED(sendmsg(pair[0], &message, 0));
    SEE_BLOCKED(sendmsg(pair[0], &message, 0));
}

RULE(nothing, "unix(7)", "a write of 0 bytes to a full stream gives 0; a datagram of 0 bytes waits for room as any other")
{
    make(SOCK_STREAM);
    SEE(write(pair[0], bytes, 1000));
    SEE(write(pair[0], bytes, 1000));
    SEE_BLOCKED(write(pair[0], bytes, 0));
    make(SOCK_DGRAM);
    SEE(write(pair[0], bytes, 1000));
    SEE(write(pair[0], bytes, 1000));
    SEE_BLOCKED(write(pair[0], bytes, 0));
}

RULE(too_long, "unix(7)", "a datagram that no empty buffer would take is EMSGSIZE, also while the buffer is full")
{
    static const int kinds[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) {
        make(kinds[i]);
        SEE(write(pair[0], bytes, 1000));
        SEE(write(pair[0], bytes, 1000));
        SEE_BLOCKED(write(pair[0], bytes, 4608));
        SEE_BLOCKED(send(pair[0], bytes, 4576, 0));
    }
}
