// SPDX-License-Identifier: GPL-2.0

//! What an administrator reads in the kernel log: what is wrong, and what to do.
//!
//! Sentences that scripts look for in DRBD's log are the same here.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::prelude::*;

use crate::advice;
use crate::disk_words;
use crate::engine::ids::{
    Extent,
    Instant, //
};
use crate::engine::resource::Notice;
use crate::engine::state::ConnState;
use crate::engine::volume::{
    PeerRequestError,
    Progress,
    VerifyProgress, //
};
use crate::engine::wire::{
    Command,
    WireError,
    WireReason,
    PROTOCOL_MAX,
    PROTOCOL_MIN, //
};
use crate::reasons::Parted;
use crate::size_words;
use crate::sys::log::Level;

/// An errno in words.
pub fn of_error(error: Error) -> &'static str {
    let known = [
        (EADDRINUSE, "the address is in use already"),
        (EADDRNOTAVAIL, "this node has no such address"),
        (EAGAIN, "nothing came in time"),
        (ETIMEDOUT, "nothing came in time"),
        (ECONNRESET, "the peer closed the connection"),
        (ECONNREFUSED, "the peer does not listen"),
        (EPIPE, "the peer closed the connection"),
        (EINTR, "interrupted"),
        (ENOMEM, "out of memory"),
        (ENOBUFS, "out of memory"),
        (EMSGSIZE, "it is too long"),
        (EACCES, "not allowed"),
        (EPERM, "not allowed"),
    ];
    let found = known.iter().find(|(errno, _)| *errno == error);
    found.map_or("the kernel refused", |(_, text)| text)
}

/// The socket that a packet came on.
#[derive(Clone, Copy)]
pub enum Socket {
    /// Data socket.
    Data,
    /// Meta socket.
    Meta,
}

/// What is wrong with a packet.
#[derive(Clone, Copy)]
pub enum Problem {
    /// The header starts with a wrong number; the number, and the protocol version.
    Magic(u32, u32),
    /// Its form.
    Wire(WireError),
    /// It must not come now, or not at all.
    Unexpected,
    /// Its length, in bytes.
    Length {
        /// Without what may follow.
        expected: u32,
        /// What the header says.
        received: u32,
    },
    /// More data than one request may have, in bytes.
    TooLong(u32),
    /// The connection ended before it was complete; bytes of the part that was waited for.
    Truncated {
        /// See above.
        missing: usize,
    },
    /// A bitmap that does not fit the volume, or cannot be decoded.
    Bitmap,
    /// What it asks for.
    Request(PeerRequestError),
    /// It names a volume that does not exist.
    Volume(u16),
    /// The digest of the data in it is another one.
    Digest(Extent),
    /// It names a digest that the kernel does not have.
    NoDigest,
    /// Its place in the order.
    Order,
    /// It answers something that was not asked.
    Unknown,
}

/// A packet that ends the connection, and why.
#[derive(Clone, Copy)]
pub struct Refusal {
    command: Command,
    socket: Socket,
    problem: Problem,
}

impl Refusal {
    /// A packet with a header that can be read.
    pub fn new(command: Command, socket: Socket, problem: Problem) -> Self {
        Self {
            command,
            socket,
            problem,
        }
    }

    /// A header that cannot be read, and its bytes.
    pub fn header(error: WireError, bytes: &[u8], version: u32) -> Self {
        let problem = match (error.reason, bytes.first_chunk::<4>()) {
            (WireReason::BadMagic, Some(magic)) => {
                Problem::Magic(u32::from_be_bytes(*magic), version)
            }
            _ => Problem::Wire(error),
        };
        Self::new(error.command, Socket::Data, problem)
    }
}

