#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# break-disk TARGET: makes the lower disk fail ("error"), or work again ("linear /dev/data1 0").
set -e
dmsetup reload lower --noudevsync --table "0 196608 $1"
dmsetup suspend --nolockfs --noflush lower
dmsetup resume --noudevsync lower
