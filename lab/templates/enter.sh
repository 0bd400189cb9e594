#!/bin/sh
# Runs inside fresh mount and host-name namespaces: enter.sh HOSTS_FILE HOST_NAME COMMAND...
# Nothing of the machine's own /etc/hosts or name is touched. Children that lose their parent are reaped by the kernel.
set -e
mount --bind "$1" /etc/hosts
echo "$2" >/proc/sys/kernel/hostname
shift 2
# slurmd starts slurmstepd by a path that was compiled in: an unpacked Slurm lays its own over it.
if [ -n "$LAB_STEPD" ]; then
  mount --bind "$LAB_STEPD" "$(readlink -f /usr/sbin/slurmstepd)"
fi
if [ "$1" = "keep" ]; then
  trap '' CHLD
  exec sleep infinity
fi
exec "$@"
