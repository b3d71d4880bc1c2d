// SPDX-License-Identifier: GPL-2.0

//! The whole bitmap, run-length coded where that is shorter.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::device::Device;
use crate::engine::bitmap_code::{
    encode,
    TransferCursor, //
};
use crate::engine::resource::Event;
use crate::engine::wire::bitmap::{
    max_payload,
    CompressedBitmap, //
};
use crate::engine::wire::Command;

use super::Sender;

impl Sender<'_> {
    /// Sends the whole bitmap, run-length coded where that is shorter.
    pub(super) fn bitmap(&mut self, volume: u16) -> Result {
        let Some(device) = self.resource.link.device(volume) else {
            return Ok(());
        };
        let bits = device.volume.lock().bitmap().map_or(0, |b| b.bits());
        let mut cursor = TransferCursor::new(bits);
        while !cursor.is_done() {
            if self.session.is_down() {
                return Err(EPIPE);
            }
            self.bitmap_packet(&device, &mut cursor)?;
        }
        self.flush(self.more)?;
        self.resource
            .post_for(&device, |volume| Event::BitmapSent { volume });
        Ok(())
    }

    fn bitmap_packet(&mut self, device: &Device, cursor: &mut TransferCursor) -> Result {
        let coded = self.session.tuning().use_rle && self.session.version() >= 90;
        let mut code = [0; 1024];
        let encoded = coded
            .then(|| {
                let volume = device.volume.lock();
                let bitmap = volume.bitmap()?;
                encode(&mut code, cursor.bit(), bitmap.bits(), |from, set| {
                    bitmap.run_end(from, set)
                })
            })
            .flatten();
        if let Some(encoded) = encoded {
            let packet = CompressedBitmap {
                first_set: encoded.first_set,
                pad_bits: encoded.pad_bits,
                code: code.get(..encoded.code_len).ok_or(EINVAL)?,
            };
            let _ = cursor.skip_bits(encoded.covered);
            return self.packet(device.number, Command::CompressedBitmap, |_, out, _| {
                packet.emit(out)
            });
        }
        let words = cursor.plain_words(max_payload(self.session.version()));
        let first = cursor.word();
        cursor.skip_words(words);
        self.packet(device.number, Command::Bitmap, |_, out, _| {
            let len = usize::try_from(words * 8).unwrap_or(0);
            let volume = device.volume.lock();
            let copied = match (volume.bitmap(), out.get_mut(..len)) {
                (Some(bitmap), Some(out)) => bitmap.get_words(first, out),
                _ => 0,
            };
            Ok(copied)
        })
    }
}
