// SPDX-License-Identifier: GPL-2.0

//! TCP sockets of the kernel, over IPv4 and IPv6, in the initial network namespace.
//!
//! A socket may be used by several threads at once: typically one receives, others send, and a
//! fourth shuts it down. Who sends what in which order is for the driver to lock.

use super::{
    page::PageVec,
    payload::{
        address,
        PayloadMut,
        Segment,
        BATCH, //
    },
    shim,
};
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*, //
};

use core::{
    mem::MaybeUninit,
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};

/// `AF_INET`.
pub(super) const FAMILY_V4: u16 = 2;
/// `AF_INET6`.
const FAMILY_V6: u16 = 10;
/// `MSG_*`; checked in `shim.c`.
const MSG_PEEK: c_uint = 0x2;
pub(super) const MSG_DONTWAIT: c_uint = 0x40;
const MSG_WAITALL: c_uint = 0x100;
pub(super) const MSG_NOSIGNAL: c_uint = 0x4000;

/// A socket address with its port, in the form that user space gives: `struct sockaddr_in`, or
/// `struct sockaddr_in6`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Zeroes follow the address proper.
    bytes: [u8; Self::BYTES],
    len: u8,
}

impl Address {
    const BYTES: usize = 28;
    const BYTES_V4: usize = 16;

    /// Reads an address as netlink carries it. `None` for other families and bad lengths.
    pub fn from_bytes(from: &[u8]) -> Option<Self> {
        let [low, high, ..] = *from else {
            return None;
        };
        let len = match u16::from_ne_bytes([low, high]) {
            FAMILY_V4 => Self::BYTES_V4,
            FAMILY_V6 => Self::BYTES,
            _ => return None,
        };
        let mut bytes = [0; Self::BYTES];
        bytes.get_mut(..len)?.copy_from_slice(from.get(..len)?);
        // Both lengths are small.
        let len = len as u8;
        Some(Self { bytes, len })
    }

    /// The address as netlink carries it.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or(&[])
    }

    /// Whether it is an IPv6 address.
    pub fn is_v6(&self) -> bool {
        self.family() == FAMILY_V6
    }

    fn family(&self) -> u16 {
        let [low, high, ..] = self.bytes;
        u16::from_ne_bytes([low, high])
    }

    /// The port.
    pub fn port(&self) -> u16 {
        let [_, _, high, low, ..] = self.bytes;
        u16::from_be_bytes([high, low])
    }

    /// The same address with another port.
    pub fn with_port(mut self, port: u16) -> Self {
        let [high, low] = port.to_be_bytes();
        self.bytes[2] = high;
        self.bytes[3] = low;
        self
    }

    /// The bytes of the host's address: 4 or 16, in network order.
    pub fn host(&self) -> &[u8] {
        let range = if self.is_v6() { 8..24 } else { 4..8 };
        self.bytes.get(range).unwrap_or(&[])
    }

    /// Whether both name the same host, whatever the port.
    pub fn same_host(&self, other: &Self) -> bool {
        self.family() == other.family() && self.host() == other.host()
    }

    /// A copy in the kernel's form, with its length.
    fn to_raw(self) -> (RawAddress, c_int) {
        let mut raw = RawAddress([0; 128]);
        for (to, from) in raw.0.iter_mut().zip(self.bytes) {
            *to = from;
        }
        (raw, self.len.into())
    }
}

/// Room for any address, aligned as the kernel wants it.
#[repr(C, align(8))]
struct RawAddress([u8; 128]);

/// How large the buffers of a socket are, in bytes; 0 leaves it to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferSizes {
    /// Of what is sent and not yet acknowledged.
    pub send: u32,
    /// Of what has come and isn't read yet.
    pub receive: u32,
}

/// How to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// Waits for some bytes.
    Some,
    /// Waits until the buffer is full, the timeout passed or the connection ended.
    All,
    /// What is there.
    Now,
    /// What is there, and leaves it in the socket.
    Peek,
}

