// SPDX-License-Identifier: GPL-2.0

//! `drbd.conf`: text that a user wrote.

use std::{
    io,
    path::{Path, PathBuf},
};

use tandem_config::{parse, Dump, Node, Source, Xml};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "drbd_conf",
    run,
    seeds,
};

/// There are no other files.
struct Nothing;

impl Source for Nothing {
    fn read(&mut self, _path: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn matching(&mut self, _pattern: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn identity(&mut self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// What was read, as text; without the line numbers, which change.
fn dump(text: &str) -> Option<String> {
    let mut config = match parse("f", text, &mut Nothing) {
        Ok(config) => config,
        Err(problems) => {
            let first = problems.first().expect("an error says what is wrong");
            assert!(first.to_string().starts_with("f:"), "{first}");
            return None;
        }
    };
    let node = Node::new("a", |_| false);
    let dump = Dump::config(&config, node.name(), |_| true);
    let lines = dump
        .lines()
        .filter(|line| !line.starts_with("# defined at"));
    let dump = lines.collect::<Vec<_>>().join("\n");
    // What else is done with it does not panic.
    Xml::config(&config);
    config.expand();
    let _ = tandem_config::resolve(&mut config, &node, true);
    for resource in &config.resources {
        let _ = node.peer_of(resource, Some("b"));
    }
    Some(dump)
}

/// What parses is dumped and read back the same.
fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(once) = dump(&text) {
        assert_eq!(dump(&once).as_ref(), Some(&once), "of {text}");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let host = "device /dev/drbd0; disk /dev/x; meta-disk internal;";
    [
        "global { usage-count no; minor-count 5; cmd-timeout-short 9; }".to_owned(),
        "common { net { protocol C; no-tcp-cork; shared-secret \"a b\\\"c\"; } }".to_owned(),
        format!("resource r {{ on a {{ {host} address 10.0.0.1:7788; }} }}"),
        format!("resource r {{ {host} floating 10.0.0.1:1; floating ipv6 [fd00::1]:1; }}"),
        "resource r { volume 1 { device minor 1; disk /dev/y; meta-disk /dev/m [2]; } \
         on a b { address ipv6 [fe80::1%eth0]:1; options { cpu-mask 3; } } }"
            .to_owned(),
        "resource r { syncer { rate 10M; after x; } startup { become-primary-on both; \
         wfc-timeout 9; wait-after-sb; } handlers { fence-peer \"x $Y\"; } disk { size 1G; } }"
            .to_owned(),
        "skip x { junk { } } include \"none/*\"; # end".to_owned(),
        include_str!("../../../userspace/config/src/testdata/pair.conf").to_owned(),
    ]
    .map(String::into_bytes)
    .into()
}
