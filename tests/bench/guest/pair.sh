#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two resources in one kernel that replicate to each other over 127.0.0.1, on RAM disks:
#   pair fill MIB                        RAM disks with every page allocated
#   pair memory MODULE SIZE              what the module takes for a volume of that size
#   pair run MODULE FOLDER JOB ARG...    sets up, syncs, runs fio jobs, takes all down
#   pair join MODULE, pair leave MODULE  sets up the other machine of two, takes it down
# For "run", a job is a name and one word of fio arguments joined by commas, or "resync -". MODULE
# is tandem, drbd or bare. Results go to FOLDER; the end of it to FOLDER/status. With addresses in
# OWN and PEER there is one resource here, and the other on that machine.
set -eu
address=ipv4:127.0.0.1
numbers="0 1"
[ -z "${PEER:-}" ] || numbers=0

as() {
	module=$1 device=/dev/drbd0
	case $module in
	tandem) setup="tandem setup" meta="tandem meta" load="insmod /payload/tandem.ko usermode_helper=disabled" ;;
	drbd) setup=drbdsetup meta=drbdmeta load="modprobe drbd usermode_helper=disabled" ;;
	bare) device=/dev/ram0 ;;
	esac
}

# attach NUMBER DISK: a resource with one volume on that disk, with fresh metadata.
attach() {
	$setup new-resource "r$1"
	$setup new-minor "r$1" "$1" 0
	$setup attach "$1" "$2" "$2" internal --c-plan-ahead=0 --resync-rate=4G --c-min-rate=0
}

create_md() {
	$meta --force "$1" v08 "$2" internal create-md >/dev/null 2>&1
}

connect() {
	if [ -n "${PEER:-}" ]; then
		$setup connect r0 "ipv4:$OWN:7788" "ipv4:$PEER:7788" "$@"
	else
		$setup connect r0 $address:7788 $address:7789 "$@"
		$setup connect r1 $address:7789 $address:7788 "$@"
	fi
}

wait_connected() {
	local number
	for number in $numbers; do $setup wait-connect "$number"; done
}

# Loads the module, attaches fresh RAM disks and looks for the peer.
load() {
	local number
	$load
	for number in $numbers; do
		create_md "$number" "/dev/ram$number"
		attach "$number" "/dev/ram$number"
	done
	connect --protocol="$PROTOCOL" --max-buffers=20000
}

unload() {
	local number
	for number in $numbers; do $setup down "r$number"; done
	rmmod "$module"
}

join() {
	as "$1"
	load
}

leave() {
	as "$1"
	unload
}

fill() {
	modprobe brd rd_nr=2 rd_size=$(($1 * 1024))
	for disk in /dev/ram0 /dev/ram1; do
		dd if=/dev/zero of=$disk bs=1M count="$1" oflag=direct status=none
	done
}

# MiB of memory that is free when nothing is cached, with one digit.
unused() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	# This also empties the processors' own lists of free pages.
	echo 1 >/proc/sys/vm/compact_memory
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemFree:/ { printf "%s %.1f\n", "'"$1"'", $2 / 1024 }' /proc/meminfo
}

memory() {
	as "$1"
	local number
	modprobe loop max_loop=2
	for number in 0 1; do
		truncate -s "$2" /tmp/volume$number
		losetup /dev/loop$number /tmp/volume$number
	done
	# Loaded once before, so that what the module leaves cached is not counted.
	$load && rmmod "$module"
	unused before
	$load
	unused loaded
	for number in 0 1; do create_md $number /dev/loop$number; done
	unused formatted
	for number in 0 1; do attach $number /dev/loop$number; done
	unused attached
	connect
	wait_connected
	unused connected
	unload
	unused unloaded
	losetup -d /dev/loop0 /dev/loop1
	rm /tmp/volume?
}

run() {
	as "$1"
	local folder=$2
	shift 2
	if [ "$module" != bare ]; then
		load
		wait_connected
		dmesg --clear
		$setup primary 0 --force
		until grep -q '^ 0: cs:Connected .*UpToDate/UpToDate' /proc/drbd; do sleep 0.1; done
		dmesg >"$folder/resync.log"
		cp /sys/block/drbd0/size "$folder/sectors"
	fi
	# Every extent of the activity log is active before anything is measured.
	[ "$module" = bare ] || fio --name=warm --filename=$device --direct=1 --rw=write:4092k --bs=4k \
		--io_size=$(($(cat "$folder/sectors") / 8192 * 4096)) >/dev/null
	while [ $# -gt 0 ]; do
		[ "$2" = - ] || fio --name="$1" --filename=$device --direct=1 --ioengine=libaio \
			--norandommap --output-format=json --output="$folder/$1.json" ${2//,/ }
		shift 2
	done
	[ "$module" = bare ] || unload
}

"$@"
