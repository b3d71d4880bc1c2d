#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Asks the debug kernel for memory that nothing points to any more, after /payload/reset has
# unloaded the driver that a case used. Status 1, and who allocated it, if there is some.
#
# The kernel believes only what two scans agree on, and only of memory older than five seconds.
kmemleak=/sys/kernel/debug/kmemleak
echo scan >$kmemleak
sleep 5
echo scan >$kmemleak
lost=$(cat $kmemleak)
# What was told once is not told again.
echo clear >$kmemleak
[ -z "$lost" ] && exit
echo "$lost"
exit 1
