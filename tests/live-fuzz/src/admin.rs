// SPDX-License-Identifier: GPL-2.0

//! The administrator of a resource: well-formed commands, which the module obeys or refuses.

use anyhow::{anyhow, Result};
use fastrand::Rng;
use tandem_engine::{
    control::{
        CfgContext, Command, DetachParms, DisconnectParms, DiskConf, NetAddress, NetConf, RetCode,
        SetRoleParms,
    },
    options::{DiskOptions, FixedBytes, FixedStr, NetOptions, WireProtocol},
};
use tandem_netlink::{Connection, Error, Request};

use crate::{
    place::{Place, FIXED},
    watch::bounded,
    wire::worker::WORKERS,
};

/// Place of internal metadata (`DRBD_MD_INDEX_FLEX_INT`).
const INTERNAL: i32 = -3;

/// Every fourth resource has two volumes; the second ones have the minors behind all first ones.
const WITH_SECOND: u32 = 4;

/// Both ends of the first resource have this port, the next the one after.
const PORT: u16 = 7800;

/// A resource: its name, ends and volumes.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// Its name.
    pub(crate) name: String,
    /// Both ends have this port.
    pub(crate) port: u16,
    /// Its volumes, in order.
    pub(crate) places: Vec<Place>,
}

/// A way to the kernel.
pub(crate) struct Admin {
    connection: Connection,
    /// Why the last request that was refused was.
    pub(crate) refusal: String,
    code: Option<RetCode>,
}

impl Admin {
    /// Opens it.
    pub(crate) fn open() -> Result<Self> {
        Ok(Self {
            connection: Connection::open()?,
            refusal: String::new(),
            code: None,
        })
    }

    /// Whether the last request that was refused was refused with that code.
    pub(crate) fn refused_with(&self, code: RetCode) -> bool {
        self.code == Some(code)
    }

    /// Sends a request; whether it was obeyed. Errors: no answer, or not from the module.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<bool> {
        let what = format!(
            "{} of minor {}",
            request.command().as_str(),
            request.minor()
        );
        match bounded(&what, || self.connection.request(request)) {
            Ok(_) => Ok(true),
            Err(Error::Refused(refusal)) => {
                let words = refusal.info.join("; ");
                self.refusal = format!("({}) {} {words}", refusal.code.0, refusal.code.text());
                self.code = Some(refusal.code);
                Ok(false)
            }
            Err(error) => Err(anyhow!("{what}: {error}")),
        }
    }
}

fn text<const N: usize>(text: &str) -> Option<FixedStr<N>> {
    FixedStr::new(text.as_bytes())
}

impl Resource {
    /// The resource of the worker with this number.
    pub(crate) fn numbered(number: u32) -> Self {
        let fixed = number % 2 == 0;
        let mut places = vec![Place::new(number, fixed)];
        if number % WITH_SECOND == 0 {
            places.push(Place::new(WORKERS as u32 + number / WITH_SECOND, fixed));
        }
        Self {
            name: format!("fuzz{number}"),
            port: PORT + number as u16,
            places,
        }
    }

    /// What it is called by.
    pub(crate) fn named(&self) -> CfgContext {
        CfgContext {
            ctx_resource_name: text(&self.name),
            ..CfgContext::default()
        }
    }

    /// What its connection is called by, once it is made.
    pub(crate) fn ends(&self) -> CfgContext {
        let end = |addr| {
            let (bytes, len) = NetAddress::V4 {
                addr,
                port: self.port,
            }
            .to_sockaddr();
            FixedBytes::new(&bytes[..len])
        };
        CfgContext {
            ctx_my_addr: end([127, 0, 0, 1]),
            ctx_peer_addr: end([127, 0, 0, 2]),
            ..CfgContext::default()
        }
    }

    /// All requests that make it, but for the connection.
    pub(crate) fn make(&self) -> Vec<Request> {
        let mut requests = vec![Request::new(Command::NewResource).context(&self.named())];
        for (volume, place) in (0..).zip(&self.places) {
            let context = CfgContext {
                ctx_volume: Some(volume),
                ..self.named()
            };
            requests.push(Request::for_minor(Command::NewMinor, place.minor).context(&context));
            requests.push(attach(place));
        }
        requests
    }

    /// Looks for the peer.
    pub(crate) fn connect(&self, net: &NetOptions) -> Request {
        let conf = NetConf {
            options: net.clone(),
        };
        let context = CfgContext {
            ctx_resource_name: text(&self.name),
            ..self.ends()
        };
        Request::new(Command::Connect).context(&context).with(&conf)
    }

    /// Leaves the peer.
    pub(crate) fn disconnect(&self, force: bool) -> Request {
        Request::new(Command::Disconnect)
            .context(&self.ends())
            .with(&DisconnectParms {
                force_disconnect: Some(force),
            })
    }

    /// Takes all of it down.
    pub(crate) fn down(&self) -> Request {
        Request::new(Command::Down).context(&self.named())
    }

    /// Something that an administrator might do at any moment.
    pub(crate) fn any(&self, rng: &mut Rng) -> Request {
        let place = &self.places[rng.usize(..self.places.len())];
        let plain = [
            Command::StartOv,
            Command::StartOv,
            Command::StartOv,
            Command::Invalidate,
            Command::Invalidate,
            Command::InvalPeer,
            Command::InvalPeer,
            Command::PauseSync,
            Command::ResumeSync,
            Command::SuspendIo,
            Command::ResumeIo,
            Command::Outdate,
            Command::NewCUuid,
            Command::Detach,
            Command::Secondary,
        ];
        match rng.u32(..24) {
            0..=14 => minor(plain[rng.usize(..plain.len())], place),
            15 | 16 => primary(place, rng.bool()),
            17 => attach(place),
            18 => minor(Command::Detach, place).with(&DetachParms {
                force_detach: Some(true),
            }),
            // A volume of fixed size stays as it is.
            19 if !place.fixed => minor(Command::Resize, place),
            20 | 21 => self.protocol(rng),
            22 => self.disconnect(false),
            _ => minor(Command::GetStatus, place),
        }
    }

    fn protocol(&self, rng: &mut Rng) -> Request {
        let mut all = NetConf::default();
        all.options.protocol = [WireProtocol::A, WireProtocol::B, WireProtocol::C][rng.usize(..3)];
        all.options.connect_int = 1;
        all.options.verify_alg = text("crc32c").unwrap_or_default();
        Request::new(Command::ChgNetOpts)
            .context(&self.ends())
            .with(&all)
    }
}

/// A request about a volume that has no more to say.
pub(crate) fn minor(command: Command, place: &Place) -> Request {
    Request::for_minor(command, place.minor)
}

/// Becomes Primary.
pub(crate) fn primary(place: &Place, force: bool) -> Request {
    minor(Command::Primary, place).with(&SetRoleParms {
        assume_uptodate: Some(force),
    })
}

/// Attaches a volume's lower device.
pub(crate) fn attach(place: &Place) -> Request {
    let conf = DiskConf {
        backing_dev: text(&place.lower()),
        meta_dev: text(&place.lower()),
        meta_dev_idx: Some(INTERNAL),
        options: DiskOptions {
            size: if place.fixed { FIXED } else { 0 },
            al_extents: 67,
            c_plan_ahead: 0,
            c_min_rate: 0,
            resync_rate: 512 << 10,
            rs_discard_granularity: if place.minor % 3 == 0 { 64 << 10 } else { 0 },
            ..DiskOptions::default()
        },
    };
    minor(Command::Attach, place).with(&conf)
}
