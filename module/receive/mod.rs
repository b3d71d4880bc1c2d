// SPDX-License-Identifier: GPL-2.0

//! The receiver of the data socket: from bytes to packets to events.
//!
//! Packets are handled in the order in which they come; a barrier holds everything behind it back
//! until what came before is on stable storage.
#![forbid(unsafe_code)]

mod bitmap;
mod blocks;
mod compare;
mod rare;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::desk::Desk;
use crate::device::Device;
use crate::digests;
use crate::engine::bitmap_code::TransferCursor;
use crate::engine::fault::Fault;
use crate::engine::ids::{
    Extent,
    PeerTicket,
    Ticket,
    MAX_REQUEST_BYTES, //
};
use crate::engine::resource::Loss;
use crate::engine::stream::BarrierStep;
use crate::engine::volume::{
    AckKind,
    Operation,
    PeerRequestError,
    ReadFor,
    WantedAck,
    WriteFlags,
    WritePlace, //
};
use crate::engine::wire::data::{
    Barrier,
    BlockDesc,
    BlockRequest,
    DataFlags,
    DataHeader,
    TrimRequest, //
};
use crate::engine::wire::{
    Command,
    Header,
    PayloadRule,
    WireError,
    SOCKET_BUFFER_SIZE, //
};
use crate::inbox::Inbox;
use crate::resource::Resource;
use crate::session::Session;
use crate::sys::clock;
use crate::sys::digest::Digest;
use crate::sys::page::PageVec;
use crate::told::Told;
use crate::words::{
    Problem,
    Refusal,
    Socket, //
};

/// How long to wait for memory before the session's state is looked at, in milliseconds.
const MEMORY_MS: u32 = 1000;

/// How long a write waits, whose turn has not come, before it looks again, in milliseconds.
const EARLY_MS: u32 = 20;

/// How long a request of the peer's resync waits that has to give way, in milliseconds.
const LATER_MS: u32 = 100;

/// Why receiving ended.
enum Stop {
    /// The session is over, or the network failed.
    Network,
    /// The peer sent something that is not allowed.
    Protocol(Refusal),
}

impl Stop {
    fn refused(command: Command, problem: Problem) -> Self {
        Stop::Protocol(Refusal::new(command, Socket::Data, problem))
    }
}

impl From<Error> for Stop {
    fn from(_: Error) -> Self {
        Stop::Network
    }
}

type Outcome = core::result::Result<(), Stop>;

struct Receiver<'a> {
    resource: &'a Arc<Resource>,
    session: &'a Session,
    buffer: KVec<u8>,
    /// Where the transfer of a bitmap stands, and of which volume.
    bitmap: Option<(u16, TransferCursor)>,
    inbox: Inbox<'a>,
    /// The digest before all blocks that the peer sends (`data-integrity-alg`).
    integrity: Option<Digest>,
}

/// Receives until something ends the session; returns why.
pub fn run(resource: &Arc<Resource>, session: &Session) -> Loss {
    let (Ok(buffer), Ok(inbox)) = (
        KVec::from_elem(0, SOCKET_BUFFER_SIZE, GFP_KERNEL),
        Inbox::new(resource, session),
    ) else {
        return Loss::NetworkFailure;
    };
    let integrity = match digests::find(&session.net.data_integrity_alg) {
        Ok(integrity) => integrity,
        Err(_) => return Loss::NetworkFailure,
    };
    let mut receiver = Receiver {
        resource,
        session,
        buffer,
        bitmap: None,
        inbox,
        integrity,
    };
    loop {
        match receiver.packet() {
            Ok(()) => {}
            Err(Stop::Protocol(refusal)) => {
                if !session.is_down() {
                    resource.complain(format_args!("{}, dropping connection", refusal));
                }
                return Loss::ProtocolError;
            }
            Err(Stop::Network) => return Loss::NetworkFailure,
        }
    }
}

