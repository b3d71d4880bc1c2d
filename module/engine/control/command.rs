// SPDX-License-Identifier: GPL-2.0

//! Commands of the family: requests of the tool and events of the kernel, in one number space.

/// Makes the enum and its tables; `[blocks]` are the top-level attributes that a request may have.
macro_rules! commands {
    ($($(#[$meta:meta])* $name:ident = $nr:literal $kind:ident [$($block:literal)*],)*) => {
        /// A command number of the family.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Command {
            $($(#[$meta])* $name,)*
        }

        impl Command {
            /// All commands, by number.
            pub const ALL: &'static [Command] = &[$(Command::$name,)*];

            /// The number in the generic netlink header.
            pub const fn number(self) -> u8 {
                match self {
                    $(Command::$name => $nr,)*
                }
            }

            /// The command with this number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($nr => Some(Command::$name),)*
                    _ => None,
                }
            }

            /// Name, for messages.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Command::$name => stringify!($name),)*
                }
            }

            const fn kind(self) -> Kind {
                match self {
                    $(Command::$name => Kind::$kind,)*
                }
            }

            /// Top-level attributes that a request may carry; empty for events.
            pub const fn blocks(self) -> &'static [u16] {
                match self {
                    $(Command::$name => &[$($block),*],)*
                }
            }
        }
    };
}

/// How a command is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A request that changes something; needs `CAP_NET_ADMIN`.
    Admin,
    /// A question, answered with one message or as a dump.
    Both,
    /// A question, answered as a dump only.
    Dump,
    /// Sent by the kernel only.
    Event,
}

commands! {
    /// Broadcast: the state of a minor changed (old format).
    Event = 1 Event [],
    /// Everything about one minor, or about all as a dump.
    GetStatus = 2 Both [2],
    /// Create a volume with its minor.
    NewMinor = 5 Admin [2],
    /// Delete a volume.
    DelMinor = 6 Admin [2],
    /// Create a resource.
    NewResource = 7 Admin [2 4],
    /// Delete a resource.
    DelResource = 8 Admin [2],
    /// Change options of a resource.
    ResourceOpts = 9 Admin [2 4],
    /// Create the connection of a resource and start it.
    Connect = 10 Admin [2 5],
    /// End the connection of a resource.
    Disconnect = 11 Admin [2 12],
    /// Attach a lower device.
    Attach = 12 Admin [2 3],
    /// Take in a new size of the lower devices.
    Resize = 13 Admin [2 7],
    /// Become Primary.
    Primary = 14 Admin [2 6],
    /// Become Secondary.
    Secondary = 15 Admin [2 6],
    /// Start a new data generation.
    NewCUuid = 16 Admin [2 10],
    /// Start an online verify.
    StartOv = 17 Admin [9],
    /// Detach the lower device.
    Detach = 18 Admin [2 13],
    /// The local data is bad: resync it from the peer.
    Invalidate = 19 Admin [2],
    /// The peer's data is bad: resync it from here.
    InvalPeer = 20 Admin [2],
    /// Pause the resync.
    PauseSync = 21 Admin [2],
    /// Let the resync go on.
    ResumeSync = 22 Admin [2],
    /// Hold I/O of applications back.
    SuspendIo = 23 Admin [2],
    /// Let I/O of applications go on.
    ResumeIo = 24 Admin [2],
    /// Mark the local data as outdated.
    Outdate = 25 Admin [2],
    /// Which timeout `wait-connect` shall use.
    GetTimeoutType = 26 Admin [2],
    /// Take a resource down completely.
    Down = 27 Admin [2],
    /// Change options of a disk.
    ChgDiskOpts = 28 Admin [2 3],
    /// Change options of a connection.
    ChgNetOpts = 29 Admin [2 5],
    /// Dump of all resources.
    GetResources = 30 Dump [2 15 19],
    /// Dump of all devices.
    GetDevices = 31 Dump [2 16 20],
    /// Dump of all connections.
    GetConnections = 32 Dump [2 17 21],
    /// Dump of all devices at peers.
    GetPeerDevices = 33 Dump [2 18 22],
    /// Event about a resource.
    ResourceState = 34 Event [],
    /// Event about a device.
    DeviceState = 35 Event [],
    /// Event about a connection.
    ConnectionState = 36 Event [],
    /// Event about a device at a peer.
    PeerDeviceState = 37 Event [],
    /// Dump of the initial state, in the form of events.
    GetInitialState = 38 Dump [2],
    /// Event about a handler.
    Helper = 40 Event [],
    /// The initial state is complete.
    InitialStateDone = 41 Event [],
}

impl Command {
    /// Whether a request needs `CAP_NET_ADMIN`.
    pub const fn needs_admin(self) -> bool {
        matches!(self.kind(), Kind::Admin)
    }

    /// Whether a single request gets a single answer.
    pub const fn has_do(self) -> bool {
        matches!(self.kind(), Kind::Admin | Kind::Both)
    }

    /// Whether it can be asked for as a dump.
    pub const fn has_dump(self) -> bool {
        matches!(self.kind(), Kind::Both | Kind::Dump)
    }

    /// Whether only the kernel sends it.
    pub const fn is_event(self) -> bool {
        matches!(self.kind(), Kind::Event)
    }

    /// Largest top-level attribute number that a request may carry.
    pub fn max_attr(self) -> u16 {
        self.blocks().iter().copied().max().unwrap_or(0)
    }
}
