#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# await-event SECONDS REGEX [SOURCE...]: blocks until what the driver's event stream tells matches
# REGEX, and prints that line. The stream begins with the present state, so what is already so
# counts. A change names only the fields that changed: what is matched, and printed, is the object
# with all its fields as they are after that event.
# Status 1 when the time is over: the last events that came are on standard error.
seconds=$1 regex=$2
shift 2
[ $# -gt 0 ] || set -- drbdsetup events2
coproc stream { exec "$@" 2>&1; }
events=$stream_PID
declare -A objects
seen=()

# merge LINE: sets "merged" to the object of that event with all its fields.
merge() {
	local word identity rest old field
	read -r -a words <<<"$1"
	identity=${words[1]}
	rest=()
	for word in "${words[@]:2}"; do
		case $word in
		name:* | peer-node-id:* | conn-name:* | volume:* | minor:*) identity+=" $word" ;;
		*) rest+=("$word") ;;
		esac
	done
	merged=
	for old in ${objects[$identity]}; do
		for field in "${rest[@]}"; do
			[ "${old%%:*}" = "${field%%:*}" ] && old=$field
		done
		merged+=" $old"
	done
	for field in "${rest[@]}"; do
		case "$merged " in
		*" ${field%%:*}:"*) ;;
		*) merged+=" $field" ;;
		esac
	done
	objects[$identity]=$merged
	merged="${words[0]} $identity$merged"
}

end=$((SECONDS + seconds))
while [ $SECONDS -lt $end ] && IFS= read -r -t $((end - SECONDS)) -u "${stream[0]}" line; do
	seen+=("$line")
	case $line in
	exists\ * | create\ * | change\ *) merge "$line" ;;
	*) merged=$line ;;
	esac
	if [[ $merged =~ $regex ]]; then
		echo "$merged"
		kill "$events"
		exit 0
	fi
done
kill "$events" 2>/dev/null
echo "await-event: nothing matched '$regex' in $seconds s; the last of what there was:" >&2
printf '%s\n' "${seen[@]}" | tail -n 40 >&2
exit 1
