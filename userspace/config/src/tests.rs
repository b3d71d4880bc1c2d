// SPDX-License-Identifier: GPL-2.0

//! Tests of the parser: what `drbdadm` of drbd-utils 9.22 prints for the same file, and that errors
//! say where and what.

use crate::{
    parse,
    resolve,
    Config,
    Dump,
    Node,
    Source,
    Xml, //
};
use std::{
    collections::BTreeMap,
    io,
    path::{
        Path,
        PathBuf, //
    }, //
};

/// Files in memory. A pattern's `*` is at its end.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<PathBuf, String>);

impl Source for Memory {
    fn read(&mut self, path: &Path) -> io::Result<String> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matching(&mut self, pattern: &Path) -> Vec<PathBuf> {
        let pattern = pattern.to_string_lossy().into_owned();
        let fits = |path: &&PathBuf| match pattern.split_once('*') {
            Some((begin, _)) => path.to_string_lossy().starts_with(begin),
            None => path.to_string_lossy() == pattern,
        };
        self.0.keys().filter(fits).cloned().collect()
    }

    fn identity(&mut self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

const PAIR: &str = include_str!("testdata/pair.conf");

fn alice() -> Node {
    Node::new("alice", |_| false)
}

fn read(text: &str) -> Config {
    match parse("/etc/drbd.conf", text, &mut Memory::default()) {
        Ok(config) => config,
        Err(problems) => panic!("{}", problems[0]),
    }
}

fn first_problem(text: &str) -> String {
    let problems = parse("f", text, &mut Memory::default()).err();
    let problems = problems.unwrap_or_else(|| panic!("no problem in {text}"));
    problems[0].to_string()
}

fn dumped(config: &Config) -> String {
    let node = alice();
    Dump::config(config, node.name(), |resource| {
        node.host_of(resource).is_some()
    })
}

#[test]
fn a_dump_is_what_drbdadm_prints() {
    let recorded = include_str!("testdata/pair.dump");
    assert_eq!(dumped(&read(PAIR)).trim_end(), recorded.trim_end());
}

#[test]
fn a_dump_with_what_is_taken_over_is_what_drbdadm_prints() {
    let mut config = read(PAIR);
    config.expand();
    let recorded = include_str!("testdata/pair.expanded");
    assert_eq!(dumped(&config).trim_end(), recorded.trim_end());
}

#[test]
fn what_is_only_kept_is_dumped_as_drbdadm_does() {
    let dump = dumped(&read(
        "global { usage-count no; cmd-timeout-short 7; cmd-timeout-medium 600;
            cmd-timeout-long 900; }
        resource r0 { startup { wfc-timeout 3; stacked-timeouts; } }",
    ));
    for recorded in [
        "    cmd-timeout-short 7;\n    cmd-timeout-medium 600;\n    cmd-timeout-long 900;\n}",
        "    startup {\n        wfc-timeout        3;\n        stacked-timeouts;\n    }",
    ] {
        assert!(dump.contains(recorded), "{dump}");
    }
}

#[test]
fn xml_is_what_drbdadm_prints() {
    assert_eq!(Xml::config(&read(PAIR)), include_str!("testdata/pair.xml"));
}

#[test]
fn resources_behind_resync_after_become_minors() {
    let mut config = read(PAIR);
    config.expand();
    assert!(resolve(&mut config, &alice(), false).is_ok());
    let volume = &config.resources[0].hosts[0].volumes[0];
    assert_eq!(volume.option("resync-after"), Some("10"));
}

#[test]
fn an_unknown_resource_behind_resync_after_is_an_error_unless_nobody_looks() {
    let mut config = read(&PAIR.replace("resync-after r1/0", "resync-after gone"));
    config.expand();
    let mut other = config.clone();
    let problem = resolve(&mut config, &alice(), false).unwrap_err();
    assert!(
        problem.to_string().contains("resource of this host"),
        "{problem}"
    );
    let notes = resolve(&mut other, &alice(), true).unwrap();
    assert_eq!(notes.len(), 2);
    let volume = &other.resources[0].hosts[0].volumes[0];
    assert_eq!(volume.option("resync-after"), None);
}

#[test]
fn a_volume_says_more_than_its_resource() {
    let mut config = read(
        "resource r { disk { c-max-rate 1M; } \
         volume 0 { device minor 1; disk /dev/x; meta-disk internal; disk { c-max-rate 2M; } } \
         on alice { address 10.0.0.1:1; } on bob { address 10.0.0.2:1; } }",
    );
    config.expand();
    let volume = &config.resources[0].hosts[0].volumes[0];
    assert_eq!(volume.option("c-max-rate"), Some("2M"));
}

/// A host section that is complete.
fn host(inside: &str) -> String {
    format!(
        "resource r {{\n  on alice {{ device /dev/drbd0; disk /dev/x; address 10.0.0.1:1; \
         meta-disk internal; }}\n{inside}\n}}"
    )
}

/// A configuration, where the error is, and words of the message.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "resource r {\n  net { max-buffers 5; }\n}",
        "f:2:21: ",
        "32 to 131072",
    ),
    (
        "resource r {\n  net { max-bufers 50; }\n}",
        "f:2:9: ",
        "an option of 'net'",
    ),
    (
        "resource r {\n  net { fencing x; }\n}",
        "f:2:9: ",
        "section 'disk'",
    ),
    (
        "resource r { frob; }",
        "f:1:14: ",
        "expected 'on', 'floating'",
    ),
    ("frob { }", "f:1:1: ", "expected 'global', 'common'"),
    ("resource r {\n", "f:2:1: ", "'}' for the '{' in line 1"),
    ("resource r { } }", "f:1:16: ", "closes nothing"),
    ("resource r { protocol D; }", "f:1:23: ", "expected A, B, C"),
    (
        "resource r { protocol C }",
        "f:1:25: ",
        "expected ';' after 'C'",
    ),
    ("resource \"a/b\" { }", "f:1:10: ", "name of a resource"),
    (
        "global { usage-count maybe; }",
        "f:1:22: ",
        "'yes', 'no' or 'ask'",
    ),
    ("global { minor-count 300; }", "f:1:22: ", "from 1 to 255"),
    ("include \"gone\";", "f:1:9: ", "no file 'gone'"),
    (
        "resource r { on a { disk \"/dev/x; } }",
        "f:1:26: ",
        "quote is not closed",
    ),
    (
        "resource r { on a { address 10.0.0:1; } }",
        "f:1:29: ",
        "an IPv4 address",
    ),
    (
        "resource r { on a { address 10.0.0.1; } }",
        "f:1:37: ",
        "':' and a port",
    ),
    (
        "resource r { on a { address 10.0.0.1:0; } }",
        "f:1:38: ",
        "from 1 to 65535",
    ),
    (
        "resource r { on a { address ipv6 [x]:1; } }",
        "f:1:29: ",
        "an IPv6 address",
    ),
    (
        "resource r { on a { device /dev/sda; } }",
        "f:1:28: ",
        "/dev/drbdNUMBER",
    ),
    (
        "resource r { on a { device drbd1 minor 2; } }",
        "f:1:28: ",
        "differ",
    ),
    (
        "resource r { handlers { fence-pear x; } }",
        "f:1:25: ",
        "name of a handler",
    ),
    (
        "resource r { startup { wfc-timeout -1; } }",
        "f:1:36: ",
        "from 0 to 300000",
    ),
    (
        "resource r { stacked-on-top-of x { } }",
        "f:1:14: ",
        "stacked",
    ),
    ("resource r { proxy { } }", "f:1:14: ", "Proxy"),
    (
        "resource r { net { discard-my-data; } }",
        "f:1:20: ",
        "one attempt",
    ),
    ("resource r { & }", "f:1:14: ", "no meaning"),
    (
        "resource r { on a { } }",
        "f:1:17: ",
        "'address', which is missing",
    ),
    (
        "resource r { } resource r { }",
        "f:1:25: ",
        "first in f:1:10",
    ),
    ("skip x", "f:1:1: ", "expected '{' after 'skip'"),
];

