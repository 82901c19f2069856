#!/bin/bash
# own_cgroup.sh COMMAND [ARG...]: run COMMAND in a new cgroup and in new cgroup, pid and mount namespaces.
# The order matters. A manager that finds itself in the machine's root group moves every process into a group of its
# own: so first a new group, then into it, and only then the namespace.
set -euo pipefail
mount_point=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ -n "$mount_point" ] || { echo "own_cgroup.sh: no cgroup2 is mounted" >&2; exit 1; }
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
group=$mount_point${own%/}/tickless.$$
mkdir "$group"
trap 'find "$group" -depth -type d -exec rmdir {} \;' EXIT
status=0
# shellcheck disable=SC2016
sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" \
    unshare --mount --cgroup --pid --fork --kill-child --mount-proc -- sh -euc '
        mount -t cgroup2 none /sys/fs/cgroup # hides a hybrid tree
        grep -qx 0::/ /proc/self/cgroup
        [ "$(wc -l </sys/fs/cgroup/cgroup.procs)" -le 9 ] # nobody but us
        mount -t tmpfs none /run
        "$@" || exit # this shell is PID 1, not COMMAND
        ' own_cgroup "$@" || status=$?
exit $status
