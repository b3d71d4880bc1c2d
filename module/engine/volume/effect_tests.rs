// SPDX-License-Identifier: GPL-2.0

//! Tests of the bounded list of effects.

use super::*;

fn ticket(index: u32) -> Ticket {
    Ticket {
        index,
        generation: 1,
    }
}

#[test]
fn effects_come_out_in_order() {
    let mut fx = Effects::new();
    fx.push(VolumeEffect::SubmitLocal(ticket(1)));
    fx.push(VolumeEffect::Room);
    let list: Vec<_> = fx.take().collect();
    assert_eq!(
        list,
        [VolumeEffect::SubmitLocal(ticket(1)), VolumeEffect::Room]
    );
    assert!(fx.is_empty());
}

#[test]
fn a_full_list_has_no_room_and_says_nothing_of_a_loss() {
    let mut fx = Effects::new();
    while fx.room() > 0 {
        fx.push(VolumeEffect::Room);
    }
    let list: Vec<_> = fx.take().collect();
    assert_eq!(list, [VolumeEffect::Room; MAX_EFFECTS - 1]);
}

#[test]
fn an_effect_too_many_is_reported_once_and_behind_all_others() {
    let mut fx = Effects::new();
    for index in 0..MAX_EFFECTS as u32 + 3 {
        fx.push(VolumeEffect::SubmitLocal(ticket(index)));
    }
    let list: Vec<_> = fx.take().collect();
    assert_eq!(list.len(), MAX_EFFECTS);
    assert_eq!(
        list.last(),
        Some(&VolumeEffect::Report(Report::Broken(Invariant::Effects)))
    );
    let lost = |e: &&VolumeEffect| **e == VolumeEffect::Report(Report::Broken(Invariant::Effects));
    assert_eq!(list.iter().filter(lost).count(), 1);
    fx.push(VolumeEffect::Room);
    assert_eq!(fx.take().collect::<Vec<_>>(), [VolumeEffect::Room]);
}
