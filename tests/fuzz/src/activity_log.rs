// SPDX-License-Identifier: GPL-2.0

//! A whole activity log on disk, as it is replayed after a crash.
//!
//! Input: one byte stripes, one byte blocks of a stripe, then for each block one byte of kind and
//! as many bytes as that kind has; the rest of a block is one repeated byte. Most blocks get a
//! right checksum: a wrong one hides all that is behind it.

use tandem_engine::meta::activity_log_block::{
    emit_initialized, replay, Block, Ring, Scan, Transaction, BLOCK_BYTES, FREE, MAX_SLOTS,
    MAX_UPDATES,
};

use crate::{input::Input, Target};

pub(crate) const TARGET: Target = Target {
    name: "activity_log",
    run,
    seeds,
};

type Image = [u8; BLOCK_BYTES];

/// Bytes of a block up to its context.
const HEAD: usize = 420;

/// The kernel's CRC-32C: no inversion.
fn crc(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let ring = Ring {
        stripes: u32::from(input.u8() % 5),
        stripe_blocks: u32::from(input.u8() % 9),
    };
    let images: Vec<Image> = (0..ring.blocks()).map(|_| image(&mut input)).collect();
    let mut scan = Scan::new(ring);
    for image in &images {
        scan.visit(&Block::parse(image, crc));
    }
    let Ok(plan) = scan.finish() else {
        return;
    };
    assert!(plan.count <= ring.blocks() && plan.damaged <= ring.blocks());
    let mut slots = vec![FREE; usize::from(MAX_SLOTS)];
    for position in plan.positions(ring) {
        let image = images.get(position as usize).expect("inside of the ring");
        if let Ok(Block::Update(update)) = Block::parse(image, crc) {
            assert!(update.updates().count() <= MAX_UPDATES);
            assert!(update.context().all(|(slot, _)| slot < update.slots));
            replay(&update, &mut slots);
        }
    }
}

/// A block out of the input.
fn image(input: &mut Input<'_>) -> Image {
    let mut image = [0; BLOCK_BYTES];
    match input.u8() % 4 {
        0 => emit_initialized(&mut image, crc),
        1 => image.fill(input.u8()),
        2 => transaction(input, &mut image),
        _ => {
            let fill = input.u8();
            image.fill(fill);
            let head = input.take(HEAD);
            image
                .iter_mut()
                .zip(head)
                .for_each(|(to, from)| *to = *from);
            image[..4].copy_from_slice(&0x69cb_65a2_u32.to_be_bytes());
            image[8..12].fill(0);
            let sum = crc(0, &image).to_be_bytes();
            image[8..12].copy_from_slice(&sum);
        }
    }
    image
}

/// A transaction as we write it, which is read as it was written.
fn transaction(input: &mut Input<'_>, image: &mut Image) {
    let (number, slots) = (input.u32(), input.u16() % MAX_SLOTS);
    let start = input.u16() % slots.saturating_add(1);
    let count = usize::from(input.u8()) % (MAX_UPDATES + 1);
    let updates: Vec<_> = (0..count)
        .map(|_| (input.u16(), u32::from(input.u16())))
        .collect();
    let transaction = Transaction {
        number,
        updates: &updates,
        slots,
        context_start: start,
    };
    let context = |slot: u16| u32::from(slot) ^ number;
    transaction
        .emit(image, context, crc)
        .expect("at most 64 updates");
    let Ok(Block::Update(got)) = Block::parse(image, crc) else {
        panic!("our own block is refused");
    };
    assert_eq!(
        (got.number, got.slots, got.context_start),
        (number, slots, start)
    );
    assert_eq!(got.updates().collect::<Vec<_>>(), updates);
    assert!(got.context().all(|(slot, extent)| extent == context(slot)));
}

/// Logs in use, fresh, and damaged.
fn seeds() -> Vec<Vec<u8>> {
    let update = |number: u8| {
        [
            2, number, 0, 0, 0, 211, 4, 0, 0, 2, 1, 0, number, 0, 2, 0, 9, 0,
        ]
    };
    let fresh = vec![1, 8];
    let mut used = vec![1, 8];
    (0..8).for_each(|number| used.extend(update(number)));
    let mut torn = vec![2, 4];
    (0..5).for_each(|number| torn.extend(update(number)));
    torn.extend([1, 0xff]);
    let raw = [
        &[1, 8, 3, 0],
        &[0; 4][..],
        &[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 40],
    ]
    .concat();
    vec![fresh, used, torn, raw]
}
