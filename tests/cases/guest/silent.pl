#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# silent ADDRESS: plays a peer whose machine lives and that says nothing. Calls for both sockets,
# tells version 101, and answers pings only. Returns when the node has closed the meta socket.
use strict;
use warnings;
use Peer;

my ($address) = @ARGV;
my ($data, $meta) = both($address);
syswrite $data, features(101, 101);
my $pings = 0;
# Of the headers of protocol 100 the command is at byte 6: Ping (0x13), PingAck (0x14).
while (read($meta, my $header, 16) == 16) {
	next unless unpack('n', substr $header, 6) == 0x13;
	$pings++;
	syswrite $meta, pack('H*', '8620ec20' . '0000' . '0014' . '00' x 8);
}
print "$pings\n";