impl Receive {
    fn bits(self) -> c_uint {
        MSG_NOSIGNAL
            | match self {
                Self::Some => 0,
                Self::All => MSG_WAITALL,
                Self::Now => MSG_DONTWAIT,
                Self::Peek => MSG_DONTWAIT | MSG_PEEK,
            }
    }
}

fn vector(slice: &mut [u8]) -> bindings::kvec {
    bindings::kvec {
        iov_base: slice.as_mut_ptr().cast(),
        iov_len: slice.len(),
    }
}

/// An owned socket; released when dropped.
pub(super) struct Socket {
    socket: NonNull<bindings::socket>,
    /// Whether it may use the memory reserves, which must be undone.
    reserves: AtomicBool,
}

// SAFETY: Sockets lock themselves, and may be used from any thread.
unsafe impl Send for Socket {}
// SAFETY: As above.
unsafe impl Sync for Socket {}

impl Socket {
    /// Makes a TCP socket that never starts block I/O to get memory.
    pub(super) fn new(family: u16) -> Result<Self> {
        let mut socket = null_mut();
        // SAFETY: `socket` is valid for writes; we may sleep.
        to_result(unsafe {
            bindings::sock_create_kern(
                &raw mut bindings::init_net,
                family.into(),
                bindings::sock_type_SOCK_STREAM as c_int,
                bindings::IPPROTO_TCP as c_int,
                &raw mut socket,
            )
        })?;
        Self::adopt(socket)
    }

    /// Owns a fresh socket of the kernel.
    fn adopt(socket: *mut bindings::socket) -> Result<Self> {
        let socket = Self {
            socket: NonNull::new(socket).ok_or(ENOMEM)?,
            reserves: AtomicBool::new(false),
        };
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_set_io(socket.as_ptr(), 0) };
        Ok(socket)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::socket {
        self.socket.as_ptr()
    }

    pub(super) fn set_use_reserves(&self, on: bool) {
        if self.reserves.swap(on, Ordering::AcqRel) != on {
            // SAFETY: The socket is live.
            unsafe { shim::tandem_sk_set_memalloc(self.as_ptr(), on) };
        }
    }

    fn bind(&self, address: &Address) -> Result {
        let (mut raw, len) = address.to_raw();
        // SAFETY: The socket is live, and the address is longer than any family's.
        to_result(unsafe { bindings::kernel_bind(self.as_ptr(), (&raw mut raw).cast(), len) })
    }

    fn set_buffers(&self, sizes: BufferSizes) -> Result {
        let send = c_int::try_from(sizes.send)?;
        let receive = c_int::try_from(sizes.receive)?;
        // SAFETY: The socket is live; may sleep.
        unsafe { shim::tandem_sk_set_buffers(self.as_ptr(), send, receive) };
        Ok(())
    }

    fn set_receive_timeout(&self, ms: Option<u32>) {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_set_rcv_timeout(self.as_ptr(), shim::timeout_jiffies(ms)) };
    }

    fn set_send_timeout(&self, ms: Option<u32>) {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_set_snd_timeout(self.as_ptr(), shim::timeout_jiffies(ms)) };
    }

    fn shutdown(&self, how: bindings::sock_shutdown_cmd) {
        // SAFETY: The socket is live. (The result only says whether it was connected.)
        unsafe { bindings::kernel_sock_shutdown(self.as_ptr(), how) };
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.set_use_reserves(false);
        // SAFETY: The socket is ours, and we may sleep.
        unsafe { bindings::sock_release(self.as_ptr()) };
    }
}

/// A socket that listens.
pub struct Listener(Socket);

