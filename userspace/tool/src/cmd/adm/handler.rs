// SPDX-License-Identifier: GPL-2.0

//! Handlers: commands of the configuration that the kernel has run.
//!
//! The kernel gives `DRBD_PEER_AF` and `DRBD_PEER_ADDRESS`; the rest of the environment is added
//! here.

use super::{
    lines::{
        For,
        Line, //
    },
    loaded::Loaded,
    runner::Runner,
    Target, //
};
use std::env;
use tandem_config::Host;

/// Runs the handler; its exit code, or 0 if none is configured.
pub(super) fn run(
    name: &str,
    target: &Target<'_>,
    peer: Option<&Host>,
    loaded: &Loaded,
    runner: &Runner,
) -> u8 {
    let Some(command) = target.resource.settings.handler(name) else {
        return 0;
    };
    for (name, value) in environment(target, peer.or_else(|| known_to_the_kernel(target)), loaded) {
        env::set_var(name, value);
    }
    let line = Line {
        tool: For::Shell,
        words: vec![command.to_owned()],
    };
    runner.run(&target.resource.name, &line)
}

/// The host with the address that the kernel told.
fn known_to_the_kernel<'a>(target: &Target<'a>) -> Option<&'a Host> {
    let family = env::var("DRBD_PEER_AF").ok()?;
    let address = env::var("DRBD_PEER_ADDRESS").ok()?;
    target.resource.hosts.iter().find(|host| {
        let known = host.address.as_ref();
        known.is_some_and(|known| known.family == family && known.host == address)
    })
}

/// Variables and their values.
fn environment(
    target: &Target<'_>,
    peer: Option<&Host>,
    loaded: &Loaded,
) -> Vec<(&'static str, String)> {
    let mut found = vec![
        ("DRBD_RESOURCE", target.resource.name.clone()),
        ("DRBD_CONF", loaded.file.display().to_string()),
    ];
    if let Some((peer, address)) = peer.and_then(|peer| Some((peer, peer.address.as_ref()?))) {
        found.push(("DRBD_PEER_AF", address.family.clone()));
        found.push(("DRBD_PEER_ADDRESS", address.host.clone()));
        found.push(("DRBD_PEER", peer.names.first().cloned().unwrap_or_default()));
        found.push(("DRBD_PEERS", peer.names.join(" ")));
    }
    match target.volume {
        Some(volume) => {
            found.push(("DRBD_MINOR", volume.minor().to_string()));
            found.push(("DRBD_VOLUME", volume.number.to_string()));
            found.push(("DRBD_LL_DISK", volume.lower().to_owned()));
        }
        None => {
            let minors = target.host.volumes.iter();
            let minors: Vec<_> = minors.map(|volume| volume.minor().to_string()).collect();
            found.push(("DRBD_MINOR", minors.join(" ")));
        }
    }
    found
}