/// A packet's name, and the number of one that has none.
pub struct Named(pub Command);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:04x})", self.0.as_str(), self.0.number())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Named(self.command);
        match self.problem {
            Problem::Magic(magic, version) => write!(
                f,
                "Wrong magic value 0x{magic:08x} in protocol version {version}: the peer is no \
                 DRBD, or a byte was lost on the way"
            ),
            Problem::Wire(error) if matches!(error.reason, WireReason::BadPadding) => {
                f.write_str("Header padding is not zero: the peer is no DRBD 8.4")
            }
            Problem::Wire(error) => write!(f, "packet {name} refused: {}", error.as_str()),
            Problem::Unexpected if self.command == Command::AuthChallenge => write!(
                f,
                "Unexpected data packet {name}: the peer wants a login and this node is configured \
                 without one; set cram-hmac-alg and shared-secret alike on both nodes"
            ),
            Problem::Unexpected => match self.socket {
                Socket::Data => write!(
                    f,
                    "Unexpected data packet {name}: it is unknown, or not for this place"
                ),
                Socket::Meta => write!(
                    f,
                    "Unexpected meta packet {name}: it is unknown, or not for this socket"
                ),
            },
            Problem::Length { expected, received } => write!(
                f,
                "{name}: unexpected packet size, expected:{expected} received:{received}"
            ),
            Problem::TooLong(bytes) => {
                write!(f, "packet {name} refused: {bytes} bytes are too many")
            }
            Problem::Truncated { missing } => write!(
                f,
                "packet {name} refused: truncated, the peer closed the connection where {missing} \
                 more bytes were expected"
            ),
            Problem::Bitmap => write!(
                f,
                "packet {name} refused: the bitmap does not fit the size of the volume"
            ),
            Problem::Request(error) => write!(
                f,
                "packet {name} refused: {}",
                match error {
                    PeerRequestError::Full | PeerRequestError::Later => "no slot is free",
                    PeerRequestError::Early => "what was sent before it did not come in time",
                    PeerRequestError::NoDisk => "there is no local disk",
                    PeerRequestError::OutOfRange => "request from peer beyond end of local disk",
                    PeerRequestError::Unexpected => "it answers nothing that was asked",
                    PeerRequestError::State => "it must not come in the present state",
                }
            ),
            Problem::Digest(extent) => write!(
                f,
                "packet {name}: Digest integrity check FAILED: {}s +{}; the data was changed on \
                 its way: check network cards, drivers and memory of both nodes",
                extent.sector, extent.bytes
            ),
            Problem::NoDigest => write!(
                f,
                "packet {name} refused: peer data-integrity-alg not supported, the kernel has no \
                 such digest; load its module"
            ),
            Problem::Volume(number) => write!(
                f,
                "packet {name} received for volume {number}, which is not configured locally; \
                 configure the same volumes on both nodes"
            ),
            Problem::Order => write!(f, "packet {name} refused: it comes out of order"),
            Problem::Unknown => {
                write!(
                    f,
                    "packet {name} refused: it answers nothing that was asked"
                )
            }
        }
    }
}

