// SPDX-License-Identifier: GPL-2.0

//! What a session's packets become before they are sent: nothing is changed up to a packet that the
//! seed names, so that every stage of a session is reached; then one packet is changed, or several.

use fastrand::Rng;
use tandem_engine::wire::Command;

use super::packet::{Packet, Socket};

/// How many of its packets a session remembers to send them once more.
const REMEMBERED: usize = 32;

/// Numbers at which things change.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    8,
    63,
    64,
    127,
    128,
    255,
    256,
    511,
    512,
    513,
    4095,
    4096,
    0x7fff,
    0x8000,
    0xffff,
    0x10000,
    0xf_ffff,
    0x10_0000,
    0x10_0001,
    0x800_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    1 << 41,
    1 << 55,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 8,
    u64::MAX,
];

/// What is sent instead of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A packet.
    Send(Packet),
    /// Only so many bytes of it, and then the end.
    Cut(Packet, usize),
    /// Bytes that are no packet.
    Noise(Socket, Vec<u8>),
    /// No more is sent on this socket, which stays open.
    Half(Socket),
}

/// When a session's packets are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Never: the module has to take all of it.
    Honest,
    /// The packet with this number.
    Once(u32),
    /// From this packet on each with one chance in so many.
    From(u32, u32),
}

/// Changes the packets of one session.
pub(crate) struct Mutator {
    rng: Rng,
    plan: Plan,
    sent: u32,
    /// How many were changed.
    pub(crate) changed: u64,
    /// Sizes may be changed, too: such a volume may grow and shrink.
    sizes: bool,
    /// Held back, to come behind the next one.
    held: Option<Packet>,
    earlier: Vec<Packet>,
    /// Sectors of the volume.
    pub(crate) capacity: u64,
}

impl Mutator {
    /// The plan comes from the seed.
    pub(crate) fn new(mut rng: Rng, sizes: bool) -> Self {
        // A handshake has four to ten packets; a session some dozens.
        let first = match rng.u32(..4) {
            0 => rng.u32(..4),
            1 => rng.u32(2..10),
            2 => rng.u32(6..24),
            _ => rng.u32(8..80),
        };
        let plan = match rng.u32(..100) {
            0..=11 => Plan::Honest,
            12..=54 => Plan::Once(first),
            55..=89 => Plan::From(first, rng.u32(4..20)),
            _ => Plan::From(first, 2),
        };
        Self {
            rng,
            plan,
            sent: 0,
            changed: 0,
            sizes,
            held: None,
            earlier: Vec::new(),
            capacity: 0,
        }
    }

    /// What is sent in place of a packet.
    pub(crate) fn steps(&mut self, packet: Packet) -> Vec<Step> {
        let number = self.sent;
        self.sent += 1;
        let due = match self.plan {
            Plan::Honest => false,
            Plan::Once(at) => number == at,
            Plan::From(first, chance) => number >= first && self.rng.u32(..chance) == 0,
        };
        let spared = packet.command == Command::Sizes.number() && !self.sizes;
        let mut steps = if due && !spared {
            self.changed += 1;
            self.changed(packet)
        } else {
            self.remember(&packet);
            vec![Step::Send(packet)]
        };
        if let Some(held) = self.held.take_if(|_| !steps.is_empty()) {
            steps.push(Step::Send(held));
        }
        steps
    }

    fn remember(&mut self, packet: &Packet) {
        if self.earlier.len() == REMEMBERED {
            let at = self.rng.usize(..REMEMBERED);
            self.earlier.swap_remove(at);
        }
        self.earlier.push(packet.clone());
    }

