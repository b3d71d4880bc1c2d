// SPDX-License-Identifier: GPL-2.0

//! Words for what the engine wants, as the story has them.

use tandem_engine::engine::resource::{Effect, Event, Outgoing, RarePacket};
use tandem_engine::engine::state::DeviceState;
use tandem_engine::engine::volume::{LocalUse, MirrorUse, Policy, ResyncUse};

use crate::worker::show;

/// What of a node's state changed.
pub fn change(old: DeviceState, new: DeviceState) -> String {
    let flags = |s: DeviceState| show(s).rsplit(' ').next().unwrap_or("").to_owned();
    let parts = [
        ("connection", old.conn.as_str(), new.conn.as_str()),
        ("role", old.role.as_str(), new.role.as_str()),
        ("peer", old.peer.as_str(), new.peer.as_str()),
        ("disk", old.disk.as_str(), new.disk.as_str()),
        (
            "peer's disk",
            old.peer_disk.as_str(),
            new.peer_disk.as_str(),
        ),
        ("suspended", &flags(old), &flags(new)),
    ];
    let changed = parts.iter().filter(|(_, old, new)| old != new);
    let texts: Vec<String> = changed
        .map(|(name, old, new)| format!("{name} {old} -> {new}"))
        .collect();
    format!("state: {}", texts.join(", "))
}

/// A policy, by what differs from a lonely, idle node's.
pub fn policy(policy: &Policy) -> String {
    let mut text = String::from("policy:");
    text.push_str(match policy.local {
        LocalUse::None => " no disk",
        LocalUse::WriteOnly => " reads nothing",
        LocalUse::WriteMostly => " reads what is in sync",
        LocalUse::Full => " reads all",
    });
    text.push_str(match policy.mirror {
        MirrorUse::Mark => ", marks writes",
        MirrorUse::MarkAndTell => ", marks writes and tells",
        MirrorUse::Send => ", sends writes",
    });
    text.push_str(match policy.resync {
        ResyncUse::None => "",
        ResyncUse::Source => ", resync source",
        ResyncUse::Target => ", resync target",
    });
    let flags = [
        (policy.peer_readable, ", may read from the peer"),
        (policy.hold, ", holds requests"),
        (policy.log, ", logs"),
        (policy.only_disk, ", has the only disk"),
        (!policy.good_data, ", no good data"),
    ];
    for (set, flag) in flags {
        if set {
            text.push_str(flag);
        }
    }
    text
}

/// What a resource wants of its driver; packets and states are told elsewhere.
pub fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Send {
            packet: Outgoing::State(s),
            ..
        } => match DeviceState::unpack(s.state) {
            Some(state) => format!("send P_STATE {}", show(state)),
            None => format!("{effect:?}"),
        },
        Effect::Send { packet, .. } => format!("send {packet:x?}"),
        Effect::SetPolicy { policy: p, .. } => policy(p),
        Effect::Answer(token, code) => format!("answers command {}: {}", token.0, code.0),
        Effect::ConnectionMade => "connection: made".into(),
        Effect::ConnectionChanged { old, new } => {
            format!("connection: {} -> {}", old.as_str(), new.as_str())
        }
        Effect::LoseConnection { .. } => "gives up what was sent and not answered".into(),
        Effect::InstallDisk { .. } => "takes the disk".into(),
        Effect::ReleaseDisk { .. } => "gives the disk up".into(),
        Effect::ResizeBitmap { sectors, .. } => format!("bitmap for {sectors} sectors"),
        Effect::SetCapacity { sectors, .. } => format!("size: {sectors} sectors"),
        Effect::SaveSuperblock { .. } => "saves the superblock".into(),
        Effect::SaveBitmap { .. } => "saves the bitmap".into(),
        Effect::FillBitmap { set: true, .. } => "sets all bits".into(),
        Effect::FillBitmap { set: false, .. } => "clears all bits".into(),
        Effect::SendBitmap { .. } => "sends its bitmap".into(),
        Effect::StartResync { .. } => "starts the resync".into(),
        Effect::StopResync { .. } => "stops the resync".into(),
        Effect::Ping => "asks for a sign of life".into(),
        Effect::StartNetwork => "looks for the peer".into(),
        Effect::CloseNetwork { .. } => "closes the session".into(),
        Effect::StopNetwork => "stops looking for the peer".into(),
        Effect::Notice { notice, .. } => format!("notice: {notice:?}"),
        other => format!("{other:x?}"),
    }
}

/// An event, for the story.
pub(crate) fn told_event(event: &Event) -> String {
    match event {
        Event::Packet {
            packet: RarePacket::State(s),
            ..
        } => match DeviceState::unpack(s.state) {
            Some(state) => format!("P_STATE {}", show(state)),
            None => format!("{event:?}"),
        },
        Event::Packet { packet, .. } => format!("{packet:x?}"),
        Event::Admin(token, command) => {
            let text = format!("{command:?}");
            format!("admin {} {}", token.0, text.split('{').next().unwrap_or(""))
        }
        other => format!("{other:?}"),
    }
}
