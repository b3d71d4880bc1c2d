// SPDX-License-Identifier: GPL-2.0

//! The sending side of a TCP socket: bytes by copying, pages by reference.

use super::{
    params,
    payload::{
        Payload,
        Segment,
        BATCH, //
    },
    shim,
    socket::{
        TcpSocket,
        MSG_DONTWAIT,
        MSG_NOSIGNAL, //
    },
};
use kernel::{
    bindings,
    ffi::c_uint,
    prelude::*, //
};

/// `MSG_*`; checked in `shim.c`.
const MSG_MORE: c_uint = 0x8000;
const MSG_SPLICE_PAGES: c_uint = 0x800_0000;

/// How to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendFlags {
    /// More follows at once: don't send a small packet now.
    pub more: bool,
    /// Don't wait for room.
    pub dont_wait: bool,
}

impl SendFlags {
    fn bits(self) -> c_uint {
        let bit = |on, bit| if on { bit } else { 0 };
        MSG_NOSIGNAL | bit(self.more, MSG_MORE) | bit(self.dont_wait, MSG_DONTWAIT)
    }
}

/// How payload is put into the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// By copying: the payload may change or go as soon as the call returns.
    Copy,
    /// By reference to its pages: they stay until acknowledged, but if the payload changes before
    /// that, so may what the peer gets.
    Reference,
}

impl TcpSocket {
    /// Sends at most `from.len()` bytes, by copying; returns how many. May sleep.
    ///
    /// Errors: `EAGAIN` when there was no room in time, `EPIPE`, `ECONNRESET`.
    pub fn send(&self, from: &[u8], flags: SendFlags) -> Result<usize> {
        let mut vector = bindings::kvec {
            iov_base: from.as_ptr().cast_mut().cast(),
            iov_len: from.len(),
        };
        let mut message = bindings::msghdr::default();
        // SAFETY: The vector covers `from`, which is only read; both outlive the message.
        unsafe {
            bindings::iov_iter_kvec(
                &raw mut message.msg_iter,
                bindings::ITER_SOURCE,
                &raw mut vector,
                1,
                from.len(),
            )
        };
        self.send_message(&mut message, flags.bits())
    }

    /// Sends what remains of `from`, at most a batch of its segments; returns how many bytes, and
    /// moves it on by them. May sleep.
    ///
    /// Call it until nothing remains. Pages that can't be sent by reference are copied.
    ///
    /// Errors: as for [`TcpSocket::send`].
    pub fn send_payload(
        &self,
        from: &mut Payload<'_>,
        flags: SendFlags,
        transfer: Transfer,
    ) -> Result<usize> {
        let mut batch = [Segment::default(); BATCH];
        let (count, bytes) = from.batch(&mut batch);
        if count == 0 {
            return Ok(0);
        }
        let flags = SendFlags {
            more: flags.more || bytes < from.remaining(),
            ..flags
        };
        let segments = batch.get(..count).unwrap_or(&[]);
        let refer = transfer == Transfer::Reference
            // SAFETY: The page is live.
            && segments.iter().all(|s| unsafe { shim::tandem_sendpage_ok(s.bv_page) });
        // SAFETY: The segments are of live pages.
        let sent = unsafe { self.send_segments(segments, bytes, flags, refer) }?;
        from.skip(sent);
        Ok(sent)
    }

    /// Sends segments of so many bytes in all; returns how many. May sleep.
    ///
    /// # Safety
    ///
    /// They must be of live pages, which may be sent by reference if the socket shall `refer` to
    /// them: it holds them until the peer has them.
    pub(super) unsafe fn send_segments(
        &self,
        segments: &[Segment],
        bytes: usize,
        flags: SendFlags,
        refer: bool,
    ) -> Result<usize> {
        let mut bits = flags.bits();
        if refer && !params::disable_sendpage() {
            bits |= MSG_SPLICE_PAGES;
        }
        let mut message = bindings::msghdr::default();
        let (first, count) = (segments.as_ptr(), segments.len());
        let iter = &raw mut message.msg_iter;
        // SAFETY: As this function requires; the list outlives the message.
        unsafe { bindings::iov_iter_bvec(iter, bindings::ITER_SOURCE, first, count, bytes) };
        self.send_message(&mut message, bits)
    }

    fn send_message(&self, message: &mut bindings::msghdr, flags: c_uint) -> Result<usize> {
        message.msg_flags = flags;
        // SAFETY: The socket is live, and the message covers memory that outlives it.
        let sent = unsafe { bindings::sock_sendmsg(self.0.as_ptr(), message) };
        usize::try_from(sent).map_err(|_| Error::from_errno(sent))
    }
}
