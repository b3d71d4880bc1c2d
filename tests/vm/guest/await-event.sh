#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# await-event SECONDS REGEX [SOURCE...]: blocks until a line of the driver's event stream matches
# REGEX, and prints it. The stream begins with the present state, so what is already so counts.
# Status 1 when the time is over: the lines that came are on standard error.
seconds=$1 regex=$2
shift 2
[ $# -gt 0 ] || set -- drbdsetup events2
coproc stream { exec "$@" 2>&1; }
seen=()
end=$((SECONDS + seconds))
while [ $SECONDS -lt $end ] && IFS= read -r -t $((end - SECONDS)) -u "${stream[0]}" line; do
	seen+=("$line")
	if [[ $line =~ $regex ]]; then
		echo "$line"
		kill "$stream_PID"
		exit 0
	fi
done
kill "$stream_PID" 2>/dev/null
echo "await-event: no line matched '$regex' in $seconds s; there were:" >&2
printf '%s\n' "${seen[@]}" >&2
exit 1