impl Receiver<'_> {
    /// Receives and handles one packet.
    fn packet(&mut self) -> Outcome {
        let version = self.session.version();
        let head = Header::encoded_len(version);
        self.inbox.gather();
        self.receive(head)?;
        let header = Header::parse(&self.buffer, version)
            .map_err(|error| Stop::Protocol(Refusal::header(error, &self.buffer, version)))?;
        self.session.heard();
        let command = header.command;
        let rule = command
            .on_data_socket(version, self.session.features())
            .ok_or(Stop::refused(command, Problem::Unexpected))?;
        if !rule.allows(header.length) {
            let problem = Problem::Length {
                expected: rule.fixed,
                received: header.length,
            };
            return Err(Stop::refused(command, problem));
        }
        self.handle(header, rule).map_err(|stop| match stop {
            // Closed in the middle of a packet, and not by us.
            Stop::Network if self.inbox.missing() > 0 && !self.session.is_down() => {
                let problem = Problem::Truncated {
                    missing: self.inbox.missing(),
                };
                Stop::refused(command, problem)
            }
            stop => stop,
        })
    }

    /// Receives what belongs to a packet, and handles it.
    fn handle(&mut self, header: Header, rule: PayloadRule) -> Outcome {
        let command = header.command;
        self.receive(rule.fixed as usize)?;
        let follow = header.length - rule.fixed;
        match command {
            Command::Data => self.data(header, follow),
            Command::Trim | Command::Zeroes => self.trim(header),
            Command::RsDataReply => self.resync_data(header, follow),
            Command::DataReply => self.read_data(header, follow),
            Command::DataRequest
            | Command::RsDataRequest
            | Command::RsThinReq
            | Command::OvRequest => self.request(header, None),
            Command::OvReply => self.verify_answer(header, follow),
            Command::CsumRsRequest => self.checked_request(header, follow),
            Command::Barrier => self.barrier(header),
            Command::OutOfSync | Command::RsDeallocated => self.range(header),
            Command::Bitmap | Command::CompressedBitmap => {
                let fixed = rule.fixed as usize;
                self.receive_behind(fixed, follow as usize)?;
                self.bitmap(header)
            }
            Command::UnplugRemote | Command::DelayProbe => Ok(()),
            _ => {
                let fixed = rule.fixed as usize;
                self.receive_behind(fixed, follow as usize)?;
                self.rare(header)
            }
        }
    }

    /// Receives `len` bytes to the start of the buffer.
    fn receive(&mut self, len: usize) -> Outcome {
        self.receive_behind(0, len)
    }

    fn receive_behind(&mut self, at: usize, len: usize) -> Outcome {
        let end = at.saturating_add(len);
        let to = self.buffer.get_mut(at..end).ok_or(Stop::Network)?;
        Ok(self.inbox.receive(to)?)
    }

    fn bytes(&self, len: u32) -> &[u8] {
        self.buffer.get(..len as usize).unwrap_or(&[])
    }

    fn device(&self, header: Header) -> core::result::Result<Arc<Device>, Stop> {
        let problem = Problem::Volume(header.volume);
        self.resource
            .link
            .device(header.volume)
            .ok_or(Stop::refused(header.command, problem))
    }

    fn parse<T>(
        header: Header,
        parsed: core::result::Result<T, WireError>,
    ) -> core::result::Result<T, Stop> {
        parsed.map_err(|error| Stop::refused(header.command, Problem::Wire(error)))
    }

    fn data_header(&self, header: Header) -> core::result::Result<DataHeader, Stop> {
        let bytes = self.bytes(DataHeader::LEN as u32);
        Self::parse(header, DataHeader::parse(header.command, bytes))
    }

    /// A write of the peer's application.
    fn data(&mut self, header: Header, follow: u32) -> Outcome {
        let device = self.device(header)?;
        let data = self.data_header(header)?;
        let pages = self.blocks(header, data.sector, follow)?;
        let extent = Extent::new(data.sector, pages.len() as u32);
        let (operation, payload) = if pages.len() == 0 {
            (Operation::Flush, None)
        } else {
            (Operation::Write, Some(pages))
        };
        self.peer_write(header, &device, operation, extent, data, payload)
    }

    fn trim(&mut self, header: Header) -> Outcome {
        let device = self.device(header)?;
        let trim = Self::parse(
            header,
            TrimRequest::parse(header.command, self.bytes(TrimRequest::LEN as u32)),
        )?;
        let agreed = self.session.agreed();
        let operation = Operation::of_packet(header.command, trim.flags, agreed);
        let extent = Extent::new(trim.sector, trim.size);
        let data = DataHeader {
            sector: trim.sector,
            block_id: trim.block_id,
            seq_num: trim.seq_num,
            flags: trim.flags,
        };
        self.peer_write(header, &device, operation, extent, data, None)
    }

    fn peer_write(
        &mut self,
        header: Header,
        device: &Arc<Device>,
        operation: Operation,
        extent: Extent,
        data: DataHeader,
        payload: Option<PageVec>,
    ) -> Outcome {
        let flags = WriteFlags::of_packet(data.flags);
        let protocol = || self.session.tuning().protocol;
        let ack = WantedAck::of_packet(data.flags, self.session.version(), protocol);
        let may_set_in_sync = data.flags.has(DataFlags::MAY_SET_IN_SYNC);
        let link = &self.resource.link;
        let place = WritePlace {
            epoch: link.peer_write_started(),
            sequence: data.seq_num,
        };
        let mut payload = payload;
        let taken = self.with_slot(device, |desk, fx| {
            let ticket = desk.peer_write(
                operation,
                extent,
                flags,
                data.block_id,
                ack,
                may_set_in_sync,
                place,
                fx,
            )?;
            keep_payload(desk, ticket, &mut payload);
            Ok(())
        });
        match taken {
            Ok(()) => Ok(()),
            Err(PeerRequestError::NoDisk) => {
                let kind = AckKind::Negative;
                device.feed(|volume, fx| volume.refuse_peer(kind, extent, data.block_id, fx));
                device.must(link.peer_write_finished(place.epoch));
                Ok(())
            }
            Err(error) => {
                device.must(link.peer_write_finished(place.epoch));
                Err(Stop::refused(header.command, Problem::Request(error)))
            }
        }
    }

    /// Feeds the engine with a request of the peer, waiting while all slots are in use.
    fn with_slot(
        &mut self,
        device: &Arc<Device>,
        mut step: impl FnMut(
            &mut Desk,
            &mut crate::engine::volume::Effects,
        ) -> core::result::Result<(), PeerRequestError>,
    ) -> core::result::Result<(), PeerRequestError> {
        let patience = u64::from(self.session.net.ping_timeout) * 100;
        let mut early_since = None;
        loop {
            match device.feed(&mut step) {
                Err(PeerRequestError::Early) if !self.session.is_down() => {
                    let now = clock::monotonic_ms();
                    let since = *early_since.get_or_insert(now);
                    if now.saturating_sub(since) > patience {
                        return Err(PeerRequestError::Early);
                    }
                    self.inbox.answer().map_err(|_| PeerRequestError::Full)?;
                    device.room.wait_until_timeout(EARLY_MS, || {
                        !device.volume.lock().is_early() || self.session.is_down()
                    });
                }
                Err(PeerRequestError::Full) if !self.session.is_down() => {
                    self.inbox.answer().map_err(|_| PeerRequestError::Full)?;
                    device.room.wait_until_timeout(MEMORY_MS, || {
                        device.volume.lock().has_or_makes_peer_room() || self.session.is_down()
                    });
                }
                Err(PeerRequestError::Later) if !self.session.is_down() => {
                    self.inbox.answer().map_err(|_| PeerRequestError::Full)?;
                    device
                        .room
                        .wait_until_timeout(LATER_MS, || self.session.is_down());
                }
                result => return result,
            }
        }
    }

    /// Data that we asked for, for our resync.
    fn resync_data(&mut self, header: Header, follow: u32) -> Outcome {
        let device = self.device(header)?;
        let data = self.data_header(header)?;
        let pages = self.blocks(header, data.sector, follow)?;
        let extent = Extent::new(data.sector, pages.len() as u32);
        let mut payload = Some(pages);
        device
            .feed(|desk, fx| {
                let ticket = desk.resync_data(extent, fx)?;
                if let Some(ticket) = ticket {
                    keep_payload(desk, ticket, &mut payload);
                }
                Ok(())
            })
            .map_err(|error| Stop::refused(header.command, Problem::Request(error)))
    }

    /// Data that our application reads through the peer.
    fn read_data(&mut self, header: Header, follow: u32) -> Outcome {
        let device = self.device(header)?;
        let data = self.data_header(header)?;
        let unexpected = || Stop::refused(header.command, Problem::Unexpected);
        let ticket = Ticket::from_block_id(data.block_id);
        let pages = self.blocks(header, data.sector, follow)?;
        let (extent, held) = {
            let mut desk = device.volume.lock();
            (desk.remote_read(ticket), desk.hold(ticket))
        };
        let got = Extent::new(data.sector, pages.len() as u32);
        let Some(mut held) = held.filter(|_| extent == Some(got)) else {
            return Err(unexpected());
        };
        held.payload_mut()
            .copy_payload(&pages.payload())
            .map_err(|_| unexpected())?;
        drop(held);
        device
            .feed(|volume, fx| volume.peer_answered(ticket, true, false, fx))
            .map_err(|_| unexpected())
    }

    /// The peer wants data, or the digest of it; `told`: unless ours has this digest.
    fn request(&mut self, header: Header, told: Option<Told>) -> Outcome {
        let device = self.device(header)?;
        let request = Self::parse(
            header,
            BlockRequest::parse(header.command, self.bytes(BlockRequest::LEN as u32)),
        )?;
        let extent = Extent::new(request.sector, request.size);
        let purpose = match header.command {
            Command::DataRequest => ReadFor::Application,
            Command::OvRequest => ReadFor::Verify,
            Command::CsumRsRequest => ReadFor::ResyncCheck,
            Command::RsThinReq => ReadFor::ResyncThin,
            _ => ReadFor::Resync,
        };
        let capacity = device.volume.lock().capacity();
        if request.size == 0 || !extent.fits(capacity, MAX_REQUEST_BYTES) {
            let problem = Problem::Request(PeerRequestError::OutOfRange);
            return Err(Stop::refused(header.command, problem));
        }
        if self.strikes(header, Fault::PeerMemory) {
            return Err(Stop::Network);
        }
        let mut payload = Some(self.memory(request.size)?);
        let taken = self.with_slot(&device, |desk, fx| {
            let ticket = desk.peer_read(extent, request.block_id, purpose, fx)?;
            keep_payload(desk, ticket, &mut payload);
            if let Some(told) = told {
                desk.put_told(ticket, told);
            }
            Ok(())
        });
        match taken {
            Ok(()) => Ok(()),
            Err(PeerRequestError::NoDisk) => {
                let kind = match purpose {
                    ReadFor::Application => AckKind::NegativeRead,
                    ReadFor::Resync
                    | ReadFor::ResyncThin
                    | ReadFor::ResyncCheck
                    | ReadFor::Verify => AckKind::NegativeResyncRead,
                };
                device.feed(|volume, fx| volume.refuse_peer(kind, extent, request.block_id, fx));
                Ok(())
            }
            Err(error) => Err(Stop::refused(header.command, Problem::Request(error))),
        }
    }

    /// The end of the peer's epoch: drain, flush, acknowledge, and only then go on; all that as far
    /// as the write order says so.
    fn barrier(&mut self, header: Header) -> Outcome {
        let barrier = Self::parse(
            header,
            Barrier::parse(header.command, self.bytes(Barrier::LEN as u32)),
        )?;
        let link = &self.resource.link;
        let step = link
            .peer_barrier(barrier.barrier, self.resource.barriers_wait())
            .map_err(|_| Stop::refused(header.command, Problem::Order))?;
        if step == BarrierStep::GoOn {
            return Ok(());
        }
        // Flushing may take long: what is written already need not wait for it.
        self.inbox.answer()?;
        if step == BarrierStep::Wait {
            link.epoch_wake
                .wait_until(|| link.take_drained() || self.session.is_down());
        }
        if self.session.is_down() {
            return Err(Stop::Network);
        }
        if !self.resource.flush_disks() {
            // What the barrier is for cannot be promised.
            return Err(Stop::Network);
        }
        self.inbox.gather();
        link.peer_epoch_flushed();
        Ok(())
    }

    /// A range that the peer changed without sending it, or that is all zeroes there.
    fn range(&mut self, header: Header) -> Outcome {
        let device = self.device(header)?;
        let desc = Self::parse(
            header,
            BlockDesc::parse(header.command, self.bytes(BlockDesc::LEN as u32)),
        )?;
        let extent = Extent::new(desc.sector, desc.size);
        device
            .feed(|volume, fx| match header.command {
                Command::RsDeallocated => volume.resync_zeroes(extent, fx).map(drop),
                _ => volume.peer_marked(extent),
            })
            .map_err(|error| Stop::refused(header.command, Problem::Request(error)))
    }
}

/// Leaves a payload in the slot that the engine gave it, before anybody can ask for it.
fn keep_payload(desk: &mut Desk, ticket: PeerTicket, payload: &mut Option<PageVec>) {
    if let Some(pages) = payload.take() {
        desk.put_payload(ticket, pages);
    }
}
