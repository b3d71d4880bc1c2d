#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Loads the driver that /payload/config names; cases call it again after an rmmod.
. /payload/config
case $DRIVER in
none) ;;
# The helper would end connections when it finds no configuration file.
drbd) modprobe drbd ${DRIVER_ARGS:-usermode_helper=disabled} ;;
tandem) /payload/one-cpu insmod /payload/tandem.ko ${DRIVER_ARGS:-usermode_helper=disabled} ;;
*)
	echo "unknown driver $DRIVER" >&2
	exit 1
	;;
esac
