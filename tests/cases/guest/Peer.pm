# SPDX-License-Identifier: GPL-2.0
# What all scripts here need that play a peer.
package Peer;
use strict;
use warnings;
use IO::Socket::INET;
use Exporter 'import';
our @EXPORT = qw(call both features);

# Calls a node, and sends what comes first (hexadecimal). As a peer does: again and again, for the
# node may not listen yet.
sub call {
	my ($address, $first) = @_;
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

# The data socket and the meta socket.
sub both {
	my ($address) = @_;
	return (call($address, '83740267fff20000'), call($address, '83740267fff10000'));
}

# P_CONNECTION_FEATURES: versions from LEAST to MOST, and no features.
sub features {
	my ($least, $most) = @_;
	return pack('NnnNNN', 0x83740267, 0xfffe, 72, $least, 0, $most) . "\0" x 60;
}

1;
