// SPDX-License-Identifier: GPL-2.0

//! Which host section is this node's, and which is its peer's.

use crate::model::{
    Address,
    Host,
    Resource, //
};

/// This node: its name, and whether an address is one of its own.
pub struct Node {
    name: String,
    has_address: Box<dyn Fn(&Address) -> bool>,
}

/// Why there is no peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerError {
    /// There is only one host section.
    Missing,
    /// There are several, and nobody said which.
    Several,
    /// No host section, or not only one, is the one that was asked for.
    NoMatch,
}

impl Node {
    /// A node of this name.
    pub fn new(name: &str, has_address: impl Fn(&Address) -> bool + 'static) -> Self {
        Self {
            name: name.to_owned(),
            has_address: Box::new(has_address),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether an address is one of its own.
    pub fn has_address(&self, address: &Address) -> bool {
        (self.has_address)(address)
    }

    fn is(&self, host: &Host) -> bool {
        match &host.address {
            Some(address) if host.floating => {
                address.host == self.name || self.has_address(address)
            }
            _ => host.names.contains(&self.name),
        }
    }

    /// The node's section of a resource; `None`: the resource is for others.
    pub fn host_of<'a>(&self, resource: &'a Resource) -> Option<&'a Host> {
        resource.hosts.iter().find(|host| self.is(host))
    }

    /// The peer's section. With more than two sections, `wanted` names the peer.
    ///
    /// # Errors
    /// There is none, or it is not clear which.
    pub fn peer_of<'a>(
        &self,
        resource: &'a Resource,
        wanted: Option<&str>,
    ) -> Result<&'a Host, PeerError> {
        let mine = self.host_of(resource).map(|host| &host.place);
        let others = || {
            let hosts = resource.hosts.iter();
            hosts.filter(|host| Some(&host.place) != mine)
        };
        if resource.hosts.len() <= 2 {
            return others().next().ok_or(PeerError::Missing);
        }
        let wanted = wanted.ok_or(PeerError::Several)?;
        let fits = |host: &&Host| {
            let by_address = host.floating
                && host
                    .address
                    .as_ref()
                    .is_some_and(|address| address.host == wanted);
            by_address || host.names.iter().any(|name| name == wanted)
        };
        let mut found = others().filter(fits);
        match (found.next(), found.next()) {
            (Some(host), None) => Ok(host),
            _ => Err(PeerError::NoMatch),
        }
    }
}