impl Listener {
    /// Listens at `address`, which may be in use by connections that are ending. May sleep.
    ///
    /// Connections that come get these buffer sizes.
    ///
    /// Errors: `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub fn bind(address: &Address, sizes: BufferSizes) -> Result<Self> {
        let socket = Socket::new(address.family())?;
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_set_reuseaddr(socket.as_ptr()) };
        socket.set_buffers(sizes)?;
        socket.bind(address)?;
        const BACKLOG: c_int = 5;
        // SAFETY: The socket is live.
        to_result(unsafe { bindings::kernel_listen(socket.as_ptr(), BACKLOG) })?;
        Ok(Self(socket))
    }

    /// Takes the next connection, waiting up to `ms` milliseconds for it. May sleep.
    ///
    /// `None` when none came in time. One thread at a time should do this.
    ///
    /// Errors: `EINVAL` after [`Listener::shutdown`].
    pub fn accept(&self, ms: u32) -> Result<Option<TcpSocket>> {
        self.0.set_receive_timeout(Some(ms));
        let mut socket = null_mut();
        let flags = if ms == 0 {
            bindings::O_NONBLOCK as c_int
        } else {
            0
        };
        // SAFETY: The listener is live, `socket` is valid for writes, and we may sleep.
        let result = unsafe { bindings::kernel_accept(self.0.as_ptr(), &raw mut socket, flags) };
        match to_result(result) {
            Err(error) if error == EAGAIN => Ok(None),
            Err(error) => Err(error),
            Ok(()) => {
                let socket = TcpSocket(Socket::adopt(socket)?);
                socket.set_receive_timeout(None);
                Ok(Some(socket))
            }
        }
    }
}

/// A TCP connection.
pub struct TcpSocket(pub(super) Socket);

impl TcpSocket {
    /// Connects from the host of `source` (any port) to `destination`. May sleep.
    ///
    /// Errors: `ETIMEDOUT` or `EINPROGRESS` after `ms` milliseconds, `ECONNREFUSED`,
    /// `EHOSTUNREACH`, `ENETUNREACH`, `EADDRNOTAVAIL`, `EINVAL`.
    pub fn connect(
        source: &Address,
        destination: &Address,
        ms: u32,
        sizes: BufferSizes,
    ) -> Result<Self> {
        let socket = Socket::new(source.family())?;
        socket.set_buffers(sizes)?;
        socket.set_send_timeout(Some(ms));
        socket.set_receive_timeout(Some(ms));
        socket.bind(&source.with_port(0))?;
        let (mut raw, len) = destination.to_raw();
        // SAFETY: The socket is live, the address longer than any family's, and we may sleep.
        to_result(unsafe {
            bindings::kernel_connect(socket.as_ptr(), (&raw mut raw).cast(), len, 0)
        })?;
        Ok(Self(socket))
    }

    /// Receives at most `to.len()` bytes. May sleep.
    ///
    /// Returns 0 when the peer has ended the connection, or it was shut down.
    ///
    /// Errors: `EAGAIN` when none came in time, `ECONNRESET`.
    pub fn receive(&self, to: &mut [u8], how: Receive) -> Result<usize> {
        let mut vector = bindings::kvec {
            iov_base: to.as_mut_ptr().cast(),
            iov_len: to.len(),
        };
        let mut message = bindings::msghdr::default();
        // SAFETY: The vector covers `to`, and both outlive the message.
        unsafe {
            bindings::iov_iter_kvec(
                &raw mut message.msg_iter,
                bindings::ITER_DEST,
                &raw mut vector,
                1,
                to.len(),
            )
        };
        self.receive_message(&mut message, how.bits())
    }

    /// Receives into `to`, and what comes behind it into `ahead`, as much as is there. Doesn't
    /// wait.
    ///
    /// Returns how many bytes in all; `to` is filled first. Errors: `EAGAIN` when there are none.
    pub fn receive_ahead(&self, to: &mut [u8], ahead: &mut [u8]) -> Result<usize> {
        let mut vectors = [vector(to), vector(ahead)];
        // SAFETY: Both slices are writable and outlive the call.
        unsafe { self.receive_vectors(&mut vectors, MSG_NOSIGNAL | MSG_DONTWAIT) }
    }