/// Where lines go.
pub type Write<'a> = &'a mut dyn FnMut(Level, fmt::Arguments<'_>);

/// Writes a notice of the engine: what is the case, and if something is wrong, what to do. `conn`:
/// the volume's connection state.
pub fn of_notice(notice: Notice, conn: ConnState, write: Write<'_>) {
    match notice {
        Notice::VersionMismatch { min, max } => write(
            Level::Error,
            format_args!(
                "incompatible DRBD dialects: I support {PROTOCOL_MIN}-{PROTOCOL_MAX}, peer \
                 supports {min}-{max}"
            ),
        ),
        Notice::Agreed { version, features } => {
            write(
                Level::Info,
                format_args!("Handshake successful: Agreed network protocol version {version}"),
            );
            let has = |bit: u32, name: &'static str| match features & bit {
                0 => "",
                _ => name,
            };
            write(
                Level::Info,
                format_args!(
                    "Feature flags enabled on protocol level: 0x{features:x}{}{}{}{}.",
                    has(1, " TRIM"),
                    has(2, " THIN_RESYNC"),
                    has(4, " WRITE_SAME"),
                    has(8, " WRITE_ZEROES")
                ),
            );
        }
        Notice::LoggedIn { bytes } => write(
            Level::Info,
            format_args!("Peer authenticated using {bytes} bytes HMAC"),
        ),
        Notice::Compared { result, rule } => write(
            Level::Info,
            format_args!("uuid_compare()={result} by rule {rule}"),
        ),
        Notice::Incompatible(_)
        | Notice::NeedsProtocol { .. }
        | Notice::OnlyVolumeZero { .. }
        | Notice::BadPacket { .. }
        | Notice::TooLarge => of_peer(notice, write),
        Notice::UnrelatedData => write(Level::Alert, format_args!("Unrelated data, aborting!")),
        Notice::SplitBrain { .. }
        | Notice::SplitBrainSolved { .. }
        | Notice::SplitBrainByHand { .. }
        | Notice::DryRun { .. } => of_meeting(notice, write),
        Notice::Refused { error } => write(
            Level::Error,
            format_args!(
                "the states of both nodes do not go together: {}",
                error.as_str()
            ),
        ),
        Notice::PrimaryWouldBeTarget => write(
            Level::Error,
            format_args!("I shall become SyncTarget, but I am primary!"),
        ),
        Notice::InconsistentSource => write(
            Level::Error,
            format_args!("I shall become SyncSource, but I am inconsistent!"),
        ),
        Notice::PeerTooSmall { .. }
        | Notice::SizeTooBig { .. }
        | Notice::Resized { .. }
        | Notice::GrowthIsSynced
        | Notice::GrowthIsClean => size_words::of_size(notice, write),
        Notice::FullSync { why } => size_words::of_full_sync(why, write),
        Notice::Congested { .. } | Notice::ResyncStarted { .. } => of_sync(notice, conn, write),
        Notice::ResyncDone { failed } => {
            resync_done(failed, Progress::default(), Instant(0), write)
        }
        Notice::DifferentDigest { option, own, peer } => write(
            Level::Error,
            format_args!(
                "Different {option} settings. me=\"{}\" peer=\"{}\"",
                own.as_str().unwrap_or("?"),
                peer.as_str().unwrap_or("?")
            ),
        ),
        Notice::UsingDigest { option, name } => write(
            Level::Info,
            format_args!("using {option}: \"{}\"", name.as_str().unwrap_or("?")),
        ),
        Notice::VerifyDone => verify_done(VerifyProgress::default(), 0, Instant(0), write),
        Notice::WrongData { expected } => write(
            Level::Error,
            format_args!("Can only connect to data with current UUID={expected:016X}"),
        ),
        Notice::Forced => write(
            Level::Warning,
            format_args!("Forced to consider local data as UpToDate!"),
        ),
        Notice::DiskTimeout | Notice::DiskFailed | Notice::WriteOrder { .. } => {
            disk_words::of_disk(notice, write);
        }
        Notice::GaveUpRole => write(
            Level::Warning,
            format_args!("Successfully gave up primary role."),
        ),
        Notice::OverwritesPrimary => write(
            Level::Warning,
            format_args!("Becoming SyncTarget, violating the stable-data assumption"),
        ),
        Notice::ResyncForbidden { status } => write(
            Level::Info,
            format_args!("the handler before the resync returned {status}, dropping connection."),
        ),
        Notice::UnfitToFence => write(
            Level::Warning,
            format_args!("Not fencing peer, I'm not even Consistent myself."),
        ),
        Notice::FenceIgnored => write(Level::Info, format_args!("Ignoring fence-peer exit code")),
        Notice::Fenced { status, reason } => write(
            Level::Info,
            format_args!("fence-peer helper returned {status} ({reason})"),
        ),
        Notice::FenceBroken { status } => write(
            Level::Error,
            format_args!("fence-peer helper broken, returned {status}"),
        ),
        Notice::ForcedSplitBrain => write(
            Level::Warning,
            format_args!("Forced into split brain situation!"),
        ),
        Notice::Overdue { .. } | Notice::Unanswered | Notice::Absent => of_patience(notice, write),
        Notice::Broken { invariant } => write(
            Level::Error,
            format_args!(
                "internal error: {invariant}; giving up the {}",
                invariant.gives_up()
            ),
        ),
    }
    let advice = advice::on(notice);
    if !advice.is_empty() {
        write(Level::Info, format_args!("what to do: {advice}"));
    }
}

/// What is said of a peer that does not do what it has to.
fn of_patience(notice: Notice, write: Write<'_>) {
    match notice {
        Notice::Overdue { state } => write(
            Level::Error,
            format_args!(
                "the peer leaves us in state {} for too long, dropping connection",
                state.as_str()
            ),
        ),
        Notice::Unanswered => write(
            Level::Error,
            format_args!(
                "the peer leaves writes unanswered for longer than timeout x ko-count, \
                 dropping connection"
            ),
        ),
        Notice::Absent => write(
            Level::Warning,
            format_args!("the peer does not have this volume; going on without it"),
        ),
        _ => {}
    }
}

/// Writes what the peer does not fit in, or does wrong.
fn of_peer(notice: Notice, write: Write<'_>) {
    match notice {
        Notice::Incompatible(option) => {
            write(Level::Error, format_args!("incompatible {option} settings"));
        }
        Notice::NeedsProtocol { version } => write(
            Level::Alert,
            format_args!("To resolve this both sides have to support at least protocol {version}"),
        ),
        Notice::OnlyVolumeZero { version } => {
            write(
                Level::Error,
                format_args!("protocol {version} has no volumes but volume 0"),
            );
        }
        Notice::BadPacket { command, why } => write(
            Level::Error,
            format_args!(
                "packet {} refused: {why}, dropping connection",
                Named(command)
            ),
        ),
        Notice::TooLarge => write(
            Level::Info,
            format_args!("a request is larger than the peer takes, reconnecting"),
        ),
        _ => {}
    }
}