    fn changed(&mut self, mut packet: Packet) -> Vec<Step> {
        match self.rng.u32(..32) {
            0..=4 => self.flip(&mut packet.payload),
            5..=11 => self.number(&mut packet.payload),
            12 => packet.told = Some(self.length(packet.payload.len())),
            13 => {
                let len = self.rng.usize(..=packet.payload.len());
                packet.payload.truncate(len);
            }
            14 => {
                let more = self.rng.usize(1..600);
                packet.payload.extend((0..more).map(|at| at as u8));
            }
            15 | 16 => packet.volume = self.edge() as u16,
            17 | 18 => packet.command = self.command(),
            19 => return Vec::new(),
            20 => return vec![Step::Send(packet.clone()), Step::Send(packet)],
            21 => {
                self.held = Some(packet);
                return Vec::new();
            }
            22 | 23 => {
                let earlier = self.rng.choice(self.earlier.clone());
                return [Some(packet), earlier]
                    .into_iter()
                    .flatten()
                    .map(Step::Send)
                    .collect();
            }
            24 => packet.socket = packet.socket.other(),
            25 | 26 => {
                let stranger = self.stranger();
                return vec![Step::Send(stranger), Step::Send(packet)];
            }
            27 | 28 => {
                let at = self.rng.usize(..packet.payload.len() + 16);
                return vec![Step::Cut(packet, at)];
            }
            29 => {
                let bytes = (0..self.rng.usize(1..300))
                    .map(|_| self.rng.u8(..))
                    .collect();
                return vec![Step::Noise(packet.socket, bytes)];
            }
            30 => return vec![Step::Send(packet.clone()), Step::Half(packet.socket)],
            _ => {
                if let Some(other) = self.rng.choice(self.earlier.clone()) {
                    packet.payload = other.payload;
                }
            }
        }
        vec![Step::Send(packet)]
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        for _ in 0..self.rng.u32(1..6) {
            // Mostly where the numbers are, not in the blocks behind.
            let len = bytes.len().min(if self.rng.u32(..8) == 0 {
                usize::MAX
            } else {
                48
            });
            if len > 0 {
                bytes[self.rng.usize(..len)] ^= 1 << self.rng.u32(..8);
            }
        }
    }

    /// Another number in place of one of those in a payload.
    fn number(&mut self, bytes: &mut [u8]) {
        let width = if self.rng.bool() { 8 } else { 4 };
        let words = bytes.len().min(64) / width;
        if words == 0 {
            return self.flip(bytes);
        }
        let at = self.rng.usize(..words) * width;
        let number = self.edge().to_be_bytes();
        bytes[at..at + width].copy_from_slice(&number[8 - width..]);
    }

    fn edge(&mut self) -> u64 {
        let near = self.rng.u64(..17).wrapping_sub(8);
        match self.rng.u32(..5) {
            0 => self.capacity.wrapping_add(near),
            1 => near,
            2 => self.rng.u64(..),
            _ => EDGES[self.rng.usize(..EDGES.len())],
        }
    }

    fn length(&mut self, len: usize) -> u32 {
        match self.rng.u32(..3) {
            0 => (len as u32)
                .wrapping_add(self.rng.u32(..17))
                .wrapping_sub(8),
            _ => self.edge() as u32,
        }
    }

    fn command(&mut self) -> u16 {
        let number = match self.rng.u32(..8) {
            0 => self.rng.u16(..),
            _ => Command::ALL[self.rng.usize(..Command::ALL.len())].number(),
        };
        match number == Command::Sizes.number() && !self.sizes {
            true => Command::Barrier.number(),
            false => number,
        }
    }

    /// Any command, with the length that it has to have and numbers that may mean something.
    fn stranger(&mut self) -> Packet {
        let lengths = [0, 4, 8, 16, 24, 28, 32, 48, 56, 148, 24 + 512, 24 + 4096];
        let mut payload = vec![0; lengths[self.rng.usize(..lengths.len())]];
        for _ in 0..self.rng.u32(1..6) {
            self.number(&mut payload);
        }
        Packet {
            socket: if self.rng.bool() {
                Socket::Data
            } else {
                Socket::Meta
            },
            volume: if self.rng.u32(..4) == 0 {
                self.edge() as u16
            } else {
                0
            },
            command: self.command(),
            payload,
            told: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(seed: u64, sizes: bool) -> (Vec<Step>, u64) {
        let mut mutator = Mutator::new(Rng::with_seed(seed), sizes);
        let steps = (0..200_u32)
            .flat_map(|at| {
                let command = if at % 2 == 0 {
                    Command::Sizes
                } else {
                    Command::Barrier
                };
                let payload = vec![at as u8; 8];
                mutator.steps(Packet::data(0, command, payload))
            })
            .collect();
        (steps, mutator.changed)
    }

    #[test]
    fn a_seed_says_the_same_twice() {
        for seed in 0..200 {
            assert_eq!(session(seed, true), session(seed, true));
        }
    }

    #[test]
    fn most_sessions_are_changed_and_some_are_honest() {
        let changed = (0..1000).filter(|&seed| session(seed, true).1 > 0).count();
        assert!((800..950).contains(&changed), "{changed}");
    }

    #[test]
    fn sizes_are_left_alone_where_that_is_asked_for() {
        for seed in 0..500 {
            let (steps, _) = session(seed, false);
            for step in steps {
                let (Step::Send(packet) | Step::Cut(packet, _)) = step else {
                    continue;
                };
                let honest =
                    packet.told.is_none() && packet.payload.windows(2).all(|w| w[0] == w[1]);
                assert!(packet.command != Command::Sizes.number() || honest);
            }
        }
    }
}
