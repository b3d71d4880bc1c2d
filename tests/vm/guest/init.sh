#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Process 1 of a guest. /payload/config (shell variables, written by the harness at each boot) says
# who this machine is; /payload holds what was built from the checkout.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts /dev/shm /run/lock /var/lock
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t debugfs debug /sys/kernel/debug
ln -sfn /proc/self/fd /dev/fd
. /payload/config

echo "$NODE" | tee /etc/hostname >/proc/sys/kernel/hostname
echo "127.0.0.1 localhost" >/etc/hosts
for pair in $HOSTS; do
	echo "${pair#*:} ${pair%%:*}" >>/etc/hosts
done
ln -s vdb /dev/data1
ln -s vdc /dev/data2
[ -e /dev/vdd ] && ln -s vdd /dev/shared
# Modules of a kernel that the image does not know.
if [ -d /payload/modules ]; then
	ln -s /payload/modules "/lib/modules/$(uname -r)"
fi
for file in /payload/bin/*; do
	[ -e "$file" ] && ln -sf "$file" /usr/local/sbin/
done

ip link set lo up
if [ -n "$LINKS" ]; then
	modprobe virtio_net
	for link in $LINKS; do
		ip link set "${link%%:*}" up
		ip addr add "$ADDRESS" peer "${link#*:}" dev "${link%%:*}"
	done
fi

# The kernel rewrites its own code for these; see one-cpu, whose state this still is.
for here in 127.0.0.1 ::1; do
	(exec 3<>"/dev/tcp/$here/9") 2>/dev/null
done
tc qdisc add dev lo clsact

# From here on the console gets every message: what the driver says matters.
echo "tandem-vm: $NODE loads driver $DRIVER" >/dev/kmsg
echo 8 >/proc/sys/kernel/printk
/payload/load-driver >/run/load-driver.log 2>&1
echo $? >/run/load-driver.status
for other in /sys/devices/system/cpu/cpu[1-9]*/online; do
	[ -e "$other" ] && echo 1 >"$other"
done
[ -x /etc/rc.local ] && /etc/rc.local
echo "tandem-vm: $NODE ready" >/dev/kmsg
# Two agents: one for the harness, one for people who look in meanwhile.
if [ -z "$SERVER" ]; then
	/payload/serve people &
	/payload/serve harness &
	while :; do
		wait
	done
fi
modprobe i6300esb
umount /dev/shm /tmp
mkdir -p /run/systemd/system/sysinit.target.wants
cat >/run/systemd/system/serve@.service <<-'UNIT'
	[Unit]
	DefaultDependencies=no
	[Service]
	ExecStart=/payload/serve %i
	KillMode=process
UNIT
for name in people harness; do
	ln -s ../serve@.service "/run/systemd/system/sysinit.target.wants/serve@$name.service"
done
exec /usr/lib/systemd/systemd --show-status=0 --log-target=journal