#[test]
fn errors_say_where_and_what_was_expected() {
    for (text, place, words) in WRONG {
        let problem = first_problem(text);
        assert!(problem.starts_with(place), "{text}: {problem}");
        assert!(problem.contains(words), "{text}: {problem}");
    }
}

#[test]
fn what_is_used_twice_is_told_with_both_places() {
    let other = |what: &str| {
        host(&format!(
            "  on bob {{ device /dev/drbd0; disk /dev/x; {what} meta-disk internal; }}"
        ))
    };
    let problem = first_problem(&other("address 10.0.0.1:1;"));
    assert!(problem.starts_with("f:3:52: "), "{problem}");
    assert!(problem.contains("which is used first in f:2:"), "{problem}");
    let text = host("  on alice { }");
    let problem = first_problem(&text);
    assert!(
        problem.contains("conflicting use of host section"),
        "{problem}"
    );
}

#[test]
fn an_error_shows_the_line_with_a_mark() {
    let problem = first_problem("resource r {\n\tnet { protocol D; }\n}");
    assert!(
        problem.ends_with("\n  | \tnet { protocol D; }\n  | \t               ^"),
        "{problem}"
    );
}

#[test]
fn all_errors_are_told_at_once() {
    let text = host("  net { max-buffers 5; ping-int 500; }\n  frob;");
    let problems = parse("f", &text, &mut Memory::default()).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn files_are_included_once_and_relative_to_the_first() {
    let mut files = Memory::default();
    for (path, text) in [
        ("/etc/drbd.d/a.res", "resource a { }"),
        ("/etc/drbd.d/b.res", "include \"drbd.d/*\"; resource b { }"),
    ] {
        files.0.insert(path.into(), text.into());
    }
    let text = "include \"drbd.d/*.res\"; include \"drbd.d/a.res\"; include \"none/*\";";
    let config = parse("/etc/drbd.conf", text, &mut files).unwrap();
    let names: Vec<_> = config.resources.iter().map(|each| &each.name).collect();
    assert_eq!(names, ["a", "b"]);
    files
        .0
        .insert("/etc/drbd.d/c.res".into(), "resource c {\n frob; }".into());
    let problems = parse("/etc/drbd.conf", text, &mut files).unwrap_err();
    let problem = problems[0].to_string();
    assert!(problem.starts_with("/etc/drbd.d/c.res:2:2: "), "{problem}");
    assert!(problem.contains("  |  frob; }"), "{problem}");
}

#[test]
fn old_spellings_are_understood() {
    let config = read(&host(
        "  syncer { rate 5M; after x; verify-alg sha1; cpu-mask 1; use-rle no; }
  net { no-tcp-cork; allow-two-primaries; protocol a; }
  handlers { outdate-peer \"x\"; }",
    ));
    let settings = &config.resources[0].settings;
    let shown = |list: &[crate::Setting]| {
        let list = list.iter();
        let list = list.map(|each| format!("{}={}", each.name, each.value));
        list.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(&settings.disk), "resync-rate=5M resync-after=x");
    assert_eq!(
        shown(&settings.net),
        "verify-alg=sha1 use-rle=no tcp-cork=no allow-two-primaries=yes protocol=A"
    );
    assert_eq!(shown(&settings.options), "cpu-mask=1");
    assert_eq!(settings.handler("fence-peer"), Some("x"));
}

#[test]
fn a_floating_host_is_known_by_its_address() {
    let config = read(
        "resource r { device minor 0; disk /dev/x; meta-disk internal; \
         floating 10.0.0.1:1; floating ipv6 [fd00::2]:1; }",
    );
    let node = Node::new("anything", |address| address.host == "fd00::2");
    let resource = &config.resources[0];
    let mine = node.host_of(resource).unwrap();
    assert_eq!(
        mine.address.as_ref().unwrap().to_string(),
        "ipv6:[fd00::2]:1"
    );
    let peer = node.peer_of(resource, None).unwrap();
    assert_eq!(
        peer.address.as_ref().unwrap().to_string(),
        "ipv4:10.0.0.1:1"
    );
}

#[test]
fn of_several_peers_one_has_to_be_named() {
    let config = read(
        "resource r { device minor 0; disk /dev/x; meta-disk internal; \
         on alice { address 10.0.0.1:1; } on bob { address 10.0.0.2:1; } \
         on carol { address 10.0.0.3:1; } }",
    );
    let (node, resource) = (alice(), &config.resources[0]);
    assert_eq!(
        node.peer_of(resource, None).unwrap_err(),
        crate::PeerError::Several
    );
    assert_eq!(
        node.peer_of(resource, Some("dave")).unwrap_err(),
        crate::PeerError::NoMatch
    );
    assert_eq!(
        node.peer_of(resource, Some("carol")).unwrap().names,
        ["carol"]
    );
}
