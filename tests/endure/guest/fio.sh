#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# fio.sh prepare|run|check PLACE KIND NUMBER: jobs of fio one after the other, each over one of some files of the folder
# PLACE, which it overwrites whole, with a checksum in each block.
#   run    reports each job that is done on the console, as one of cut NUMBER; KIND is "flushed" if that is after an
#          fsync, "completed" if it is as soon as the last write is completed
#   check  NUMBER is the last job that was reported: says "held N" when all jobs up to N, and none later, are there;
#          of job N+1 there may be a part
place=$2 kind=$3 number=$4
slots=4

# job N OPTIONS...: writes the blocks of job N, or verifies them.
job() {
	local n=$1
	shift
	fio --name=job --filename="$place/slot$((n % slots))" --size=1m --rw=randwrite --bs=4k --ioengine=libaio \
		--iodepth=16 --direct=1 --verify=crc32c --randseed="$n" --overwrite=1 --output=/run/fio.log "$@" \
		>/dev/null 2>&1
}

# latest N SLOT: the last job up to N that writes that file; 0 if none does.
latest() {
	local n=$(($1 - ($1 - $2 + slots) % slots))
	echo $((n > 0 ? n : 0))
}

# holds SLOT: the job whose blocks that file has; 0 if there is none.
holds() {
	local n tries
	n=$(latest $((number + 1)) "$1")
	for ((tries = 0; n > 0 && tries < 6; tries++, n -= slots)); do
		job "$n" --verify_only && echo "$n" && return
	done
	echo 0
}

case $1 in
prepare)
	for ((slot = 0; slot < slots; slot++)); do
		dd if=/dev/zero of="$place/slot$slot" bs=1M count=1 conv=fsync status=none || exit
	done
	sync -f "$place"
	;;
run)
	flush=--end_fsync=1
	[ "$kind" = completed ] && flush=--end_fsync=0
	n=0
	until [ -e /run/load.stop ]; do
		n=$((n + 1))
		if ! job $n --do_verify=0 $flush; then
			cat /run/fio.log
			exit 1
		fi
		echo "endure $number: did $n ." >/dev/kmsg
	done
	;;
check)
	held=() newest=0
	for ((slot = 0; slot < slots; slot++)); do
		held[slot]=$(holds $slot)
		[ "${held[slot]}" -gt $newest ] && newest=${held[slot]}
	done
	for ((slot = 0; slot < slots; slot++)); do
		[ "${held[slot]}" = "$(latest $newest $slot)" ] && continue
		# The one that was under way.
		[ $slot = $(((newest + 1) % slots)) ] && [ "${held[slot]}" = 0 ] && continue
		echo "file $slot has job ${held[slot]}; all have: ${held[*]}; $number was reported" >&2
		exit 1
	done
	echo "held $newest"
	;;
esac
