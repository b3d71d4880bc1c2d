#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# each-allocation COMMAND UNDO [THREAD]: runs COMMAND (words, no shell syntax) again and again. In
# the first run the first allocation fails that the module makes for it, in the second run the
# second, and so on, until a run makes no further one. With THREAD they are those that the kernel's
# thread of that name makes meanwhile, and the command has just been given already. Of those that
# are made at a place that had its failure already (a reserve being filled, the entries of a table)
# only some are taken. Each run has to end by itself, with success or an exit status. After a
# success in spite of a failed allocation, UNDO (a shell command) makes the command possible again.
# The last run, in which nothing failed, has to succeed.
#
# Prints in how many runs an allocation failed, and how many of them succeeded nevertheless.
command=$1 undo=$2 thread=${3:-}
if [ -n "$thread" ]; then
	eval "$undo" || exit
	if ! pgrep -x "$thread" >/dev/null; then
		# Nobody makes any.
		$command || exit
		echo 0 0
		exit
	fi
fi
debug=/sys/kernel/debug
# Counted down by the kernel at each failure; no test comes near.
plenty=1000000

# Failures in the name of a module: with "nokaslr" all modules are in this range.
for kind in failslab fail_page_alloc; do
	echo 0 >$debug/$kind/probability
	echo 0xffffffffa0000000 >$debug/$kind/require-start
	echo 0xffffffffff000000 >$debug/$kind/require-end
	echo 32 >$debug/$kind/stacktrace-depth
	echo N >$debug/$kind/ignore-gfp-wait
done
echo 0 >$debug/fail_page_alloc/min-order
echo N >$debug/fail_page_alloc/ignore-gfp-highmem

# run NTH: sets "status", "said", and "place": by whom the failed allocation was made; empty if
# none failed.
run() {
	local mark="each-allocation: $command: $1 ($SRANDOM)"
	echo $plenty >$debug/failslab/times
	echo $plenty >$debug/fail_page_alloc/times
	echo "$mark" >/dev/kmsg
	local whose=self
	[ -n "$thread" ] && whose=$(pgrep -x "$thread")
	# The number is lost in a fork, not in an exec.
	said=$(timeout -k 1 100 bash -c 'echo $0 >/proc/$2/fail-nth; exec $1' "$1" "$command" "$whose" 2>&1)
	status=$?
	# A thread that the command has ended takes its number with it.
	[ -n "$thread" ] && echo 0 2>/dev/null >"/proc/$whose/fail-nth"
	place=
	if [ $(($(cat $debug/failslab/times) + $(cat $debug/fail_page_alloc/times))) -lt $((2 * plenty)) ]; then
		place=$(dmesg | tac | sed "/(${mark##*(}/q" | grep -o ' [_a-zA-Z0-9.]*+0x[0-9a-f]*/' | md5sum)
	fi
}

declare -A seen
runs=0 succeeded=0 known=0 nth=1 step=1
while run $nth; do
	if [ $status -ge 124 ]; then
		echo "'$command' ended with status $status when allocation $nth failed: $said"
		exit 1
	fi
	if [ -n "$place" ]; then
		runs=$((runs + 1))
		if [ $status -eq 0 ]; then
			succeeded=$((succeeded + 1))
			if ! undone=$(eval "$undo" 2>&1); then
				echo "'$undo' failed after '$command' without allocation $nth: $undone"
				exit 1
			fi
		fi
	elif [ $step -eq 1 ]; then
		break
	elif ! undone=$(eval "$undo" 2>&1); then
		echo "'$undo' failed after '$command': $undone"
		exit 1
	fi
	if [ -n "${seen[at$place]:-}" ]; then
		known=$nth
		step=$((2 * step))
	elif [ $step -gt 1 ]; then
		# Somewhere since the last look is a new place.
		step=1
	else
		known=$nth
		seen[at$place]=1
	fi
	nth=$((known + step))
done
if [ $status -ne 0 ]; then
	echo "'$command' ended with status $status although no allocation failed any more: $said"
	exit 1
fi
echo "$runs $succeeded"
