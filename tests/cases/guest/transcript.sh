#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# transcript.sh begin: listens to all events from now on.
# transcript.sh run <COMMANDS: runs the commands of standard input, one a line, and writes down what
# they print, how they end, and what /proc/drbd says after each if that has changed. A command that
# begins with "~" is only run.
# transcript.sh end: the events, when there are no more.
# OWN and PEER are addresses. The tool is Debian's for DRBD 8.4, whatever else is in the path.
events=/run/transcript.events
seen=/run/transcript.proc
# No command may hang.
drbdsetup() { timeout 20 /lib/drbd/drbdsetup-84 "$@"; }

# await FILE REGEX: until a line of FILE matches.
await() {
	timeout 60 tail -n +1 -F "$1" 2>/dev/null | grep -qm1 -E -- "$2" ||
		echo "never came: $2"
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

case $1 in
begin)
	: >$seen
	for form in events2 'events all'; do
		# shellcheck disable=SC2086
		setsid /lib/drbd/drbdsetup-84 $form >"$events.${form%% *}" 2>&1 </dev/null &
		echo $! >"$events.${form%% *}.pid"
	done
	await $events.events2 '^exists -$'
	;;
run)
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
		proc
	done
	;;
end)
	# What is told of it comes after everything else.
	drbdsetup new-resource last && drbdsetup del-resource last
	await $events.events2 '^destroy resource name:last'
	for form in events2 events; do
		kill "$(<$events.$form.pid)"
		echo "\$ $form"
		sed 's/^/  /' "$events.$form"
	done
	;;
esac
