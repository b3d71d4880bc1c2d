// SPDX-License-Identifier: GPL-2.0

//! `tandem adm`, called as `drbdadm`: lines and exit codes of `drbdadm-84` of drbd-utils 9.22,
//! recorded, and what it says and does beyond that.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{
        Path,
        PathBuf, //
    },
    process::{
        Command,
        Output, //
    }, //
};

fn conf() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../config/src/testdata/pair.conf")
        .canonicalize()
        .expect("the configuration is there")
}

fn drbdadm(conf: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg0("drbdadm")
        .env("__DRBD_NODE__", "alice")
        .arg("-c")
        .arg(conf)
        .args(args)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A configuration that goes away with its test.
struct Conf(PathBuf);

impl Conf {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tandem-adm-{}-{name}", std::process::id()));
        fs::write(&path, text).expect("a file in the temporary folder");
        Self(path)
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A resource of alice and bob with these handlers.
fn with_handlers(handlers: &str) -> String {
    format!(
        "resource r0 {{ handlers {{ {handlers} }}
  on alice {{ device /dev/drbd7; disk /dev/sda1; address 10.0.0.1:7789; meta-disk internal; }}
  on bob {{ device /dev/drbd7; disk /dev/sda2; address 10.0.0.2:7789; meta-disk internal; }} }}"
    )
}

#[test]
fn lines_and_exit_codes_are_those_of_drbdadm() {
    let conf = conf();
    // A backslash at the end of a line: it goes on.
    let recorded = include_str!("data/drbdadm-84.txt").replace("\\\n", "");
    let blank = |text: &str| {
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let mut seen = 0;
    for part in recorded.split("=== ").filter(|part| !part.is_empty()) {
        let (args, expected) = part.split_once('\n').unwrap();
        let args: Vec<_> = args.split_whitespace().collect();
        let output = drbdadm(&conf, &args);
        let stdout = text(&output.stdout).replace(conf.to_str().unwrap(), "CONF");
        let code = output.status.code().unwrap();
        let ours = format!("{stdout}rc={code}\n");
        let expected = expected.replace("drbdsetup-84", "drbdsetup");
        assert_eq!(blank(&ours), blank(&expected), "{args:?}");
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

/// A program that stands for both tools: one command of it fails, with 10.
struct Tool(Conf);

impl Tool {
    fn new(name: &str, fails: &str) -> Self {
        let text = format!("#!/bin/sh\ncase $1 in {fails}) exit 10 ;; esac\n");
        let tool = Self(Conf::new(name, &text));
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&tool.0 .0, executable).expect("the file may be run");
        tool
    }
}

#[test]
fn progress_is_told_in_the_words_of_drbdadm() {
    let failed = |disks: &str| {
        format!(
            "[\n     create res: r0 r1\n   prepare disk: r0 r1\n    adjust disk: {disks}\n     \
             adjust net: r0 r1\n]\n"
        )
    };
    for (fails, code, expected) in [
        ("none", 0, failed("r0 r1")),
        (
            "attach",
            1,
            failed("r0:failed(attach:10) r1:failed(attach:10):failed(attach:10)"),
        ),
        (
            "new-minor",
            1,
            "[\n     create res: r0 r1\n   prepare disk: r0:failed(new-minor:10) \
             r1:failed(new-minor:10)\n    adjust disk: [skipped:r0] [skipped:r1]\n     adjust \
             net: [skipped:r0] [skipped:r1]\n]\n"
                .into(),
        ),
    ] {
        let tool = Tool::new(fails, fails);
        let path = tool.0 .0.to_str().expect("a path of the test");
        let args = ["-s", path, "-m", path, "adjust-with-progress", "all"];
        let output = drbdadm(&conf(), &args);
        assert_eq!(text(&output.stdout), expected, "{fails}");
        assert_eq!(output.status.code(), Some(code), "{fails}");
    }
}

#[test]
fn a_sync_is_waited_for_as_a_connection_is() {
    let output = drbdadm(&conf(), &["-d", "wait-sync", "r1"]);
    assert_eq!(
        text(&output.stdout),
        "drbdsetup wait-sync 10 --degr-wfc-timeout=5 --wfc-timeout=10\n\
         drbdsetup wait-sync 11 --degr-wfc-timeout=5 --wfc-timeout=10\n"
    );
}

#[test]
fn options_before_the_command_are_passed_on() {
    let output = drbdadm(&conf(), &["-d", "--", "--force", "primary", "r0"]);
    assert_eq!(text(&output.stdout), "drbdsetup primary 0 --force\n");
}

#[test]
fn wrong_usage_exits_1_and_a_wrong_file_10() {
    let conf = Conf::new("wrong", "resource r0 {\n  net { protocol D; }\n}\n");
    let output = drbdadm(&conf.0, &["-d", "up", "all"]);
    assert_eq!(output.status.code(), Some(10));
    let stderr = text(&output.stderr);
    let place = format!("{}:2:18: ", conf.0.display());
    assert!(stderr.contains(&place), "{stderr}");
    assert!(stderr.contains("expected A, B, C"), "{stderr}");
    assert!(stderr.contains("what to do:"), "{stderr}");
    for args in [&["frob"][..], &["primary"], &["-S", "up", "r0"]] {
        assert_eq!(drbdadm(&conf.0, args).status.code(), Some(1), "{args:?}");
    }
}

#[test]
fn an_address_of_another_host_is_refused() {
    let conf = Conf::new("address", &with_handlers(""));
    let output = drbdadm(&conf.0, &["up", "r0"]);
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stderr).contains("IP 10.0.0.1 not found on this host."));
}

