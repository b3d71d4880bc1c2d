#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command while the machine has one processor only. The kernel rewrites its own code now and
# then (a socket that may use the memory reserves, a filter at a network device); an emulated
# processor that runs this code meanwhile may keep the breakpoint that stood there, and dies of it.
others=$(grep -l 1 /sys/devices/system/cpu/cpu[1-9]*/online 2>/dev/null)
for other in $others; do
	echo 0 >"$other"
done
"$@"
status=$?
for other in $others; do
	echo 1 >"$other"
done
exit $status
