// SPDX-License-Identifier: GPL-2.0

//! Exit codes and messages of the binary that need no kernel module.

use std::{
    os::unix::process::CommandExt,
    process::{
        Command,
        Output, //
    }, //
};

fn called_as(name: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg0(name)
        .args(args)
        .output()
        .expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_and_version_exit_0_and_go_to_stdout() {
    for args in [
        &["--help"][..],
        &["--version"],
        &["setup", "attach", "--help"],
    ] {
        let output = called_as("tandem", args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty(), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn hidden_commands_are_listed_without_a_configuration() {
    let output = called_as("drbdadm", &["hidden-commands"]);
    assert_eq!(output.status.code(), Some(0));
    let list = String::from_utf8_lossy(&output.stdout);
    for command in [
        "sh-nop",
        "sh-md-idx",
        "before-resync-target",
        "new-current-uuid",
    ] {
        let start = format!("  {command} ");
        assert!(
            list.lines().any(|line| line.starts_with(&start)),
            "{command} in {list}"
        );
    }
    assert!(!list.contains("  primary "), "{list}");
}

#[test]
fn usage_errors_exit_20() {
    for args in [
        &[][..],
        &["nonsense"],
        &["setup"],
        &["setup", "primary"],
        &["setup", "xml-help"],
        &["setup", "xml-help", "nonsense"],
        &[
            "setup",
            "attach",
            "0",
            "/dev/x",
            "/dev/x",
            "internal",
            "--al-extents=1",
        ],
        &["setup", "connect", "r0", "10.0.0.1:99999", "10.0.0.2:7789"],
        &["setup", "new-minor", "r0", "9999999", "0"],
    ] {
        let output = called_as("tandem", args);
        assert_eq!(output.status.code(), Some(20), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn the_old_names_are_the_same_tools() {
    let output = called_as("drbdsetup-84", &["primary", "nonsense"]);
    assert_eq!(output.status.code(), Some(20));
    assert!(stderr(&output).contains("nonsense"), "{}", stderr(&output));
    let output = called_as(
        "drbdmeta",
        &["0", "v09", "/dev/null", "internal", "dump-md"],
    );
    assert_eq!(output.status.code(), Some(20));
    assert!(stderr(&output).contains("v08"), "{}", stderr(&output));
}

#[test]
fn a_lower_device_that_is_none_exits_20_and_says_what_to_do() {
    for (device, what) in [
        ("/dev/null", "is not a block device"),
        ("/nonexistent/disk", "cannot use device"),
    ] {
        let output = called_as(
            "tandem",
            &["setup", "attach", "0", device, device, "internal"],
        );
        assert_eq!(output.status.code(), Some(20));
        let text = stderr(&output);
        assert!(text.contains(what), "{text}");
        assert!(text.contains("what to do:"), "{text}");
    }
}

#[test]
fn a_bad_resource_name_exits_20_and_says_what_to_do() {
    let output = called_as("tandem", &["setup", "new-resource", "a/b"]);
    assert_eq!(output.status.code(), Some(20));
    let text = stderr(&output);
    assert!(text.contains("cannot be the name of a resource"), "{text}");
    assert!(text.contains("what to do:"), "{text}");
}

#[test]
fn a_place_for_metadata_that_is_none_exits_20() {
    let output = called_as(
        "tandem",
        &["setup", "attach", "0", "/dev/null", "/dev/null", "nowhere"],
    );
    assert_eq!(output.status.code(), Some(20));
    assert!(stderr(&output).contains("no place for metadata"));
}
