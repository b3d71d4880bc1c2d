#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# screen.sh begin COMMAND...: runs it in a terminal of 24 lines and 100 columns that nobody looks at.
# screen.sh await REGEX...: waits until the screen as it was painted last has lines that match them all, and
# none that matches one after a "!"; prints it as plain text.
# screen.sh end KEY: presses KEY, and waits until the command has ended by it.
# The command has to repaint all of its screen each time, from the upper left corner on.
folder=/run/screen
seen=$folder/seen

# The text after the last time that the screen was cleared, without colours and other sequences.
last() {
	perl -0777 -pe '
		s/.*\e\[H\e\[2J(?=.*\S)//s;
		s/\e\[\d+;\d+H/\n/g;
		s/\e\][^\a]*\a|\e\[[\d;?]*[A-Za-z]|\r//g;
		s/[ \t]+\n/\n/g' "$seen"
}

case $1 in
begin)
	shift
	rm -rf $folder && mkdir -p $folder && mkfifo $folder/keys $folder/never
	printf '%s\n' 'stty rows 24 cols 100' "exec $*" >$folder/command
	TERM=xterm setsid script -qefc "bash $folder/command" $seen <>$folder/keys >/dev/null 2>&1 &
	echo $! >$folder/pid
	;;
await)
	shift
	end=$((SECONDS + 60))
	while :; do
		screen=$(last)
		missing=
		for regex; do
			case $regex in
			'!'*) ! grep -qE -- "${regex#!}" <<<"$screen" ;;
			*) grep -qE -- "$regex" <<<"$screen" ;;
			esac || missing=$regex
		done
		[ -n "$missing" ] || break
		[ $SECONDS -lt $end ] || {
			echo "never there: $missing" >&2
			echo "$screen" >&2
			exit 1
		}
		read -r -t 0.1 <>$folder/never
	done
	echo "$screen"
	;;
end)
	printf %s "$2" >$folder/keys
	timeout 30 tail --pid "$(<$folder/pid)" -f /dev/null
	;;
esac