    /// Like [`TcpSocket::receive_ahead`], for payload, which is moved on. Doesn't wait.
    pub fn receive_payload_ahead(
        &self,
        to: &mut PayloadMut<'_>,
        ahead: &mut [u8],
    ) -> Result<usize> {
        let mut batch = [Segment::default(); BATCH];
        let (count, bytes) = to.0.batch(&mut batch);
        let mut vectors = [bindings::kvec::default(); BATCH + 1];
        for (vector, segment) in vectors.iter_mut().zip(batch.iter().take(count)) {
            *vector = bindings::kvec {
                iov_base: address(segment).cast(),
                iov_len: segment.bv_len as usize,
            };
        }
        if bytes == to.remaining() {
            if let Some(last) = vectors.get_mut(count) {
                *last = vector(ahead);
            }
        }
        // SAFETY: The segments are of live pages that may be written; `ahead` is writable.
        let received = unsafe { self.receive_vectors(&mut vectors, MSG_NOSIGNAL | MSG_DONTWAIT)? };
        to.skip(received);
        Ok(received)
    }

    /// Receives into memory that `vectors` point to, in order.
    ///
    /// # Safety
    ///
    /// All of it must be writable during the call.
    unsafe fn receive_vectors(
        &self,
        vectors: &mut [bindings::kvec],
        flags: c_uint,
    ) -> Result<usize> {
        let bytes = vectors.iter().map(|vector| vector.iov_len).sum();
        let mut message = bindings::msghdr::default();
        // SAFETY: The vectors outlive the message; they are valid by this function's contract.
        unsafe {
            bindings::iov_iter_kvec(
                &raw mut message.msg_iter,
                bindings::ITER_DEST,
                vectors.as_ptr(),
                vectors.len(),
                bytes,
            )
        };
        match self.receive_message(&mut message, flags)? {
            0 => Err(ECONNRESET),
            received => Ok(received),
        }
    }

    /// Receives exactly `to.len()` bytes. May sleep.
    ///
    /// Errors: `ECONNRESET` also when the connection ended before, `EAGAIN` when the timeout
    /// passed before all were there, however the peer spreads them; what had come is lost.
    pub fn receive_exact(&self, to: &mut [u8]) -> Result {
        let received = self.receive(to, Receive::All)?;
        match to.get_mut(received..) {
            None | Some([]) => Ok(()),
            // The time is over, or the connection.
            Some(missing) => match self.receive(missing, Receive::Now)? {
                0 => Err(ECONNRESET),
                _ => Err(EAGAIN),
            },
        }
    }

    /// Receives all that remains of `to`, into its place. May sleep.
    ///
    /// Errors: as for [`TcpSocket::receive_exact`].
    pub fn receive_payload(&self, to: &mut PayloadMut<'_>) -> Result {
        while to.remaining() > 0 {
            let mut batch = [Segment::default(); BATCH];
            let (count, bytes) = to.0.batch(&mut batch);
            let mut message = bindings::msghdr::default();
            // SAFETY: The segments are of live pages that may be written; both outlive the message.
            unsafe {
                bindings::iov_iter_bvec(
                    &raw mut message.msg_iter,
                    bindings::ITER_DEST,
                    batch.as_ptr(),
                    count,
                    bytes,
                )
            };
            let received = self.receive_message(&mut message, MSG_NOSIGNAL | MSG_WAITALL)?;
            if received == 0 {
                return Err(ECONNRESET);
            }
            to.skip(received);
        }
        Ok(())
    }

    /// Receives all of `to`, which is as long as its `len()`. May sleep.
    ///
    /// Errors: as for [`TcpSocket::receive_exact`].
    pub fn receive_pages(&self, to: &mut PageVec) -> Result {
        self.receive_payload(&mut to.payload_mut())
    }

    fn receive_message(&self, message: &mut bindings::msghdr, flags: c_uint) -> Result<usize> {
        message.msg_flags = flags;
        // SAFETY: The socket is live, and the message covers writable memory that outlives it.
        let received = unsafe { bindings::sock_recvmsg(self.0.as_ptr(), message, flags as c_int) };
        usize::try_from(received).map_err(|_| Error::from_errno(received))
    }

    /// How long receiving waits, in milliseconds; `None` is for ever. Any context.
    ///
    /// Counts from the next call on.
    pub fn set_receive_timeout(&self, ms: Option<u32>) {
        self.0.set_receive_timeout(ms);
    }

