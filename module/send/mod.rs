// SPDX-License-Identifier: GPL-2.0

//! The sender of the data socket: takes items from the queue and puts packets on the wire.
#![forbid(unsafe_code)]

mod bitmap;
mod compare;
mod direct;
mod rare;
mod writes;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::digests;
use crate::engine::ids::{
    Extent,
    PeerTicket,
    Ticket,
    ID_SYNCER, //
};
use crate::engine::resource::Loss;
use crate::engine::volume::{
    Answer,
    SendView,
    WantedAck, //
};
use crate::engine::wire::data::{
    Barrier,
    BlockDesc,
    BlockRequest,
    DataHeader, //
};
use crate::engine::wire::{
    Command,
    Header,
    WireError,
    SOCKET_BUFFER_SIZE, //
};
use crate::link::Link;
use crate::outbox::{
    Item,
    Next, //
};
use crate::resource::Resource;
use crate::session::{
    send_patiently,
    Session, //
};
use crate::sys::digest::{
    Digest,
    DIGEST_MAX, //
};
use crate::sys::log::{
    self,
    Level, //
};
use crate::sys::payload::Payload;
use crate::sys::send::{
    SendFlags,
    Transfer, //
};
use crate::sys::send_batch::{
    Cargo,
    SendBatch, //
};
use crate::sys::thread;

/// So many items are sent together, if there is room for them.
const TOGETHER: usize = 16;

/// The sender's view of its session, and its buffer.
struct Sender<'a> {
    resource: &'a Arc<Resource>,
    session: &'a Session,
    packet: KVec<u8>,
    /// What is sent together; empty but while something is being sent.
    batch: KBox<SendBatch>,
    /// More is queued behind the present item: TCP may wait with the end of it (`tcp-cork`).
    more: bool,
    /// TCP was told so, and nothing has followed yet.
    held_back: bool,
    patience: Patience<'a>,
    /// The digest before all blocks that are sent (`data-integrity-alg`).
    integrity: Option<Digest>,
    /// The digest of online verify (`verify-alg`).
    verify: Option<Digest>,
    /// The digest of resync (`csums-alg`).
    csums: Option<Digest>,
}

/// Sends until the session is down.
pub fn run(resource: &Arc<Resource>, session: &Session) {
    thread::set_batch();
    let Ok(mut sender) = Sender::new(resource, session) else {
        return session.fail(resource, Loss::NetworkFailure);
    };
    while !session.is_down() && !session.is_parting() {
        if resource.link.has_overflowed() {
            resource.complain(format_args!(
                "the queue to the peer is full, dropping connection; it is made again by itself"
            ));
            return session.fail(resource, Loss::Timeout);
        }
        match sender.send_next() {
            Ok(true) => {}
            Ok(false) => sender.idle(),
            Err(_) => return session.fail(resource, Loss::BrokenPipe),
        }
    }
}

/// Sends what is queued now: all that this node says of itself, before it hears the peer. Both may
/// have to part because of that, and each has to know it. May sleep.
pub fn introduction(resource: &Arc<Resource>, session: &Session) {
    let Ok(mut sender) = Sender::new(resource, session) else {
        return session.fail(resource, Loss::NetworkFailure);
    };
    // What fails here fails in the sender's own thread, too.
    while !session.is_down() && matches!(sender.send_next(), Ok(true)) {}
    sender.release();
}

/// Timeouts without progress that are left before the peer counts as dead (`ko-count`).
struct Patience<'a> {
    link: &'a Link,
    session: &'a Session,
    /// 0: no limit.
    most: u32,
    left: u32,
}

impl<'a> Patience<'a> {
    fn new(link: &'a Link, session: &'a Session) -> Self {
        let most = session.tuning().ko_count;
        Self {
            link,
            session,
            most,
            left: most,
        }
    }

    /// The socket took something.
    fn renew(&mut self) {
        self.left = self.most;
    }

