// SPDX-License-Identifier: GPL-2.0

//! Tests of writes on the wire.

use super::*;
use crate::engine::ids::Extent;

const ALL: Features = Features::OWN;

fn agreed(version: u32, features: Features) -> Agreement {
    Agreement { version, features }
}

fn view(operation: Operation) -> SendView {
    SendView {
        extent: Extent::new(0, 4096),
        operation,
        flags: WriteFlags {
            fua: true,
            preflush: true,
            sync: true,
        },
        sequence: 1,
        ack: WantedAck::Written,
        may_set_in_sync: true,
    }
}

#[test]
fn each_version_gets_the_flags_that_it_knows() {
    let flags = |version| view(Operation::Write).packet(agreed(version, ALL)).1 .0;
    for version in 86..=94 {
        assert_eq!(flags(version), 2 | 4, "{version}");
    }
    for version in 95..=99 {
        assert_eq!(flags(version), 2 | 4 | 16 | 32, "{version}");
    }
    for version in 100..=101 {
        assert_eq!(flags(version), 2 | 4 | 16 | 32 | 256, "{version}");
    }
}

#[test]
fn the_acknowledgement_is_asked_for_by_flag_or_by_configuration() {
    use WireProtocol::{
        A,
        B,
        C, //
    };
    for (protocol, ack) in [
        (A, WantedAck::None),
        (B, WantedAck::Received),
        (C, WantedAck::Written),
    ] {
        for version in 86..=101 {
            let told = SendView {
                ack,
                ..view(Operation::Write)
            }
            .packet(agreed(version, ALL))
            .1;
            // From version 100 on, what is configured here does not matter.
            let own = if version >= 100 { B } else { protocol };
            assert_eq!(
                WantedAck::of_packet(told, version, || own),
                ack,
                "{version}"
            );
        }
    }
}

#[test]
fn zeroes_are_trims_for_a_peer_that_knows_no_zeroes() {
    let without = Features(ALL.0 & !Features::WZEROES.0);
    for unmap in [false, true] {
        let zeroes = view(Operation::Zeroes { unmap });
        let (command, flags) = zeroes.packet(agreed(101, without));
        assert_eq!(command, Command::Trim);
        assert!(flags.has(DataFlags::DISCARD) && !flags.has(DataFlags::ZEROES));
        // And it writes zeroes for every trim, as one of them may have been meant so.
        assert_eq!(
            Operation::of_packet(command, flags, agreed(101, without)),
            Operation::Zeroes { unmap: true }
        );
    }
}

#[test]
fn what_is_sent_is_what_is_done() {
    let agreed = agreed(101, ALL);
    for operation in [
        Operation::Discard,
        Operation::Zeroes { unmap: false },
        Operation::Zeroes { unmap: true },
    ] {
        let (command, flags) = view(operation).packet(agreed);
        assert_eq!(Operation::of_packet(command, flags, agreed), operation);
        let treated = WriteFlags::of_packet(flags);
        assert!(treated.fua && treated.preflush && treated.sync);
    }
}
