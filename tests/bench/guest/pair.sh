#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two resources in one kernel that replicate to each other over 127.0.0.1, on RAM disks:
#   pair fill MIB                        RAM disks with every page allocated
#   pair memory MODULE SIZE              what the module takes for a volume of that size
#   pair run MODULE FOLDER JOB ARG...    sets up, syncs, runs jobs, takes all down
#   pair large MODULE FOLDER SIZE        attaches thin volumes of that size, exchanges their bitmaps
#   pair join MODULE, pair leave MODULE  sets up the other machine of two, takes it down
# MODULE is tandem, drbd, bare, or the path of a module that takes the commands of one of them. For
# "run", a job is the name of its result and what to do (see do_job). Results go to FOLDER. With
# addresses in OWN and PEER there is one resource here, and the other on that machine.
set -eu
address=ipv4:127.0.0.1
numbers="0 1" paths=("$address:7788 $address:7789" "$address:7789 $address:7788")
[ -z "${PEER:-}" ] || numbers=0 paths=("ipv4:$OWN:7788 ipv4:$PEER:7788")

as() {
	module=$1 device=/dev/drbd0 load="modprobe drbd"
	case $1 in
	tandem) load="insmod /payload/tandem.ko" ;;
	bare) device=/dev/ram0 ;;
	/*)
		module=$(modinfo -F name "$1") load="insmod $1"
		# What modprobe would have loaded before.
		modprobe -qa lru_cache libcrc32c || true
		;;
	esac
	load+=" usermode_helper=disabled"
	setup=drbdsetup meta=drbdmeta
	[ "$module" != tandem ] || setup="tandem setup" meta="tandem meta"
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
	local number
	for number in $numbers; do $setup connect "r$number" ${paths[number]} "$@"; done
}

disconnect() {
	local number
	for number in $numbers; do $setup disconnect ${paths[number]}; done
}

wait_connected() {
	local number
	for number in $numbers; do $setup wait-connect "$number"; done
}

# Looks for the peer as all jobs have it.
meet() {
	connect --protocol="${PROTOCOL:-C}" --max-buffers=20000 --verify-alg=crc32c
}

# passes FILE COMMAND...: both disks are equal some time after that command. The kernel's messages
# of it, which tell the states with their times, go to FILE. Looking costs little of that time.
passes() {
	local file=$1
	shift
	dmesg --clear
	"$@"
	sleep 1
	until grep -q '^ 0: cs:Connected .*UpToDate/UpToDate' /proc/drbd; do sleep 0.3; done
	dmesg >"$file"
}

# Loads the module, attaches fresh RAM disks and looks for the peer.
load() {
	local number
	$load
	for number in $numbers; do
		create_md "$number" "/dev/ram$number"
		attach "$number" "/dev/ram$number"
	done
	meet
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

# Two thin volumes of that size, at /dev/loop0 and /dev/loop1.
make_thin() {
	modprobe loop max_loop=2
	for number in 0 1; do
		truncate -s "$1" /tmp/volume$number
		losetup /dev/loop$number /tmp/volume$number
	done
}

# fresh_thin NUMBER: fresh metadata on a thin volume. It is written once in each boot, as its bitmap
# is large, and kept without the zeroes.
fresh_thin() {
	if [ ! -e /run/thin ]; then
		create_md "$1" "/dev/loop$1"
		losetup -d "/dev/loop$1"
		cp --sparse=always "/tmp/volume$1" /run/thin
	else
		losetup -d "/dev/loop$1"
	fi
	cp --sparse=always /run/thin "/tmp/volume$1"
	losetup "/dev/loop$1" "/tmp/volume$1"
}

end_thin() {
	losetup -d /dev/loop0 /dev/loop1
	rm /tmp/volume?
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
	make_thin "$2"
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
	end_thin
}

# The nodes have 100 blocks to tell of, which are all over the volume.
large() {
	as "$1"
	make_thin "$3"
	$load
	for number in 0 1; do fresh_thin $number; done
	dmesg --clear
	for number in 0 1; do attach $number /dev/loop$number; done
	dmesg >"$2/attach-16t.log"
	meet
	wait_connected
	$setup new-current-uuid 0 --clear-bitmap
	$setup primary 0
	disconnect
	fio --name=write --filename=$device --direct=1 --rw=randwrite --bs=4k --number_ios=100 \
		--norandommap --random_generator=tausworthe64 >/dev/null
	passes "$2/exchange-16t.log" meet
	unload
	end_thin
}

apart=
part() {
	[ "$module" = bare ] || [ -n "$apart" ] || disconnect
	apart=yes
}

# do_job RESULT WHAT: fio's arguments, joined by commas; "alone:" before them lets it write while
# there is no peer. Or "resync", which the set-up did; "verify"; or "scattered", a resync of 1 %.
do_job() {
	case $2 in
	resync) ;;
	verify) passes "$1.log" $setup verify 0 ;;
	scattered)
		part
		fio --name=write --filename=$device --direct=1 --rw=randwrite --bs=4k \
			--io_size=$((sectors / 800 * 4096)) >/dev/null
		passes "$1.log" meet
		apart=
		;;
	alone:*)
		part
		do_job "$1" "${2#alone:}"
		;;
	*)
		fio --name=job --filename=$device --direct=1 --ioengine=libaio --norandommap \
			--output-format=json --output="$1.json" ${2//,/ }
		;;
	esac
}

run() {
	as "$1"
	local folder=$2 sectors
	shift 2
	if [ "$module" != bare ]; then
		load
		wait_connected
		passes "$folder/resync.log" $setup primary 0 --force
		sectors=$(cat /sys/block/drbd0/size)
		echo "$sectors" >"$folder/sectors"
		# Every extent of the activity log is active before anything is measured.
		fio --name=warm --filename=$device --direct=1 --rw=write:4092k --bs=4k \
			--io_size=$((sectors / 8192 * 4096)) >/dev/null
	fi
	while [ $# -gt 0 ]; do
		do_job "$folder/$1" "$2"
		shift 2
	done
	[ "$module" = bare ] || unload
}

"$@"
