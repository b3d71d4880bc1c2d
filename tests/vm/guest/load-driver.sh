#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Loads the driver that /payload/config names; cases call it again after an rmmod, also with
# parameters of their own.
. /payload/config
# The helper would end connections when it finds no configuration file.
args=${*:-${DRIVER_ARGS:-usermode_helper=disabled}}
case $DRIVER in
none) ;;
drbd) modprobe drbd $args ;;
tandem) /payload/one-cpu insmod /payload/tandem.ko $args ;;
*)
	echo "unknown driver $DRIVER" >&2
	exit 1
	;;
esac