    /// The socket took nothing for a whole timeout: whether to go on. A ping finds out whether the
    /// peer is only slow.
    fn lasts(&mut self) -> bool {
        if self.session.is_down() {
            return false;
        }
        self.session.ping(self.link, false);
        match self.left {
            0 => true,
            1 => false,
            _ => {
                self.left -= 1;
                true
            }
        }
    }
}

fn wire_error(error: WireError) -> Error {
    log::print(
        Level::Error,
        format_args!("drbd"),
        format_args!(
            "cannot encode a {} packet: {}",
            error.command.as_str(),
            error.as_str()
        ),
    );
    EINVAL
}

/// Encodes header and sub-header to the beginning of `to`; `follow` bytes of data will come behind.
fn encode(
    version: u32,
    to: &mut [u8],
    volume: u16,
    command: Command,
    follow: u32,
    emit: impl FnOnce(Command, &mut [u8], u32) -> Result<usize, WireError>,
) -> Result<usize> {
    let head = Header::encoded_len(version);
    let (header, body) = to.split_at_mut_checked(head).ok_or(EINVAL)?;
    let len = emit(command, body, version).map_err(wire_error)?;
    Header {
        volume,
        command,
        length: u32::try_from(len)? + follow,
    }
    .emit(header, version)
    .map_err(wire_error)?;
    Ok(head + len)
}

/// The header before the data of a write.
fn header_of(session: &Session, ticket: Ticket, view: SendView) -> DataHeader {
    DataHeader {
        sector: view.extent.sector,
        block_id: ticket.block_id(),
        seq_num: view.sequence,
        flags: view.packet(session.agreed()).1,
    }
}

/// How the data of a write is handed to the socket: with A and B the application gets its pages
/// back before the peer has them.
fn transfer_of(view: SendView) -> Transfer {
    match view.ack {
        WantedAck::Written => Transfer::Reference,
        _ => Transfer::Copy,
    }
}