    /// How long sending waits for room, in milliseconds; `None` is for ever. Any context.
    pub fn set_send_timeout(&self, ms: Option<u32>) {
        self.0.set_send_timeout(ms);
    }

    /// Holds back incomplete packets, or sends what was held back. May sleep.
    pub fn set_cork(&self, on: bool) {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_set_cork(self.0.as_ptr(), on) };
    }

    /// Sends small packets at once. May sleep.
    pub fn set_no_delay(&self) {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_set_nodelay(self.0.as_ptr()) };
    }

    /// How many bytes it takes at present without waiting for the peer. Any context.
    pub fn room(&self) -> usize {
        // SAFETY: The socket is live.
        let room = unsafe { shim::tandem_sk_room(self.0.as_ptr()) };
        usize::try_from(room).unwrap_or(0)
    }

    /// Asks a silent peer for a sign of life: after `idle` seconds, `count` times every `interval`
    /// seconds. May sleep.
    pub fn set_keepalive(&self, idle: u16, interval: u16, count: u8) {
        // SAFETY: The socket is live.
        unsafe {
            shim::tandem_sk_set_keepalive(
                self.0.as_ptr(),
                idle.into(),
                interval.into(),
                count.into(),
            )
        };
    }

    /// Sets the priority of its packets in queues (`TC_PRIO_*`): 4 is interactive bulk, 6 is
    /// interactive.
    pub fn set_priority(&self, priority: u32) {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_set_io(self.0.as_ptr(), priority) };
    }

    /// Sets the sizes of its buffers. May sleep.
    ///
    /// Errors: `EINVAL` for 2 GiB and more.
    pub fn set_buffers(&self, sizes: BufferSizes) -> Result {
        self.0.set_buffers(sizes)
    }

    /// Lets it use the memory reserves, as swap over it needs it. May sleep.
    pub fn set_use_reserves(&self, on: bool) {
        self.0.set_use_reserves(on);
    }

    /// Bytes that came and were not read, and bytes that were sent and not acknowledged, as of
    /// some moment. Any context.
    pub fn in_buffers(&self) -> (u32, u32) {
        let socket = self.0.as_ptr();
        // SAFETY: The socket is live, and of TCP.
        let unread = unsafe { shim::tandem_sk_unread(socket) };
        // SAFETY: As above.
        (unread, unsafe { shim::tandem_sk_unacked(socket) })
    }

    /// Bytes of memory that hold what isn't acknowledged yet. Any context.
    pub fn queued_bytes(&self) -> u32 {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_queued(self.0.as_ptr()) }.unsigned_abs()
    }

    /// Size of the send buffer, in bytes of the same kind. Any context.
    pub fn send_buffer(&self) -> u32 {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_sndbuf(self.0.as_ptr()) }.unsigned_abs()
    }

    /// Whether the connection is up in both directions. Any context.
    pub fn is_established(&self) -> bool {
        // SAFETY: The socket is live.
        unsafe { shim::tandem_sk_established(self.0.as_ptr()) }
    }

    /// The peer's address. May sleep.
    ///
    /// Errors: `ENOTCONN`; `EAFNOSUPPORT` for a family of neither IP.
    pub fn peer(&self) -> Result<Address> {
        let mut raw = MaybeUninit::<RawAddress>::zeroed();
        // SAFETY: The socket is live, and there is room for any address.
        let len = unsafe { bindings::kernel_getpeername(self.0.as_ptr(), raw.as_mut_ptr().cast()) };
        if len < 0 {
            return Err(Error::from_errno(len));
        }
        // SAFETY: All bytes were zeroed, or written by the kernel.
        let raw = unsafe { raw.assume_init() };
        Address::from_bytes(&raw.0).ok_or(EAFNOSUPPORT)
    }

    /// Says that nothing more is sent. May sleep.
    pub fn shutdown_sending(&self) {
        self.0.shutdown(bindings::sock_shutdown_cmd_SHUT_WR);
    }

    /// Ends the connection in both directions, which wakes all who wait in it. May sleep.
    pub fn shutdown(&self) {
        self.0.shutdown(bindings::sock_shutdown_cmd_SHUT_RDWR);
    }
}
