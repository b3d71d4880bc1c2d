// SPDX-License-Identifier: GPL-2.0

//! CIBs that Pacemaker 3.0.0 wrote on two nodes, at the moments of their names, and older forms.

use super::*;

const ONLINE: &str = include_str!("../../tests/data/cib-online.xml");
const PENDING: &str = include_str!("../../tests/data/cib-lost.xml");
const FENCED: &str = include_str!("../../tests/data/cib-fenced.xml");

/// A CIB with one state of node b.
fn with_state(attributes: &str) -> Cib {
    let text = format!(
        "<cib><configuration><nodes><node uname='a'/><node uname='b'/></nodes></configuration>\
         <status><node_state uname='b' {attributes}/></status></cib>"
    );
    Cib::parse(&text).unwrap()
}

#[test]
fn nodes_and_the_clone_of_a_resource_are_found() {
    let cib = Cib::parse(ONLINE).unwrap();
    assert!(cib.fences);
    assert_eq!(cib.clone_of("r0"), Some("disk-clone"));
    assert_eq!(cib.clone_of("r1"), None);
    assert_eq!(cib.only_other("a"), Some("b"));
    assert_eq!(cib.ban_of("r0", "disk-clone"), None);
}

#[test]
fn epochs_of_pacemaker_3_are_understood() {
    let online = Cib::parse(ONLINE).unwrap();
    assert_eq!(online.standing_of("a"), Standing::Online);
    assert_eq!(online.standing_of("b"), Standing::Online);
    let pending = Cib::parse(PENDING).unwrap();
    assert_eq!(pending.standing_of("a"), Standing::Lost);
    let fenced = Cib::parse(FENCED).unwrap();
    assert_eq!(fenced.standing_of("a"), Standing::Out);
    assert_eq!(fenced.standing_of("b"), Standing::Online);
}

#[test]
fn words_of_older_pacemakers_are_understood() {
    let standing = |attributes| with_state(attributes).standing_of("b");
    let online = "in_ccm='true' crmd='online' join='member' expected='member'";
    assert_eq!(standing(online), Standing::Online);
    let lost = "in_ccm='false' crmd='offline' join='member' expected='member'";
    assert_eq!(standing(lost), Standing::Lost);
    let out = "in_ccm='false' crmd='offline' join='down' expected='down'";
    assert_eq!(standing(out), Standing::Out);
}

#[test]
fn a_node_that_nothing_was_heard_of_is_lost() {
    assert_eq!(with_state("").standing_of("c"), Standing::Lost);
}

#[test]
fn a_node_whose_cluster_was_stopped_is_out() {
    let state = "in_ccm='1795887586' crmd='0' join='down' expected='down'";
    assert_eq!(with_state(state).standing_of("b"), Standing::Out);
}

#[test]
fn a_constraint_is_read_as_it_is_written() {
    let ban = Ban::new("r0", "disk-clone", "b");
    let text = format!("<cib><constraints>{}</constraints></cib>", ban.xml());
    let cib = Cib::parse(&text).unwrap();
    assert_eq!(cib.ban_of("r0", "disk-clone"), Some(&ban));
    assert_eq!(cib.ban_of("r1", "disk-clone"), None);
}

#[test]
fn fencing_is_on_unless_it_is_off() {
    let with = |value: &str| {
        let pair = format!("<nvpair name='stonith-enabled' value='{value}'/>");
        Cib::parse(&format!("<cib><crm_config>{pair}</crm_config></cib>")).unwrap()
    };
    assert!(with("true").fences);
    assert!(!with("false").fences);
    assert!(Cib::parse("<cib/>").unwrap().fences);
}

#[test]
fn what_is_no_cib_is_an_error() {
    assert!(Cib::parse("Could not connect to controller").is_err());
}
