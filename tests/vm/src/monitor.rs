// SPDX-License-Identifier: GPL-2.0

//! The machine's own control socket (QMP): cables, and standstill.

use std::{io::BufReader, os::unix::net::UnixStream, path::Path, time::Duration};

use anyhow::{Context, Result};
use qapi::{qmp, Qmp, Stream};
use serde::{Deserialize, Serialize};

/// Whether a cable carries anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// It carries.
    Up,
    /// It is cut.
    Down,
}

/// How long the machine may take to answer; it has nothing to wait for.
const ANSWER: Duration = Duration::from_secs(30);

/// One connection to a machine's control socket; the machine serves one at a time.
pub(crate) struct Monitor {
    qmp: Qmp<Stream<BufReader<UnixStream>, UnixStream>>,
}

impl Monitor {
    /// Connects and agrees on the protocol.
    pub(crate) fn connect(path: &Path) -> Result<Self> {
        let socket = UnixStream::connect(path)
            .with_context(|| format!("no machine answers at {}", path.display()))?;
        socket.set_read_timeout(Some(ANSWER))?;
        let reader = BufReader::new(socket.try_clone()?);
        let mut qmp = Qmp::new(Stream::new(reader, socket));
        qmp.handshake()
            .context("the machine's control socket does not greet")?;
        Ok(Self { qmp })
    }

    /// Stops the machine's processors.
    pub(crate) fn freeze(&mut self) -> Result<()> {
        self.qmp
            .execute(&qmp::stop {})
            .context("cannot stop the machine")?;
        Ok(())
    }

    /// Lets them run again.
    pub(crate) fn thaw(&mut self) -> Result<()> {
        self.qmp
            .execute(&qmp::cont {})
            .context("cannot let the machine go on")?;
        Ok(())
    }

    /// Cuts or joins this machine's end of a cable.
    pub(crate) fn set_link(&mut self, card: &str, link: Link) -> Result<()> {
        self.qmp
            .execute(&qmp::set_link {
                name: card.into(),
                up: link == Link::Up,
            })
            .with_context(|| format!("cannot set the link of {card}"))?;
        Ok(())
    }
}
