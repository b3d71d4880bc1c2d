#!/busybox sh
# SPDX-License-Identifier: GPL-2.0
# First program of a guest, in the initial file system: reaches the shared, read-only root disk,
# lays a memory file system over it and hands over to the payload's init.
b=/busybox
$b mkdir -p /dev /base /over /new
$b mount -t devtmpfs dev /dev
# The debug kernel has none: what it boots with is built in.
for module in /early/*.ko; do
	[ -e "$module" ] && $b insmod "$module"
done
$b mount -t ext4 -o ro,noatime /dev/vda /base || $b poweroff -f
. /payload/config
# A server keeps what it writes to its root, another machine forgets it.
if [ -n "$SERVER" ]; then
	$b mount -t ext4 -o noatime /dev/vdc /over || $b poweroff -f
else
	$b mount -t tmpfs -o size=60% over /over
fi
$b mkdir -p /over/upper /over/work
$b mount -t overlay -o lowerdir=/base,upperdir=/over/upper,workdir=/over/work over /new
$b rm -rf /new/payload/*
$b mv /payload/* /new/payload/
$b mount -o move /dev /new/dev
exec $b switch_root /new /payload/init
