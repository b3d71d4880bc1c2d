#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# silent ADDRESS: plays a peer whose machine lives and that says nothing. Calls for both sockets,
# tells version 101, and answers pings only. Returns when the node has closed the meta socket.
use strict;
use warnings;
use IO::Socket::INET;

my ($address) = @ARGV;

sub call {
	my ($first) = @_;
	my $until = time + 30;
	while (time < $until) {
		my $socket = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 7789);
		if ($socket) {
			syswrite $socket, pack('H*', $first);
			return $socket;
		}
		select undef, undef, undef, 0.05;
	}
	die "$address does not listen: $!\n";
}

my $data = call('83740267fff20000');
my $meta = call('83740267fff10000');
syswrite $data, pack('H*', '83740267fffe0048' . '00000065' . '00000000' . '00000065' . '00' x 60);
my $pings = 0;
# Of the headers of protocol 100 the command is at byte 6: Ping (0x13), PingAck (0x14).
while (read($meta, my $header, 16) == 16) {
	next unless unpack('n', substr $header, 6) == 0x13;
	$pings++;
	syswrite $meta, pack('H*', '8620ec20' . '0000' . '0014' . '00' x 8);
}
print "$pings\n";
