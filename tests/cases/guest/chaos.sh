#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Commands at random for four resources, by many processes at once.
# chaos.sh prepare OWN PEER: four parts of the two data disks, with metadata.
# chaos.sh run PROCESSES SECONDS SEED: that many processes, so long; then the disks are well again.
#     Says "hung: COMMAND" and what is waited for, "impossible: LINE" of /proc/drbd, and how often
#     commands ended how.
# chaos.sh end: everything is taken down; says what would not go.
place=/run/chaos
# No command may take longer, in seconds. What it waits for at the peer has shorter limits.
limit=90
sectors=16384
# What /proc/drbd may never say: two Primaries; a source without good data, a target with it; a
# connection to a peer of which nothing is known; a peer's role without a connection.
impossible='ro:Primary/Primary|cs:SyncSource .*ds:[^U]|cs:SyncTarget .*ds:[^I]'
impossible+='|cs:Connected .*(/DUnknown|/Unknown)|cs:(StandAlone|WFConnection) ro:[A-Z][a-z]*/[PS]'

case $1 in prepare) mkdir -p $place && echo "$2 $3" >$place/addresses ;; esac
read -r own peer <$place/addresses

# One command, by Debian's tool or ours.
setup() {
	local begin=$SECONDS status tool='tandem setup'
	[ $((RANDOM % 2)) = 0 ] && tool=/lib/drbd/drbdsetup-84
	# shellcheck disable=SC2086
	timeout -k 5 $limit $tool "$@" >/dev/null 2>&1 </dev/null
	status=$?
	echo "$1 $status" >>$place/ended.$worker
	case $status in
	124 | 137)
		{
			echo "hung: $tool $* ($((SECONDS - begin)) s)"
			cat /sys/kernel/debug/tandem/waiting /proc/drbd
		} >>$place/wrong
		;;
	esac
}

ends() { echo "ipv4:$own:$((7790 + $1)) ipv4:$peer:$((7790 + $1))"; }

attach() {
	timeout 20 tandem meta "$1" v08 "/dev/mapper/part$1" internal apply-al >/dev/null 2>&1 </dev/null
	setup attach "$1" "/dev/mapper/part$1" "/dev/mapper/part$1" internal --al-extents=67
}

# shellcheck disable=SC2046
connect() { setup connect "r$1" $(ends "$1") --ping-timeout=5 --connect-int=1 --timeout=20; }

up() {
	setup new-resource "r$1"
	setup new-minor "r$1" "$1" 0
	attach "$1"
	connect "$1"
}

# Something that an administrator might do, to resource $1.
# shellcheck disable=SC2046
act() {
	local m=$1 protocols=(A B C)
	case $((RANDOM % 40)) in
	0 | 1 | 2 | 3 | 4) up "$m" ;;
	5 | 6 | 7) setup primary "$m" ;;
	8) setup primary "$m" --force ;;
	9 | 10 | 11) setup secondary "$m" ;;
	12 | 13 | 14) connect "$m" ;;
	15) setup disconnect $(ends "$m") ;;
	16) setup disconnect $(ends "$m") --force ;;
	17 | 18) attach "$m" ;;
	19) setup detach "$m" ;;
	20) setup detach "$m" --force ;;
	21) setup invalidate "$m" ;;
	22) setup invalidate-remote "$m" ;;
	23) setup verify "$m" ;;
	24) setup pause-sync "$m" ;;
	25) setup resume-sync "$m" ;;
	26) setup suspend-io "$m" ;;
	27 | 28) setup resume-io "$m" ;;
	29) setup outdate "$m" ;;
	30) setup resize "$m" ;;
	31) setup new-current-uuid "$m" ;;
	32) setup disk-options "$m" --c-max-rate=$((RANDOM + 1000)) ;;
	33) setup net-options $(ends "$m") --protocol="${protocols[RANDOM % 3]}" --verify-alg=crc32c ;;
	34) setup resource-options "r$m" --on-no-data-accessible=suspend-io ;;
	35) setup resource-options "r$m" --set-defaults ;;
	36) setup wait-connect "$m" --wfc-timeout=1 --degr-wfc-timeout=1 --outdated-wfc-timeout=1 ;;
	37) setup status ;;
	38) setup events2 --now all ;;
	39) setup down "r$m" ;;
	esac
}

# Writes to whatever can be written to; I/O may be held back, so nobody waits for it.
write() {
	timeout -k 1 3 dd if=/dev/zero of="/dev/drbd$1" bs=64k count=16 seek=$((RANDOM % 64)) \
		oflag=direct conv=notrunc,nocreat status=none 2>/dev/null &
}

table() {
	dmsetup load "part$1" --table "$2" && dmsetup resume "part$1"
}

# The lower device of a resource fails for a moment.
fail() {
	table "$1" "0 $sectors error"
	sleep 1
	table "$1" "$(<"$place/table.$1")"
}

case $1 in
prepare)
	for m in 0 1 2 3; do
		echo "0 $sectors linear /dev/data$((m / 2 + 1)) $((m % 2 * sectors))" >"$place/table.$m"
		dmsetup create "part$m" <"$place/table.$m"
		dmsetup mknodes
		tandem meta --force "$m" v08 "/dev/mapper/part$m" internal create-md >/dev/null || exit
	done
	;;
run)
	end=$((SECONDS + $3))
	for worker in $(seq "$2"); do
		(
			RANDOM=$(($4 * 1000 + worker))
			while [ $SECONDS -lt $end ]; do
				act $((RANDOM % 4))
			done
		) &
	done
	(
		RANDOM=$4
		while [ $SECONDS -lt $end ]; do
			write $((RANDOM % 4))
			[ $((RANDOM % 4)) != 0 ] || fail $((RANDOM % 4))
			sleep 0.5
		done
	) &
	while [ -n "$(jobs -rp)" ]; do
		grep -E "$impossible" /proc/drbd | sed 's/^/impossible: /' >>$place/wrong
		sleep 0.2
	done
	;;
end)
	worker=end
	for m in 0 1 2 3; do
		setup resume-io $m
		# Who had it open has been told to end.
		for _ in $(seq 20); do
			setup down r$m
			grep -q "^ $m: cs:" /proc/drbd || break
			setup resume-io $m
			sleep 0.5
		done
	done
	cat $place/wrong
	grep -E '^ *[0-9]+: cs:' /proc/drbd
	cat $place/ended.* | sort | uniq -c | sort -rn >$place/ended
	;;
esac
exit 0
