// SPDX-License-Identifier: GPL-2.0

//! Tests of what can be typed.

use super::{
    setup::Setup,
    *, //
};
use crate::exit::Exit;

/// Parses a command line of `drbdsetup`.
fn setup(line: &str) -> Result<Setup, Failure> {
    let args = format!("drbdsetup {line}");
    match parse(args.split_whitespace().map(OsString::from))? {
        Tool::Setup(setup) => Ok(setup),
        other => panic!("{other:?}"),
    }
}

fn usage_error(line: &str) -> String {
    match setup(line) {
        Err(Failure::Usage(error)) => {
            assert_eq!(Failure::Usage(error).exit(), Exit::Other);
            setup(line).map_or_else(|failure| format!("{failure:?}"), |_| String::new())
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_command_definition_is_sound() {
    Tandem::command().debug_assert();
}

#[test]
fn every_command_of_drbdsetup_is_there() {
    let tandem = Tandem::command();
    let setup = tandem.find_subcommand("setup").unwrap();
    for name in [
        "primary",
        "secondary",
        "attach",
        "disk-options",
        "detach",
        "connect",
        "net-options",
        "disconnect",
        "resize",
        "resource-options",
        "new-current-uuid",
        "invalidate",
        "invalidate-remote",
        "pause-sync",
        "resume-sync",
        "suspend-io",
        "resume-io",
        "outdate",
        "verify",
        "down",
        "state",
        "role",
        "sh-status",
        "cstate",
        "dstate",
        "show-gi",
        "get-gi",
        "show",
        "status",
        "events2",
        "wait-connect",
        "wait-sync",
        "new-resource",
        "new-minor",
        "del-minor",
        "del-resource",
        "xml-help",
    ] {
        assert!(setup.find_subcommand(name).is_some(), "{name}");
    }
}

#[test]
fn the_name_of_the_binary_chooses_the_tool() {
    for name in ["drbdsetup", "/usr/sbin/drbdsetup", "/lib/drbd/drbdsetup-84"] {
        let args = [name, "role", "0"].map(OsString::from);
        assert!(matches!(
            parse(args.into_iter()),
            Ok(Tool::Setup(Setup::Role(_)))
        ));
    }
    let args = ["drbdmeta", "0", "v08", "/dev/x", "internal", "dump-md"].map(OsString::from);
    assert!(matches!(parse(args.into_iter()), Ok(Tool::Meta(_))));
}

#[test]
fn options_may_stand_anywhere_and_be_shortened() {
    for line in [
        "primary --force 3",
        "primary 3 --force",
        "primary 3 --forc",
        "primary 3 --force=yes",
        "primary 3 --overwrite-data-of-peer",
        "primary 3 -o",
    ] {
        match setup(line) {
            Ok(Setup::Primary { minor, force }) => {
                assert_eq!((minor.minor, force), (3, Some(true)), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn a_boolean_never_takes_the_next_argument() {
    match setup("primary --force=no 3") {
        Ok(Setup::Primary { minor, force }) => assert_eq!((minor.minor, force), (3, Some(false))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_negative_number_is_a_value() {
    assert!(setup("disk-options 0 --resync-after=-1").is_ok());
    assert!(setup("disk-options 0 --resync-after -1").is_ok());
}

#[test]
fn a_value_out_of_range_says_the_range() {
    let error = usage_error("disk-options 0 --al-extents=66");
    assert!(error.contains("67 to 65534"), "{error}");
    let error = usage_error("net-options 1.1.1.1:1 1.1.1.2:1 --protocol=D");
    assert!(error.contains("A, B, C"), "{error}");
    let error = usage_error("resize 0 --al-stripe-size-kB=3");
    assert!(error.contains("4 to 16777216"), "{error}");
    let error = usage_error("verify 0 --start=2199023255553");
    assert!(error.contains("0 to 2199023255552"), "{error}");
    let error = usage_error("wait-connect 0 --wfc-timeout=300001");
    assert!(error.contains("300000"), "{error}");
}

#[test]
fn options_that_cannot_change_later_are_only_in_attach_and_connect() {
    assert!(setup("attach 0 /dev/x /dev/x internal --size=1G").is_ok());
    usage_error("disk-options 0 --size=1G");
    usage_error("net-options 1.1.1.1:1 1.1.1.2:1 --discard-my-data");
}

#[test]
fn missing_and_excess_arguments_are_usage_errors() {
    usage_error("primary");
    usage_error("primary 0 1");
    usage_error("new-minor r0 0");
    usage_error("no-such-command");
    usage_error("");
}

#[test]
fn help_is_no_failure() {
    let failure = setup("attach --help").unwrap_err();
    assert_eq!(failure.exit(), Exit::Success);
}

#[test]
fn the_object_may_come_before_the_command() {
    let Setup::Primary { minor, force } = setup("3 primary --force").unwrap() else {
        panic!("another command");
    };
    assert_eq!((minor.minor, force), (3, Some(true)));
    // A resource may be called like a command.
    let Setup::Down { resource, .. } = setup("down primary").unwrap() else {
        panic!("another command");
    };
    assert_eq!(resource, "primary");
}

#[test]
fn every_option_says_what_it_is_for() {
    let tandem = Tandem::command();
    let setup = tandem.find_subcommand("setup").unwrap();
    for name in ["attach", "connect", "new-resource"] {
        let command = setup.find_subcommand(name).unwrap();
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let about = help.split(" [default").next().unwrap_or_default();
            assert!(about.len() > 5, "{name} {}: '{help}'", arg.get_id());
        }
    }
}
