#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Brings a running guest back to what it was after its boot: nothing mounted, no resource, empty
# disks, the driver loaded anew. Fails when something cannot be undone; then only a boot helps.
. /payload/config
set -e
# A command may still hold what a failed case left.
for place in $(awk '$2 ~ "^/mnt" { print $2 }' /proc/mounts); do
	umount "$place"
done
for link in $LINKS; do
	tc qdisc del dev "${link%%:*}" root 2>/dev/null || true
	tc qdisc del dev "${link%%:*}" clsact 2>/dev/null || true
done
if [ -e /proc/drbd ]; then
	for resource in $(drbdsetup events2 --now all 2>/dev/null |
		sed -n 's/^exists resource name:\([^ ]*\) .*/\1/p'); do
		drbdsetup down "$resource"
	done
	/payload/one-cpu rmmod "$DRIVER"
fi
# Whoever writes to a device that is gone makes a file of its name; the next device would have none.
find /dev -maxdepth 1 -type f -name 'drbd*' -delete
dmsetup remove_all
for disk in /dev/data1 /dev/data2; do
	blkdiscard -f "$disk"
done
rm -rf /mnt/*/* /tmp/*
dmesg --clear
/payload/load-driver || {
	# Why the kernel did not take it, and whether something else is there.
	lsmod | grep -wE 'drbd|tandem' >&2
	dmesg >&2
	exit 1
}