/// Writes a notice of how blocks get in sync, or do not.
fn of_sync(notice: Notice, conn: ConnState, write: Write<'_>) {
    match notice {
        Notice::Congested { limit } => write(
            Level::Info,
            format_args!("Congestion-{} threshold reached", limit.as_str()),
        ),
        Notice::ResyncStarted { blocks } => write(
            Level::Info,
            format_args!(
                "Began resync as {} (will sync {} KB [{blocks} bits set]).",
                conn.as_str(),
                blocks.saturating_mul(4)
            ),
        ),
        _ => {}
    }
}

/// Writes what came of it that both nodes changed their data, or what would have come of a resync.
fn of_meeting(notice: Notice, write: Write<'_>) {
    match notice {
        Notice::SplitBrain { own, peer } => {
            write(
                Level::Alert,
                format_args!("Split-Brain detected but unresolved, dropping connection!"),
            );
            write(Level::Alert, format_args!("{}", Parted { own, peer }));
        }
        Notice::DryRun { resync } => dry_run(resync, write),
        Notice::SplitBrainSolved {
            primaries,
            from_peer,
        } => write(
            Level::Warning,
            format_args!(
                "Split-Brain detected, {primaries} primaries, automatically solved. Sync from {} \
                 node",
                node(from_peer)
            ),
        ),
        Notice::SplitBrainByHand { from_peer } => write(
            Level::Warning,
            format_args!(
                "Split-Brain detected, manually solved. Sync from {} node",
                node(from_peer)
            ),
        ),
        _ => {}
    }
}

/// What would have happened; `resync`: we would be its source, it would copy all blocks.
fn dry_run(resync: Option<(bool, bool)>, write: Write<'_>) {
    let Some((source, full)) = resync else {
        let line = format_args!("dry-run connect: No resync, would become Connected immediately.");
        return write(Level::Info, line);
    };
    write(
        Level::Info,
        format_args!(
            "dry-run connect: Would become {}, doing a {} resync.",
            if source { "SyncSource" } else { "SyncTarget" },
            if full { "full" } else { "bit-map based" }
        ),
    );
}

fn node(peer: bool) -> &'static str {
    if peer {
        "peer"
    } else {
        "this"
    }
}

/// Writes how a verify went; `different` are the blocks out of sync now.
pub fn verify_done(progress: VerifyProgress, different: u64, now: Instant, write: Write<'_>) {
    let seconds = (now.since(progress.started) / 1000).max(1);
    let compared = progress.total.saturating_sub(progress.left);
    let rate = compared.saturating_mul(4).checked_div(seconds).unwrap_or(0);
    write(
        Level::Info,
        format_args!("Online verify done (total {seconds} sec; paused 0 sec; {rate} K/sec)"),
    );
    if different != 0 {
        write(
            Level::Alert,
            format_args!("Online verify found {different} 4k block out of sync!"),
        );
        let what = "decide which node's data is right, then invalidate the other one";
        write(Level::Info, format_args!("what to do: {what}"));
    }
}

/// Writes how a resync went.
pub fn resync_done(failed: u64, progress: Progress, now: Instant, write: Write<'_>) {
    let seconds = now.since(progress.started) / 1000;
    let synced = progress.total.saturating_sub(failed).saturating_mul(4);
    let rate = synced.checked_div(seconds).unwrap_or(synced);
    write(
        Level::Info,
        format_args!("Resync done (total {seconds} sec; paused 0 sec; {rate} K/sec)"),
    );
    if let (Some(equal), 1..) = (progress.equal, progress.total) {
        let percent = equal.saturating_mul(100) / progress.total;
        let kib = |blocks: u64| blocks.saturating_mul(4);
        write(
            Level::Info,
            format_args!(
                "{percent} % had equal checksums, eliminated: {}K; transferred {}K total {}K",
                kib(equal),
                kib(progress.total.saturating_sub(equal)),
                kib(progress.total)
            ),
        );
    }
    if failed != 0 {
        write(
            Level::Error,
            format_args!("            {failed} failed blocks"),
        );
        let what = "look for I/O errors of both lower devices, then disconnect and connect again";
        write(Level::Info, format_args!("what to do: {what}"));
    }
}
