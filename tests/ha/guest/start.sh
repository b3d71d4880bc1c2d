#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Hands the disk over to the cluster manager, now and at every boot.
set -e
drbdadm down r0
systemctl enable corosync sbd pacemaker
systemctl start --no-block corosync pacemaker
