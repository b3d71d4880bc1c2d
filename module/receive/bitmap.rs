// SPDX-License-Identifier: GPL-2.0

//! The peer's bitmap, in parts.
#![forbid(unsafe_code)]

use crate::engine::bitmap_code::{
    Decoder,
    TransferCursor, //
};
use crate::engine::resource::Event;
use crate::engine::wire::bitmap::{
    max_payload,
    CompressedBitmap, //
};
use crate::engine::wire::{
    Command,
    Header, //
};
use crate::words::Problem;

use super::{
    Outcome,
    Receiver,
    Stop, //
};

impl Receiver<'_> {
    /// A part of the peer's bitmap.
    pub(super) fn bitmap(&mut self, header: Header) -> Outcome {
        let device = self.device(header)?;
        if !self.resource.awaits_bitmap(header.volume) {
            self.bitmap = None;
            return Ok(());
        }
        let bits = device.volume.lock().bitmap().map_or(0, |b| b.bits());
        let (number, mut cursor) = self
            .bitmap
            .take()
            .unwrap_or((header.volume, TransferCursor::new(bits)));
        if number != header.volume {
            return Err(Stop::refused(header.command, Problem::Order));
        }
        let payload = self.bytes(header.length);
        let version = self.session.version();
        let malformed = |_| Stop::refused(header.command, Problem::Bitmap);
        if header.command == Command::CompressedBitmap {
            let packet = Self::parse(header, CompressedBitmap::parse(payload, version))?;
            let decoder =
                Decoder::new(packet.code, packet.pad_bits, packet.first_set).map_err(malformed)?;
            let mut volume = device.volume.lock();
            cursor
                .take_code(decoder, |first, count| volume.set_bits(first, count))
                .map_err(malformed)?;
        } else {
            let words = cursor
                .check_plain(payload.len(), max_payload(version))
                .map_err(malformed)?;
            let mut volume = device.volume.lock();
            volume.merge_bitmap(cursor.word(), payload);
            cursor.skip_words(words);
        }
        if cursor.is_done() {
            self.resource
                .post_for(&device, |volume| Event::BitmapReceived { volume });
        } else {
            self.bitmap = Some((number, cursor));
        }
        Ok(())
    }
}