#[test]
fn a_handler_gets_the_environment_and_its_exit_code_counts() {
    let fence =
        "fence-peer \"echo $DRBD_RESOURCE $DRBD_MINOR $DRBD_PEER $DRBD_PEERS $DRBD_PEER_AF \
                 $DRBD_PEER_ADDRESS $DRBD_CONF; exit 7\";";
    let target = "before-resync-target \"echo $DRBD_RESOURCE $DRBD_MINOR $DRBD_VOLUME \
                  $DRBD_LL_DISK; exit 3\";";
    let conf = Conf::new("handler", &with_handlers(&format!("{fence} {target}")));
    let output = drbdadm(&conf.0, &["fence-peer", "r0"]);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(
        text(&output.stdout),
        format!("r0 7 bob bob ipv4 10.0.0.2 {}\n", conf.0.display())
    );
    let output = drbdadm(&conf.0, &["before-resync-target", "minor-7"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(text(&output.stdout), "r0 7 0 /dev/sda1\n");
    let output = drbdadm(&conf.0, &["split-brain", "minor-7"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn another_program_can_be_the_setup_tool() {
    let conf = Conf::new("other", &with_handlers(""));
    let args = ["-s", "/bin/echo", "-v", "primary", "r0", "--force"];
    let output = drbdadm(&conf.0, &args);
    assert_eq!(
        text(&output.stdout),
        "/bin/echo primary 7 --force\nprimary 7 --force\n"
    );
    assert_eq!(output.status.code(), Some(0));
    let output = drbdadm(&conf.0, &["-s", "/bin/false", "primary", "r0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("terminated with exit code 1"));
}

#[test]
fn versions_are_variables_for_the_shell() {
    let output = drbdadm(Path::new("/dev/null"), &["--version"]);
    let stdout = text(&output.stdout);
    assert!(stdout.contains("DRBDADM_API_VERSION=1\n"), "{stdout}");
    assert!(stdout.contains("DRBD_KERNEL_VERSION_CODE=0x"), "{stdout}");
    assert!(
        stdout.contains("DRBDADM_VERSION_CODE=0x091600\n"),
        "{stdout}"
    );
}
