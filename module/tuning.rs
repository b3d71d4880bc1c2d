// SPDX-License-Identifier: GPL-2.0

//! The options of a connection that take effect at once when they are changed (`net-options`).
#![forbid(unsafe_code)]

use crate::engine::life::Silence;
use crate::engine::options::{
    NetOptions,
    WireProtocol, //
};
use crate::sys::socket::BufferSizes;

/// What the threads of a session go by, until it changes.
#[derive(Clone, Copy)]
pub struct Tuning {
    /// How long a socket may take nothing, in milliseconds (`timeout`).
    pub timeout: u32,
    /// So many of them make a dead peer (`ko-count`); 0: none do.
    pub ko_count: u32,
    /// How long nothing may come.
    pub silence: Silence,
    /// Sends of one batch are joined (`tcp-cork`).
    pub tcp_cork: bool,
    /// Bitmaps are coded (`use-rle`).
    pub use_rle: bool,
    /// The protocol, for peers that do not say how they want to be answered.
    pub protocol: WireProtocol,
    /// Pages for what the peer sends (`max-buffers`).
    pub max_buffers: u32,
    /// Writes of an epoch (`max-epoch-size`).
    pub max_epoch_size: u32,
    send_buffer: u32,
    receive_buffer: u32,
}

impl Tuning {
    /// What the options say.
    pub fn of(net: &NetOptions) -> Self {
        Self {
            timeout: net.timeout * 100,
            ko_count: net.ko_count,
            silence: Silence {
                interval: net.ping_int * 1000,
                answer: net.ping_timeout * 100,
            },
            tcp_cork: net.tcp_cork,
            use_rle: net.use_rle,
            protocol: net.protocol,
            max_buffers: net.max_buffers,
            max_epoch_size: net.max_epoch_size,
            send_buffer: net.sndbuf_size,
            receive_buffer: net.rcvbuf_size,
        }
    }

    /// Sizes of the sockets' buffers.
    pub fn buffers(&self) -> BufferSizes {
        BufferSizes {
            send: self.send_buffer,
            receive: self.receive_buffer,
        }
    }
}
