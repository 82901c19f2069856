#!/bin/bash
# own_cgroup.sh systemd_user.sh UNITS OUT NOTIFYD USER [PREFIX...]: systemd --user on the units in the folder UNITS.
# They write to the folder OUT; NOTIFYD is the program of notifyd.c; PREFIX comes before the manager, and makes it USER's.
set -eu
units=$1 out=$2 notifyd=$3 user=$4
shift 4
mkdir -p /run/test/units /run/test/out # USER may not be let into the folders above them
mount --bind "$units" /run/test/units
mount --bind "$out" /run/test/out
cp -r "$(dirname "$0")/../../examples/systemd/base" /run/test/base
cp "$notifyd" /run/test/notifyd
cp "$(dirname "$0")/drive.sh" /run/test
mkdir -p /run/systemd/system /run/user/0 # without the first it says that the system was not booted with systemd
chmod 700 /run/user/0
# A user manager logs to the console, never to stderr. Standard output is to be a terminal.
mount --bind "$(readlink /proc/$$/fd/1)" /dev/console
chown "$user" /run/user/0 /run/test/out /dev/console /sys/fs/cgroup /sys/fs/cgroup/cgroup.{procs,subtree_control,threads}
exec env -i PATH=/usr/bin:/bin HOME=/run/user/0 XDG_RUNTIME_DIR=/run/user/0 LANG=C.UTF-8 TZ=UTC OUT=/run/test/out \
    NOTIFYD=/run/test/notifyd DRIVE=/run/test/drive.sh \
    SYSTEMD_UNIT_PATH=/run/test/units:/run/test/base SYSTEMD_GENERATOR_PATH=/nonexistent \
    SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent \
    SYSTEMD_LOG_LEVEL=info SYSTEMD_LOG_COLOR=0 SYSTEMD_LOG_TIME=0 SYSTEMD_LOG_TARGET=console \
    "$@" /lib/systemd/systemd --user --unit=basic.target --default-standard-output=null --default-standard-error=null
