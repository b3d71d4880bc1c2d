// SPDX-License-Identifier: GPL-2.0

//! Options that are one of a list of words, with DRBD's numbers for them.

/// Makes an enum of words with their numbers; the first line is the default.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident = $default:ident {
            $($(#[$value_meta:meta])* $value:ident = $nr:literal $word:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_meta])* $value = $nr,)*
        }

        impl $name {
            /// Words and numbers, in the order of the help texts.
            pub const WORDS: &'static [(&'static str, u32)] = &[$(($word, $nr),)*];

            /// Number of the default.
            pub const DEFAULT: u32 = Self::$default.number();

            /// The number on netlink.
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$value => $nr,)*
                }
            }

            /// The value with this number on netlink.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($nr => Some(Self::$value),)*
                    _ => None,
                }
            }

            /// The word in configuration and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)*
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl super::OptionField for $name {
            fn default_of(spec: &super::OptionSpec) -> Self {
                Self::from_number(spec.default_number()).unwrap_or_default()
            }

            fn from_payload(
                spec: &super::OptionSpec,
                payload: &[u8],
            ) -> Result<Self, $crate::engine::control::AttrError> {
                use $crate::engine::control::{
                    AttrError,
                    AttrValue, //
                };
                let number = <u32 as AttrValue>::decode(payload)
                    .ok_or(AttrError::BadLength(spec.name))?;
                Self::from_number(number).ok_or(AttrError::BadValue(spec.name))
            }

            fn put_option<S: $crate::engine::control::AttrSink>(
                &self,
                nr: u16,
                sink: &mut S,
            ) -> Result<(), S::Error> {
                $crate::engine::control::AttrValue::put(&self.number(), nr, sink)
            }

            fn check(&self, _spec: &super::OptionSpec) -> Result<(), super::OptionError> {
                Ok(())
            }
        }
    };
}

choice! {
    /// What an I/O error of the lower device leads to.
    pub enum OnIoError = Detach {
        /// Report it upwards if the peer cannot help; a write error makes the disk Inconsistent.
        PassOn = 0 "pass_on",
        /// Call the handler `local-io-error`, then detach.
        CallHelper = 1 "call-local-io-error",
        /// Go on without the disk.
        Detach = 2 "detach",
    }
}

choice! {
    /// What a Primary that lost its peer must do before it goes on.
    pub enum Fencing = DontCare {
        /// Nothing.
        DontCare = 0 "dont-care",
        /// Call the handler `fence-peer`.
        ResourceOnly = 1 "resource-only",
        /// Call the handler `fence-peer` and hold I/O back until it succeeded.
        ResourceAndStonith = 2 "resource-and-stonith",
    }
}

choice! {
    /// Which node serves a read.
    pub enum ReadBalancing = PreferLocal {
        /// This node, if its disk is up to date.
        PreferLocal = 0 "prefer-local",
        /// The peer, if its disk is up to date.
        PreferRemote = 1 "prefer-remote",
        /// Each in turn.
        RoundRobin = 2 "round-robin",
        /// The one with fewer requests under way.
        LeastPending = 3 "least-pending",
        /// Accepted for configurations that have it; like `PreferLocal`.
        WhenCongestedRemote = 4 "when-congested-remote",
        /// By address, in stripes of 32 KiB.
        Striping32K = 5 "32K-striping",
        /// By address, in stripes of 64 KiB.
        Striping64K = 6 "64K-striping",
        /// By address, in stripes of 128 KiB.
        Striping128K = 7 "128K-striping",
        /// By address, in stripes of 256 KiB.
        Striping256K = 8 "256K-striping",
        /// By address, in stripes of 512 KiB.
        Striping512K = 9 "512K-striping",
        /// By address, in stripes of 1 MiB.
        Striping1M = 10 "1M-striping",
    }
}

choice! {
    /// When a replicated write counts as done.
    pub enum WireProtocol = C {
        /// On the local disk and in the send buffer.
        A = 1 "A",
        /// On the local disk and in the peer's memory.
        B = 2 "B",
        /// On both disks.
        C = 3 "C",
    }
}

choice! {
    /// How a split brain is resolved when no node is Primary.
    pub enum AfterSplitBrain0 = Disconnect {
        /// Not at all.
        Disconnect = 0 "disconnect",
        /// The node that became Primary later loses.
        DiscardYoungerPrimary = 1 "discard-younger-primary",
        /// The node that became Primary earlier loses.
        DiscardOlderPrimary = 2 "discard-older-primary",
        /// The node without changes loses, if there is one.
        DiscardZeroChanges = 3 "discard-zero-changes",
        /// The node with fewer changes loses.
        DiscardLeastChanges = 4 "discard-least-changes",
        /// This node loses.
        DiscardLocal = 5 "discard-local",
        /// The peer loses.
        DiscardRemote = 6 "discard-remote",
    }
}

choice! {
    /// How a split brain is resolved when one node is Primary.
    pub enum AfterSplitBrain1 = Disconnect {
        /// Not at all.
        Disconnect = 0 "disconnect",
        /// The Secondary loses if `after-sb-0pri` says so too.
        Consensus = 7 "consensus",
        /// The Secondary loses.
        DiscardSecondary = 8 "discard-secondary",
        /// If `after-sb-0pri` makes the Primary lose, call the handler `pri-lost-after-sb`.
        CallPriLost = 9 "call-pri-lost-after-sb",
        /// As `after-sb-0pri` says, even under a mounted file system.
        ViolentlyAs0Primary = 10 "violently-as0p",
    }
}

choice! {
    /// How a split brain is resolved when both nodes are Primary.
    pub enum AfterSplitBrain2 = Disconnect {
        /// Not at all.
        Disconnect = 0 "disconnect",
        /// The loser by `after-sb-0pri` calls the handler `pri-lost-after-sb`.
        CallPriLost = 9 "call-pri-lost-after-sb",
        /// As `after-sb-0pri` says, even under a mounted file system.
        ViolentlyAs0Primary = 10 "violently-as0p",
    }
}

choice! {
    /// What happens when a Primary would have to become the target of a resync.
    pub enum RoleResyncConflict = Disconnect {
        /// The connection is given up.
        Disconnect = 0 "disconnect",
        /// The handler `pri-lost` is called.
        CallPriLost = 9 "call-pri-lost",
        /// The resync runs under the file system.
        Violently = 10 "violently",
    }
}

choice! {
    /// What happens when the link cannot take the writes, under protocol A.
    pub enum OnCongestion = Block {
        /// Writers wait.
        Block = 0 "block",
        /// Stop to replicate, remember what changed, and resync later.
        PullAhead = 1 "pull-ahead",
        /// The connection is given up.
        Disconnect = 2 "disconnect",
    }
}

choice! {
    /// What happens to I/O when no up-to-date data can be reached.
    pub enum OnNoData = IoError {
        /// It fails.
        IoError = 0 "io-error",
        /// It waits.
        SuspendIo = 1 "suspend-io",
    }
}
