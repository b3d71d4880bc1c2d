#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# transcript.sh begin: listens to all events from now on, those for udev too.
# transcript.sh run <COMMANDS: runs the commands of standard input, one a line, and writes down what
# they print, how they end, and what /proc/drbd says after each if that has changed. A command that
# begins with "~" is only run.
# transcript.sh still <COMMANDS: the same where a peer acts, too: what /proc/drbd says once nothing
# is under way any more.
# transcript.sh end: the events, when there are no more.
# OWN and PEER are addresses. The tools are Debian's for DRBD 8.4, whatever else is in the path.
events=/run/transcript.events
seen=/run/transcript.proc
# These tools are newer than the module, and would say so each time.
export DRBD_DONT_WARN_ON_VERSION_MISMATCH=1
# No command may hang.
drbdsetup() { timeout 20 /lib/drbd/drbdsetup-84 "$@"; }
drbdadm() { timeout 60 /lib/drbd/drbdadm-84 "$@"; }

# await FILE REGEX: until a line of FILE matches.
await() {
	timeout 60 tail -n +1 -F "$1" 2>/dev/null | grep -qm1 -E -- "$2" ||
		echo "never came: $2"
}

# await_proc REGEX: until a line of /proc/drbd matches.
await_proc() {
	local end=$((SECONDS + 60))
	until grep -qE -- "$1" /proc/drbd; do
		[ $SECONDS -lt $end ] || { echo "never so: $1" && return 1; }
	done
}

# started: until no connection is about to begin: the C module's receiver does so when its thread
# runs, which may be after the command has its answer.
started() {
	local end=$((SECONDS + 20))
	until [[ $(</proc/drbd) != *cs:Unconnected* ]] || [ $SECONDS -ge $end ]; do :; done
}

# settle: until nothing is under way any more, and /proc/drbd stays as it is.
settle() {
	local last=- now end=$((SECONDS + 30))
	until now=$(</proc/drbd) && [ "$now" = "$last" ] &&
		! [[ $now =~ (lo|pe|ua|ap):[1-9] ]] || [ $SECONDS -ge $end ]; do
		last=$now
		read -r -t 0.2 <>/run/transcript.never
	done
}

# What /proc/drbd says, if that is not what it said before.
proc() {
	local now before line
	now=$(</proc/drbd) before=$(<$seen)
	[ "$now" = "$before" ] && return
	printf '%s' "$now" >$seen
	while IFS= read -r line; do
		echo "  | $line"
	done <<<"${now#*srcversion*$'\n'}"
}

# What the kernel tells udev of DRBD's devices: a line each.
uevents() {
	exec perl -e '
		use Socket;
		socket my $s, 16, SOCK_RAW, 15 or die "no socket: $!";
		bind $s, pack "SSLL", 16, 0, 0, 1 or die "no group: $!";
		$| = 1;
		print "listening\n";
		while (recv $s, my $text, 8192, 0) {
			my ($what, %of) = split /\0|=/, $text;
			next unless $what =~ m{/block/(drbd\d+)$};
			print "$of{ACTION} $1", $of{RESIZE} ? " resized" : "", "\n";
		}'
}

case $1 in
begin)
	: >$seen
	[ -p /run/transcript.never ] || mkfifo /run/transcript.never
	for form in events2 'events all'; do
		# shellcheck disable=SC2086
		setsid /lib/drbd/drbdsetup-84 $form >"$events.${form%% *}" 2>&1 </dev/null &
		echo $! >"$events.${form%% *}.pid"
	done
	export -f uevents
	setsid bash -c 'uevents' >$events.uevents 2>&1 </dev/null &
	echo $! >$events.uevents.pid
	await $events.events2 '^exists -$'
	await $events.uevents '^listening$'
	;;
run | still)
	while IFS= read -r line; do
		case $line in
		'~'*)
			eval "${line#'~'}" </dev/null || echo "  failed: $line"
			continue
			;;
		esac
		printf '$ %s\n' "$line"
		# What the kernel says belongs to it.
		echo "transcript: $line" >/dev/kmsg
		eval "$line" </dev/null >/run/transcript.out 2>&1
		status=$?
		while IFS= read -r out || [ -n "$out" ]; do
			printf '  %s\n' "$out"
		done </run/transcript.out
		echo "  exit $status"
		if [ "$1" = run ]; then started; else settle; fi
		proc
	done
	;;
end)
	# What is told of it comes after everything else.
	drbdsetup new-resource last && drbdsetup del-resource last
	await $events.events2 '^destroy resource name:last'
	for form in events2 events uevents; do
		kill "$(<$events.$form.pid)"
		echo "\$ $form"
		sed '/^listening$/d; s/^/  /' "$events.$form"
	done
	;;
esac
