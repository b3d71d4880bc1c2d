#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# On one of the two servers, when both disks are connected: makes the file system with the places of the
# mail server, and the disk by which a server is told to reset itself.
set -e
drbdadm new-current-uuid --clear-bitmap r0
drbdadm primary r0
mke2fs -q -t ext4 -E nodiscard,lazy_journal_init=1 /dev/drbd0
mount /dev/drbd0 /srv/mail
mkdir -p /srv/mail/spool /srv/mail/state
install -d -o 5000 -g 5000 /srv/mail/boxes
chown postfix /srv/mail/state
postfix check
umount /srv/mail
drbdadm secondary r0
sbd -d /dev/shared -1 8 -4 16 create
sbd -d /dev/shared allocate a
sbd -d /dev/shared allocate b
