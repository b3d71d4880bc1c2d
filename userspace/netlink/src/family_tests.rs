// SPDX-License-Identifier: GPL-2.0

//! Tests of reading a family's description.

use super::*;

fn description(version: u32, header_size: u32) -> Vec<GenlCtrlAttrs> {
    vec![
        GenlCtrlAttrs::FamilyId(30),
        GenlCtrlAttrs::Version(version),
        GenlCtrlAttrs::HdrSize(header_size),
        GenlCtrlAttrs::McastGroups(vec![vec![
            McastGrpAttrs::Name("events".into()),
            McastGrpAttrs::Id(7),
        ]]),
    ]
}

#[test]
fn numbers_are_read_from_the_description() {
    let family = Family::read(&description(1, 8)).unwrap();
    assert_eq!((family.id, family.events_group), (30, 7));
}

#[test]
fn drbd_9_is_told_apart_by_its_version() {
    assert!(matches!(
        Family::read(&description(2, 8)),
        Err(Error::WrongFamily { version: 2, .. })
    ));
}

#[test]
fn another_header_size_is_refused() {
    assert!(matches!(
        Family::read(&description(1, 12)),
        Err(Error::WrongFamily {
            header_size: 12,
            ..
        })
    ));
}
