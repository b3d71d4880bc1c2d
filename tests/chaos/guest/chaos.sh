#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A node's part of a round of chaos.
# chaos.sh prepare OWN PEER SECTORS: six parts of the two data disks, with metadata, and their addresses.
# chaos.sh clients NODE COUNT SECONDS SEED: processes that give commands at random, so long, while it is noted which
#     states /proc/drbd shows; then says how many commands of each kind ended how, and what hung ("hung: COMMAND").
# chaos.sh states: all states that were noted since it was asked last.
# chaos.sh write MINOR: begins to write to a device, in blocks of random places and sizes, whatever comes of it.
# chaos.sh quiet MINOR: ends that; fails if a write does not end.
# chaos.sh written: how many writes were done and how many failed since it was asked last.
place=/run/chaos
# No command may take longer, in seconds. What it waits for at the peer has shorter limits.
limit=90
minors='0 1 2 3 4 5'
# A write is of so many blocks of 4 KiB at most, somewhere in the first so many.
blocks=64 range=3500

case $1 in prepare) mkdir -p $place && echo "$2 $3" >$place/addresses ;; esac
read -r own peer <$place/addresses

# One command, by Debian's tool or ours.
setup() {
	local begin=$SECONDS status tool='tandem setup'
	[ $((RANDOM % 2)) = 0 ] && tool=/lib/drbd/drbdsetup-84
	# shellcheck disable=SC2086
	timeout -k 5 $limit $tool "$@" >/dev/null 2>&1 </dev/null
	status=$?
	echo "$1 $status" >>$place/ended.$client
	case $status in
	124 | 137)
		{
			echo "hung: $tool $* ($((SECONDS - begin)) s)"
			cat /sys/kernel/debug/tandem/waiting /proc/drbd
		} >>$place/hung
		;;
	esac
}

ends() { echo "ipv4:$own:$((7790 + $1)) ipv4:$peer:$((7790 + $1))"; }

any() { echo "${@:RANDOM % $# + 1:1}"; }

# Something that an administrator might do to volume $1 of resource $2, and that costs no data whenever it comes: what
# ends a connection, a disk or a role is not given at random.
# shellcheck disable=SC2046
act() {
	local m=$1 r=$2
	case $((RANDOM % 32)) in
	0 | 1) setup net-options $(ends $r) --max-buffers=$((RANDOM % 18000 + 2000)) ;;
	2 | 3) setup net-options $(ends $r) --max-epoch-size=$((RANDOM % 20000 + 1)) ;;
	4) setup net-options $(ends $r) --ping-int=$((RANDOM % 3 + 3)) ;;
	5) setup net-options $(ends $r) --use-rle=$(any yes no) --tcp-cork=$(any yes no) ;;
	6) setup net-options $(ends $r) --ko-count=$((RANDOM % 6 + 3)) --unplug-watermark=$((RANDOM % 1000 + 1)) ;;
	7 | 8) setup disk-options $m --c-plan-ahead=$(any 0 10 20) --resync-rate=$((RANDOM % 60 + 4))M ;;
	9) setup disk-options $m --c-max-rate=$((RANDOM % 60 + 4))M --c-min-rate=$(any 0 1M) ;;
	10) setup disk-options $m --al-extents=$((RANDOM % 900 + 67)) ;;
	11) setup disk-options $m --disk-flushes=$(any yes no) --read-balancing=$(any prefer-local round-robin) ;;
	12) setup resource-options "r$r" --on-no-data-accessible=$(any io-error suspend-io) ;;
	13) setup pause-sync $m ;;
	14 | 15 | 30 | 31) setup resume-sync $m ;;
	16) setup verify $m ;;
	17) setup suspend-io $m && setup resume-io $m ;;
	18 | 19) setup resume-io $m ;;
	20) setup resize $m ;;
	21) setup status ;;
	22) setup show "r$r" ;;
	23) setup events2 --now all ;;
	24) setup $(any role cstate dstate get-gi) $m ;;
	25) setup wait-connect $m --wfc-timeout=1 --degr-wfc-timeout=1 --outdated-wfc-timeout=1 ;;
	26) setup $(any new-resource del-resource) "r$r" ;;
	27) setup new-minor "r$r" $m $((m % 2)) ;;
	# One resource is Primary on each node only, if at all.
	28) [ $r = 2 ] || [ $r != $node ] || setup primary $m ;;
	29) [ $r = 2 ] || [ $r = $node ] || setup secondary $m ;;
	esac
}

# Notes each state of a volume once.
watch() {
	local line
	declare -A seen
	while [ -e $place/watched ]; do
		while read -r line; do
			line=${line% ? *}
			[ "${seen[$line]}" ] || echo "$line" >>$place/states
			seen[$line]=1
		done < <(grep -E '^ *[0-9]+: cs:' /proc/drbd)
		sleep 0.3
	done
}

# Writes until it is told to stop.
writes() {
	local m=$1 result
	until [ -e $place/stop.$m ]; do
		dd if=/dev/urandom of=/dev/drbd$m bs=$(((RANDOM % blocks + 1) * 4096)) count=1 iflag=fullblock \
			seek=$((RANDOM % range * 4096)) oflag=direct,seek_bytes conv=notrunc,nocreat 2>/dev/null
		result=$?
		echo $result >>$place/written
		sleep 0.$((RANDOM % 4))
		[ $result = 0 ] || sleep 0.3
	done
}

case $1 in
prepare)
	for m in $minors; do
		echo "0 $4 linear /dev/data$((m / 3 + 1)) $((m % 3 * $4))" >"$place/table.$m"
		dmsetup create "part$m" <"$place/table.$m"
		dmsetup mknodes
		tandem meta --force "$m" v08 "/dev/mapper/part$m" internal create-md >/dev/null || exit
	done
	;;
clients)
	end=$((SECONDS + $4)) node=$2
	rm -f $place/ended.* $place/hung
	touch $place/watched $place/ended.none $place/hung
	watch &
	watcher=$!
	clients=
	for client in $(seq "$3"); do
		(
			RANDOM=$(($5 + client))
			while [ $SECONDS -lt $end ]; do
				m=$((RANDOM % 6))
				act $m $((m / 2))
				# The machine has more to do than to start tools.
				sleep $((RANDOM % 6)).$((RANDOM % 10))
			done
		) &
		clients+=" $!"
	done
	# shellcheck disable=SC2086
	wait $clients
	rm -f $place/watched
	wait $watcher
	cat $place/hung
	cat $place/ended.* | sort | uniq -c | sort -rn
	;;
states)
	touch $place/states
	sort -u $place/states
	rm -f $place/states
	;;
write)
	rm -f $place/stop.$2
	# Who still writes goes on.
	flock -n $place/writer.$2 bash "$0" writes $2 </dev/null >/dev/null 2>&1 &
	;;
writes) writes $2 ;;
quiet)
	touch $place/stop.$2
	flock -w 20 $place/writer.$2 true
	exit
	;;
written)
	touch $place/written
	awk '{ if ($1 == 0) done++; else failed++ } END { print done + 0, failed + 0 }' $place/written
	rm -f $place/written
	;;
esac
exit 0
