// SPDX-License-Identifier: GPL-2.0

//! Messages of the family: well-formed ones, and what becomes of them.

use fastrand::Rng;
use tandem_engine::{
    control::{AttrIter, AttrType, Command, NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK, NO_MINOR},
    options::{DiskOptions, NetOptions, OptionKind, OptionSpec, OptionTable, ResourceOptions},
};
use tandem_netlink::Request;

use crate::admin::{primary, Resource};

/// The number of the block that says what a message is about.
const CONTEXT: u16 = 2;

/// Top-level attributes whose payload is attributes, with the options that they may have.
const OPTIONS: &[(Command, u16, &[OptionSpec])] = &[
    (Command::ChgDiskOpts, 3, DiskOptions::TABLE),
    (Command::ResourceOpts, 4, ResourceOptions::TABLE),
    (Command::ChgNetOpts, 5, NetOptions::TABLE),
];

/// Flags of a netlink message.
pub(crate) const REQUEST: u16 = 1;
pub(crate) const ACK: u16 = 4;
pub(crate) const DUMP: u16 = 0x300;

/// A message behind its netlink header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Flags of the netlink header.
    pub(crate) flags: u16,
    /// Command and version, in the generic netlink header.
    pub(crate) command: u8,
    pub(crate) version: u8,
    /// The family's header and the attributes.
    pub(crate) body: Vec<u8>,
    /// It is as a tool would send it.
    pub(crate) honest: bool,
}

impl Message {
    fn of(request: &Request, dump: bool) -> Self {
        Self {
            flags: REQUEST | ACK | if dump { DUMP } else { 0 },
            command: request.command().number(),
            version: 1,
            body: request.body(),
            honest: true,
        }
    }

    /// The command, if it is one.
    pub(crate) fn known(&self) -> Option<Command> {
        Command::from_number(self.command)
    }

    /// All its bytes, for the family of that number.
    pub(crate) fn bytes(&self, family: u16, sequence: u32) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend(family.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend([self.command, self.version, 0, 0]);
        bytes.extend(&self.body);
        let len = (bytes.len() as u32).to_ne_bytes();
        bytes[..4].copy_from_slice(&len);
        bytes
    }
}

/// A message about one of the resources, drawn by a seed.
pub(crate) fn draw(rng: &mut Rng, resources: &[Resource]) -> Message {
    let resource = &resources[rng.usize(..resources.len())];
    let mut message = honest(rng, resource);
    for _ in 0..[0, 0, 1, 1, 1, 2, 4][rng.usize(..7)] {
        message.honest = false;
        change(rng, &mut message);
    }
    message
}

fn honest(rng: &mut Rng, resource: &Resource) -> Message {
    let make = resource.make();
    let request = match rng.u32(..20) {
        0..=4 => make[rng.usize(..make.len())].clone(),
        5 | 6 => {
            let mut net = crate::wire::draw_options(rng);
            net.ping_timeout = 1;
            resource.connect(&net)
        }
        7 => resource.disconnect(rng.bool()),
        8 => resource.down(),
        9 => primary(&resource.places[0], true),
        10..=13 => return options(rng, resource),
        14..=15 => return question(rng, resource),
        _ => resource.any(rng),
    };
    Message::of(&request, false)
}

/// A question, which everybody may ask.
fn question(rng: &mut Rng, resource: &Resource) -> Message {
    let dumps: Vec<Command> = Command::ALL
        .iter()
        .copied()
        .filter(|it| it.has_dump())
        .collect();
    let command = dumps[rng.usize(..dumps.len())];
    let request = Request::new(command);
    let request = match rng.bool() {
        true => request.context(&resource.ends()),
        false => request,
    };
    Message::of(&request, true)
}

/// Changes options, by the tables: values in their ranges, at their ends, and beyond.
fn options(rng: &mut Rng, resource: &Resource) -> Message {
    let (command, block, table) = OPTIONS[rng.usize(..OPTIONS.len())];
    let request = match command {
        Command::ChgDiskOpts => Request::for_minor(command, resource.places[0].minor),
        Command::ResourceOpts => Request::new(command).context(&resource.named()),
        _ => Request::new(command).context(&resource.ends()),
    };
    let mut message = Message::of(&request, false);
    // A value may be beyond its range.
    message.honest = false;
    let mut attrs = Vec::new();
    for _ in 0..rng.u32(1..5) {
        let spec = &table[rng.usize(..table.len())];
        let value = value(rng, spec.kind);
        put(&mut attrs, spec.nr, &value);
    }
    put(&mut message.body, block | NLA_F_NESTED, &attrs);
    message
}

/// A value of an option: in its range, at its ends, or beyond.
fn value(rng: &mut Rng, kind: OptionKind) -> Vec<u8> {
    let texts: [&[u8]; 6] = [
        b"crc32c\0",
        b"sha256\0",
        b"\0",
        b"",
        b"no-such\0",
        &[b'x'; 70],
    ];
    match kind {
        OptionKind::Number { wire, min, max, .. } => {
            let number = match rng.u32(..5) {
                0 => edge(rng) as i64,
                1 => min.saturating_sub(1),
                2 => max.saturating_add(1),
                3 => max,
                _ => rng.i64(min..=max),
            };
            match wire {
                AttrType::U64 => number.to_ne_bytes().to_vec(),
                _ => (number as u32).to_ne_bytes().to_vec(),
            }
        }
        OptionKind::Boolean { .. } => vec![rng.u8(..3)],
        OptionKind::Choice { .. } => rng.u32(..9).to_ne_bytes().to_vec(),
        _ => texts[rng.usize(..texts.len())].to_vec(),
    }
}

