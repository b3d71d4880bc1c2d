#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts what lies in /srv/setup where a server looks for it, and makes the disk's metadata. Nothing runs yet.
set -e
cd /srv/setup
install -m 644 r0.res /etc/drbd.conf
install -m 644 corosync.conf /etc/corosync/corosync.conf
install -m 644 sbd /etc/default/sbd
install -m 644 main.cf /etc/postfix/main.cf
install -m 644 dovecot.conf /etc/dovecot/dovecot.conf
install -m 644 mail-postfix.service /etc/systemd/system/mail-postfix.service
# The queue is on the replicated disk: no part of the server may have a root of its own.
sed -i -E 's/^(([^#[:space:]]+[[:space:]]+){4})y/\1n/' /etc/postfix/master.cf
mkdir -p /srv/mail
CIB_file=/var/lib/pacemaker/cib/cib.xml
export CIB_file
if [ -e cib.xml ]; then
	cp cib.xml "$CIB_file"
else
	cibadmin --empty >"$CIB_file"
	crm -F configure load replace cluster.crm
	cp "$CIB_file" cib.xml
fi
chown hacluster:haclient "$CIB_file"
chmod 600 "$CIB_file"
drbdadm create-md r0 --force
drbdadm up r0
systemctl daemon-reload