/// Sends all of `payload`; `more` says that something follows at once. May sleep.
fn send_all_of(
    session: &Session,
    mut payload: Payload<'_>,
    transfer: Transfer,
    more: bool,
    patience: &mut Patience<'_>,
) -> Result {
    let flags = SendFlags {
        more,
        ..SendFlags::default()
    };
    while payload.remaining() > 0 {
        match session.data.send_payload(&mut payload, flags, transfer) {
            Ok(_) => patience.renew(),
            Err(error) if error == EAGAIN && patience.lasts() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl<'a> Sender<'a> {
    fn new(resource: &'a Arc<Resource>, session: &'a Session) -> Result<Self> {
        Ok(Self {
            resource,
            session,
            packet: KVec::from_elem(0, SOCKET_BUFFER_SIZE, GFP_KERNEL)?,
            batch: SendBatch::new()?,
            more: false,
            held_back: false,
            patience: Patience::new(&resource.link, session),
            integrity: digests::find(&session.net.data_integrity_alg)?,
            verify: None,
            csums: None,
        })
    }

    /// What followed turned out to be nothing.
    fn release(&mut self) {
        if core::mem::take(&mut self.held_back) {
            self.session.data.set_cork(false);
        }
    }

    /// Nothing is queued: waits for something, or for the time to send a barrier by itself.
    fn idle(&mut self) {
        let link = &self.resource.link;
        self.release();
        if !link.data_wake.wait_timeout(link.patience_ms()) {
            link.queue_due_barrier();
        }
    }

    /// Sends some of what is queued; whether there was anything.
    fn send_next(&mut self) -> Result<bool> {
        // Taken out and sent under the lock, so that no write is sent before what was queued first.
        let _sending = self.session.data_lock.lock();
        self.patience = Patience::new(&self.resource.link, self.session);
        let taken = self.take_some();
        let sent = taken.and_then(|any| self.flush(self.more).map(|()| any));
        // Should it have failed before.
        self.batch.clear();
        sent
    }

    /// Takes some of what is queued, and puts it into the batch; whether there was anything.
    fn take_some(&mut self) -> Result<bool> {
        for taken in 0..TOGETHER {
            let Some((next, more)) = self.resource.link.next() else {
                return Ok(taken > 0);
            };
            self.more = more && self.session.tuning().tcp_cork;
            match next {
                Next::Writes(writes) => self.writes(writes),
                Next::Item(item) => self.send_item(item),
            }?;
        }
        Ok(true)
    }

    fn send_item(&mut self, item: Item) -> Result {
        match item {
            Item::Read { volume, ticket } => self.read(volume, ticket),
            Item::OutOfSync { volume, extent } => {
                let desc = BlockDesc {
                    sector: extent.sector,
                    size: extent.bytes,
                };
                self.packet(volume, Command::OutOfSync, |c, out, _| desc.emit(c, out))
            }
            Item::ResyncRequest { volume, extent } => {
                self.block_request(volume, Command::RsDataRequest, extent, ID_SYNCER)
            }
            Item::ThinRequest { volume, extent } => {
                self.block_request(volume, Command::RsThinReq, extent, ID_SYNCER)
            }
            Item::VerifyRequest { volume, extent } => {
                self.block_request(volume, Command::OvRequest, extent, ID_SYNCER)
            }
            Item::Digests => self.find_digests(),
            Item::Barrier(number) => {
                let barrier = Barrier { barrier: number };
                self.packet(0, Command::Barrier, |c, out, _| barrier.emit(c, out))
            }
            Item::Reply { volume, ticket } => self.reply(volume, ticket),
            Item::Packet => self.rare(),
            Item::Bitmap { volume } => self.bitmap(volume),
        }
    }

    /// Encodes and sends a packet without further data.
    fn packet(
        &mut self,
        volume: u16,
        command: Command,
        emit: impl FnOnce(Command, &mut [u8], u32) -> Result<usize, WireError>,
    ) -> Result {
        let len = self.encode(volume, command, 0, emit)?;
        self.put(len)
    }

    /// Puts the first `len` bytes of the buffer into the batch. Sends what is there already if
    /// there is no room, and them as well if they are too many.
    fn put(&mut self, len: usize) -> Result {
        let bytes = self.packet.get(..len).ok_or(EINVAL)?;
        if self.batch.push(bytes) {
            return Ok(());
        }
        self.flush(true)?;
        let bytes = self.packet.get(..len).ok_or(EINVAL)?;
        if self.batch.push(bytes) {
            return Ok(());
        }
        let patience = &mut self.patience;
        self.held_back = true;
        send_patiently(&self.session.data, bytes, true, || patience.lasts())
    }

    /// Encodes header and sub-header; `follow` bytes of data will come behind.
    fn encode(
        &mut self,
        volume: u16,
        command: Command,
        follow: u32,
        emit: impl FnOnce(Command, &mut [u8], u32) -> Result<usize, WireError>,
    ) -> Result<usize> {
        encode(
            self.session.version(),
            &mut self.packet,
            volume,
            command,
            follow,
            emit,
        )
    }

    fn block_request(
        &mut self,
        volume: u16,
        command: Command,
        extent: Extent,
        block_id: u64,
    ) -> Result {
        let request = BlockRequest {
            sector: extent.sector,
            block_id,
            size: extent.bytes,
        };
        self.packet(volume, command, |c, out, _| request.emit(c, out))
    }

    /// Asks the peer to serve a read.
    fn read(&mut self, volume: u16, ticket: Ticket) -> Result {
        let Some(device) = self.resource.link.device(volume) else {
            return Ok(());
        };
        let begun = device.volume.lock().send_begin(ticket, 0, Device::now());
        let Some(view) = begun else {
            // Given up since it was queued.
            return Ok(());
        };
        let command = Command::DataRequest;
        let sent = self.block_request(volume, command, view.extent, ticket.block_id());
        device.feed(|volume, fx| volume.send_done(ticket, fx));
        sent
    }

    /// Puts a data header, the digest of the payload if one is configured, and the payload into the
    /// batch; what has no room there is sent.
    fn blocks(
        &mut self,
        volume: u16,
        command: Command,
        header: DataHeader,
        cargo: Cargo,
        transfer: Transfer,
    ) -> Result {
        let payload = cargo.payload();
        let bytes = payload.remaining();
        let mut digest = [0; DIGEST_MAX];
        let size = match &mut self.integrity {
            Some(integrity) => integrity.of_payload(&payload, &mut digest)?.len(),
            None => 0,
        };
        let follow = u32::try_from(size + bytes)?;
        let len = self.encode(volume, command, follow, |c, out, _| header.emit(c, out))?;
        let end = len + size;
        let place = self.packet.get_mut(len..end).ok_or(EINVAL)?;
        place.copy_from_slice(digest.get(..size).ok_or(EINVAL)?);
        self.put(end)?;
        // With a digest, what was copied is looked at again before it is given up.
        let later = size > 0 && bytes > 0 && transfer == Transfer::Copy;
        let left = match later {
            true => Some(cargo),
            false => self.batch.load(cargo, transfer).err(),
        };
        let Some(cargo) = left else {
            return Ok(());
        };
        self.flush(true)?;
        let payload = cargo.payload();
        self.held_back = self.more;
        send_all_of(
            self.session,
            payload.clone(),
            transfer,
            self.more,
            &mut self.patience,
        )?;
        match transfer {
            Transfer::Copy => self.check_unchanged(header.sector, &payload, &digest),
            Transfer::Reference => Ok(()),
        }
    }

    /// Sends the batch; `more` says that something follows at once.
    fn flush(&mut self, more: bool) -> Result {
        let flags = SendFlags {
            more,
            ..SendFlags::default()
        };
        let mut sent = Ok(());
        while self.batch.remaining() > 0 && sent.is_ok() {
            self.held_back = more;
            sent = match self.batch.send_some(&self.session.data, flags) {
                Ok(_) => {
                    self.patience.renew();
                    Ok(())
                }
                Err(error) if error == EAGAIN && self.patience.lasts() => Ok(()),
                Err(error) => Err(error),
            };
        }
        self.batch.clear();
        sent
    }

    /// Sends data that the peer wanted.
    fn reply(&mut self, volume: u16, ticket: PeerTicket) -> Result {
        let Some(device) = self.resource.link.device(volume) else {
            return Ok(());
        };
        let (view, pages) = {
            let mut desk = device.volume.lock();
            (desk.peer_view(ticket), desk.take_payload(ticket))
        };
        let sent = match (view.map(|view| (view.answer, view)), pages) {
            (Some((Answer::Digest { .. }, view)), pages) => {
                self.digest(volume, view, pages.as_ref())
            }
            (Some((Answer::Compare { .. }, view)), pages) => {
                return self.compare(&device, ticket, view, pages);
            }
            (Some((Answer::Request, view)), pages) => {
                return self.request_with_digest(volume, &device, ticket, view.extent, pages);
            }
            (Some((Answer::Check, _)), Some(pages))
                if !self.differs_at_target(&device, ticket, &pages) =>
            {
                return Ok(());
            }
            (Some((Answer::ThinData, view)), Some(pages)) if pages.is_zero() => {
                let desc = BlockDesc {
                    sector: view.extent.sector,
                    size: view.extent.bytes,
                };
                let command = Command::RsDeallocated;
                self.packet(volume, command, |c, out, _| desc.emit(c, out))
            }
            (Some((answer, view)), Some(pages)) => {
                let command = match answer {
                    Answer::ResyncData | Answer::ThinData | Answer::Check => Command::RsDataReply,
                    _ => Command::DataReply,
                };
                let header = DataHeader {
                    sector: view.extent.sector,
                    block_id: view.block_id,
                    ..DataHeader::default()
                };
                let cargo = Cargo::Pages(pages);
                self.blocks(volume, command, header, cargo, Transfer::Reference)
            }
            _ => Ok(()),
        };
        device.feed(|volume, fx| volume.peer_reply_sent(ticket, fx));
        sent
    }
}
