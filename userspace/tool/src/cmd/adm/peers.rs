// SPDX-License-Identifier: GPL-2.0

//! The configurations of both nodes side by side: what they have to say alike before the modules
//! accept each other.

use tandem_config::{
    Config,
    Host,
    Resource,
    Setting, //
};
use tandem_engine::options::{
    OptionSpec,
    OptionValue, //
};

/// Options of the section `net` that both nodes compare when they meet. `verify-alg` and
/// `csums-alg` follow the peer's later, but not then.
const COMPARED: [&str; 10] = [
    "protocol",
    "allow-two-primaries",
    "after-sb-0pri",
    "after-sb-1pri",
    "after-sb-2pri",
    "cram-hmac-alg",
    "shared-secret",
    "data-integrity-alg",
    "verify-alg",
    "csums-alg",
];

/// What differs of a resource of this node, each with both values. Both configurations have taken
/// over what `common` says.
pub(super) fn differences(own: &Resource, peer: &Config) -> Vec<String> {
    let Some(theirs) = peer.resources.iter().find(|other| other.name == own.name) else {
        return vec![format!(
            "the peer's configuration has no resource {}",
            own.name
        )];
    };
    let mut found = Vec::new();
    let mut compare = |what: &str, own: String, peer: String| {
        if own != peer {
            found.push(format!("{what}: {own} here, {peer} at the peer"));
        }
    };
    for name in COMPARED {
        let (own, peer) = (&own.settings.net, &theirs.settings.net);
        if value(own, name) != value(peer, name) {
            compare(name, shown(own, name, "one"), shown(peer, name, "another"));
        }
    }
    for host in &own.hosts {
        let name = host.names.first().map_or("", String::as_str);
        let Some(other) = theirs.hosts.iter().find(|other| same_host(host, other)) else {
            compare(&format!("host {name}"), "named".into(), "missing".into());
            continue;
        };
        compare(&format!("address of {name}"), end(host), end(other));
        compare(&format!("volumes of {name}"), volumes(host), volumes(other));
    }
    found
}

/// Whether two sections are about the same node; the one of a floating address has no other name.
fn same_host(one: &Host, other: &Host) -> bool {
    one.names.iter().any(|name| other.names.contains(name))
}

fn end(host: &Host) -> String {
    let address = host.address.as_ref();
    address.map_or_else(|| "none".into(), ToString::to_string)
}

fn volumes(host: &Host) -> String {
    let numbers = host.volumes.iter().map(|volume| volume.number.to_string());
    numbers.collect::<Vec<_>>().join(" ")
}

/// The value in force: of several the last one, else the default.
fn value(settings: &[Setting], name: &str) -> Option<OptionValue> {
    let spec = OptionSpec::named(name)?;
    match written(settings, name) {
        Some(text) => spec.parse(text).ok(),
        None => Some(spec.default_value()),
    }
}

fn written<'a>(settings: &'a [Setting], name: &str) -> Option<&'a str> {
    let mut found = settings.iter().rev();
    let setting = found.find(|setting| setting.name == name)?;
    Some(&setting.value)
}

/// The value for people; `instead` of a secret.
fn shown(settings: &[Setting], name: &str, instead: &str) -> String {
    match written(settings, name) {
        Some(_) if name == "shared-secret" => instead.into(),
        Some(text) => text.into(),
        None => "not set".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_config::Files;

    fn config(net: &str, port: u16) -> Config {
        let text = format!(
            "common {{ net {{ {net} }} }} resource r0 {{ device minor 0; disk /dev/x; meta-disk \
             internal; on a {{ address 10.0.0.1:{port}; }} on b {{ address 10.0.0.2:7788; }} }}"
        );
        let mut config = tandem_config::parse("test", &text, &mut Files).unwrap();
        config.expand();
        config
    }

    fn found(own: &Config, peer: &Config) -> Vec<String> {
        differences(own.resources.first().unwrap(), peer)
    }

    #[test]
    fn what_the_nodes_have_to_say_alike_is_compared_by_value() {
        let own = config("protocol C; allow-two-primaries; max-buffers 3000;", 7788);
        let peer = config("allow-two-primaries yes; after-sb-0pri disconnect;", 7788);
        assert_eq!(found(&own, &peer), [""; 0]);
        let peer = config("protocol A; allow-two-primaries;", 7789);
        assert_eq!(
            found(&own, &peer),
            [
                "protocol: C here, A at the peer",
                "address of a: ipv4:10.0.0.1:7788 here, ipv4:10.0.0.1:7789 at the peer"
            ]
        );
    }

    #[test]
    fn secrets_are_compared_and_not_shown() {
        let own = config("shared-secret mine;", 7788);
        let peer = config("shared-secret yours;", 7788);
        let expected = "shared-secret: one here, another at the peer";
        assert_eq!(found(&own, &peer), [expected]);
    }

    #[test]
    fn a_resource_and_a_host_that_the_peer_lacks_are_told() {
        let own = config("", 7788);
        let mut peer = config("", 7788);
        peer.resources.first_mut().unwrap().hosts.pop();
        assert_eq!(
            found(&own, &peer),
            ["host b: named here, missing at the peer"]
        );
        peer.resources.clear();
        assert_eq!(
            found(&own, &peer),
            ["the peer's configuration has no resource r0"]
        );
    }
}
