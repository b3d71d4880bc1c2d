// SPDX-License-Identifier: GPL-2.0

//! The two sockets of a session.

use std::{
    io::{self, ErrorKind, Write},
    net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    io::Errno,
    net::{self, sockopt, AddressFamily, RecvFlags, SocketType},
};
use tandem_engine::wire::{Command, Header, PROTOCOL_BEFORE_HANDSHAKE};

use super::packet::{take, Incoming, Socket};

/// Where the module is.
const MODULE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
/// Where its peer is.
const PEER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How long the module may not read before the peer gives the session up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two attempts to call a module that does not listen yet.
const AGAIN: Duration = Duration::from_millis(3);

/// Bytes read at once.
const ROOM: usize = 64 << 10;

/// Two sockets and what came on them.
pub(crate) struct Sockets {
    data: TcpStream,
    meta: TcpStream,
    came: [Vec<u8>; 2],
    /// The module has closed one of them.
    pub(crate) closed: bool,
}

/// Listens for the module's calls.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpListener::bind((PEER, port)) {
            // A program that another thread starts has the former listener until it begins.
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < until => {
                thread::sleep(AGAIN);
            }
            result => return result,
        }
    }
}

/// Waits until the module has called twice; `None` when it does not in time.
pub(crate) fn accept(listener: &TcpListener, until: Instant) -> io::Result<Option<Sockets>> {
    let (mut data, mut meta) = (None, None);
    while data.is_none() || meta.is_none() {
        if !readable(&[listener], until.saturating_duration_since(Instant::now()))? {
            return Ok(None);
        }
        let (stream, _) = listener.accept()?;
        let mut first = [0; 8];
        if !readable(&[&stream], PATIENCE)? {
            return Ok(None);
        }
        if net::recv(&stream, &mut first, RecvFlags::WAITALL)?.1 != first.len() {
            return Ok(None);
        }
        match Header::parse(&first, PROTOCOL_BEFORE_HANDSHAKE).map(|header| header.command) {
            Ok(Command::InitialData) => data = Some(stream),
            Ok(Command::InitialMeta) => meta = Some(stream),
            other => {
                return Err(io::Error::other(format!(
                    "the module begins with {other:?}"
                )))
            }
        }
    }
    match (data, meta) {
        (Some(data), Some(meta)) => Sockets::new(data, meta).map(Some),
        _ => Ok(None),
    }
}

/// Calls the module twice, from the peer's address; `None` when it does not listen in time.
pub(crate) fn call(port: u16, until: Instant) -> io::Result<Option<Sockets>> {
    match (call_once(port, until)?, call_once(port, until)?) {
        (Some(data), Some(meta)) => Sockets::new(data, meta).map(Some),
        _ => Ok(None),
    }
}

fn call_once(port: u16, until: Instant) -> io::Result<Option<TcpStream>> {
    loop {
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        net::bind(&socket, &SocketAddrV4::new(PEER, 0))?;
        match net::connect(&socket, &SocketAddrV4::new(MODULE, port)) {
            Ok(()) => return Ok(Some(socket.into())),
            Err(Errno::CONNREFUSED | Errno::CONNRESET) if Instant::now() < until => {
                thread::sleep(AGAIN);
            }
            Err(Errno::CONNREFUSED | Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether one of them has something to read in that time.
fn readable(of: &[&impl std::os::fd::AsFd], limit: Duration) -> io::Result<bool> {
    let mut fds: Vec<_> = of
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::IN))
        .collect();
    let limit = Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    match poll(&mut fds, Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Sockets {
    fn new(data: TcpStream, meta: TcpStream) -> io::Result<Self> {
        for stream in [&data, &meta] {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(PATIENCE))?;
        }
        Ok(Self {
            data,
            meta,
            came: [Vec::new(), Vec::new()],
            closed: false,
        })
    }

    fn stream(&self, socket: Socket) -> &TcpStream {
        match socket {
            Socket::Data => &self.data,
            Socket::Meta => &self.meta,
        }
    }

    /// Sends bytes, one by one if `slowly`. Errors: the module closed, or does not read.
    pub(crate) fn send(&self, socket: Socket, bytes: &[u8], slowly: bool) -> io::Result<()> {
        let mut stream = self.stream(socket);
        if !slowly {
            return stream.write_all(bytes);
        }
        bytes.iter().try_for_each(|byte| {
            stream.write_all(&[*byte])?;
            thread::yield_now();
            Ok(())
        })
    }

    /// Nothing more is sent on a socket.
    pub(crate) fn half_close(&self, socket: Socket) {
        // The module may have closed it before.
        let _ = self.stream(socket).shutdown(Shutdown::Write);
    }

    /// Both are closed at once, and what is on its way is lost.
    pub(crate) fn reset(self) {
        for stream in [&self.data, &self.meta] {
            let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
        }
    }

    /// Reads what there is, after waiting for something at most so long; whether something came.
    pub(crate) fn read(&mut self, limit: Duration) -> io::Result<bool> {
        if self.closed {
            return Ok(false);
        }
        if !readable(&[&self.data, &self.meta], limit)? {
            return Ok(false);
        }
        let mut room = vec![0; ROOM];
        for (stream, came) in [&self.data, &self.meta].into_iter().zip(&mut self.came) {
            match net::recv(stream, &mut room[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET | Errno::PIPE) => self.closed = true,
                Ok((_, len)) => came.extend(&room[..len]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The next packet that is complete. Errors: what came is none.
    pub(crate) fn next(&mut self, version: u32) -> Result<Option<Incoming>, String> {
        for (socket, came) in [Socket::Data, Socket::Meta].into_iter().zip(&mut self.came) {
            if let Some(packet) = take(socket, came, version)? {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }
}