fn put(to: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    to.extend(((NLA_HDRLEN + payload.len()) as u16).to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(payload);
    to.resize(to.len().next_multiple_of(4), 0);
}

fn edge(rng: &mut Rng) -> u64 {
    let shift = rng.u32(..64);
    let near = rng.u64(..5).wrapping_sub(2);
    (1_u64 << shift).wrapping_add(near)
}

/// Where attributes begin in a run of them that begins at `from`: also of those inside of others.
fn places(body: &[u8], from: usize, depth: u32, found: &mut Vec<(usize, usize)>) {
    let mut at = from;
    for attr in AttrIter::new(&body[from..]) {
        let Ok((number, payload)) = attr else {
            return;
        };
        let len = NLA_HDRLEN + payload.len();
        found.push((at, len));
        if depth == 0 && number & NLA_TYPE_MASK >= CONTEXT {
            let inner = &body[..at + len];
            places(inner, at + NLA_HDRLEN, depth + 1, found);
        }
        at += len.next_multiple_of(4);
    }
}

/// Changes one thing.
fn change(rng: &mut Rng, message: &mut Message) {
    let body = &mut message.body;
    let mut attrs = Vec::new();
    if body.len() > 8 {
        places(body, 8, 0, &mut attrs);
    }
    let attr = rng.choice(attrs);
    match (rng.u32(..20), attr) {
        (0, _) => message.command = rng.u8(..),
        (1, _) => {
            let command = Command::ALL[rng.usize(..Command::ALL.len())];
            message.command = command.number();
        }
        (2, _) => message.version = rng.u8(..),
        (3, _) => message.flags ^= [DUMP, 0x100, 0x200, 0x400, 8, 0x800][rng.usize(..6)],
        (4 | 5, _) => {
            let minor = [rng.u32(..24), NO_MINOR, edge(rng) as u32][rng.usize(..3)];
            body[..4].copy_from_slice(&minor.to_ne_bytes());
        }
        (6, _) => body[4..8].copy_from_slice(&(edge(rng) as u32).to_ne_bytes()),
        (7, _) => body.truncate(rng.usize(8..=body.len())),
        (8, _) => {
            for _ in 0..rng.u32(1..4) {
                let at = rng.usize(..body.len());
                body[at] ^= 1 << rng.u32(..8);
            }
        }
        (9, _) => {
            let filler = (0..rng.usize(..40))
                .map(|_| rng.u8(..))
                .collect::<Vec<u8>>();
            put(body, rng.u16(..40), &filler);
        }
        (10, Some((at, len))) => {
            let told =
                [len as u16 + 1, len as u16 - 1, 0, 3, u16::MAX, rng.u16(..)][rng.usize(..6)];
            body[at..at + 2].copy_from_slice(&told.to_ne_bytes());
        }
        (11 | 12, Some((at, _))) => {
            let kind = [rng.u16(..40), rng.u16(..), NLA_F_NESTED | rng.u16(..40)][rng.usize(..3)];
            body[at + 2..at + 4].copy_from_slice(&kind.to_ne_bytes());
        }
        (13..=15, Some((at, len))) => {
            let number = edge(rng).to_ne_bytes();
            let payload = &mut body[at + NLA_HDRLEN..at + len];
            payload
                .iter_mut()
                .zip(number)
                .for_each(|(to, from)| *to = from);
        }
        (16, Some((at, len))) => {
            // Once more, behind all others.
            let again = body[at..at + len].to_vec();
            body.extend(again);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        (17, Some((at, len))) => {
            let end = (at + len.next_multiple_of(4)).min(body.len());
            body.drain(at..end);
        }
        // A text without its end.
        (18, Some((at, len))) => body[at + NLA_HDRLEN..at + len].fill(b'a'),
        _ => {
            let at = rng.usize(..body.len());
            body[at] = rng.u8(..);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources() -> Vec<Resource> {
        (0..4).map(Resource::numbered).collect()
    }

    #[test]
    fn a_seed_says_the_same_twice() {
        for seed in 0..2000 {
            let message = draw(&mut Rng::with_seed(seed), &resources());
            assert_eq!(message, draw(&mut Rng::with_seed(seed), &resources()));
            let bytes = message.bytes(20, 1);
            assert_eq!(
                bytes.len() as u32,
                u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
            );
        }
    }

    #[test]
    fn every_command_is_sent_also_as_it_should_be() {
        let mut sent = Vec::new();
        for seed in 0..5000 {
            let message = draw(&mut Rng::with_seed(seed), &resources());
            sent.extend(message.known().filter(|_| message.honest));
        }
        let never = [
            Command::DelMinor,
            Command::DelResource,
            Command::GetTimeoutType,
        ];
        for command in Command::ALL.iter().filter(|command| !command.is_event()) {
            let by_options = OPTIONS.iter().any(|(of, ..)| of == command);
            assert!(
                sent.contains(command) || never.contains(command) || by_options,
                "{command:?}"
            );
        }
    }
}
