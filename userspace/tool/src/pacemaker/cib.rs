// SPDX-License-Identifier: GPL-2.0

//! What is read from Pacemaker's CIB: nodes, promotable clones, our constraints.
//!
//! Sources: Pacemaker's `node_state` as `lib/pengine/unpack.c` reads it. Until feature set 3.17
//! `in_ccm` was `true` or `false` and `crmd` `online` or `offline`; since then both are the second
//! of the epoch since when it is so, and `0` when it is not.
//!
//! The fuzz targets have this file, too.

use anyhow::{
    Context,
    Result, //
};
use roxmltree::{
    Document,
    Node, //
};

/// How the ids of our constraints begin: as those of `crm-fence-peer.sh`, so that either takes the
/// other's for its own.
const PREFIX: &str = "drbd-fence-by-handler";

/// What Pacemaker believes about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It takes part. The belief may be some seconds old.
    Online,
    /// It is out in an orderly way: it was fenced, or the cluster was stopped there.
    Out,
    /// It vanished, and is not fenced yet.
    Lost,
}

/// A constraint of ours: only one node may have the clone's Primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ban {
    /// Its id.
    pub(crate) id: String,
    /// The clone.
    pub(crate) clone: String,
    /// The only node that may be promoted.
    pub(crate) only: String,
}

/// A CIB, as far as it matters for fencing.
#[derive(Debug)]
pub(crate) struct Cib {
    /// Pacemaker fences nodes.
    pub(crate) fences: bool,
    nodes: Vec<String>,
    standings: Vec<(String, Standing)>,
    /// Id and resource of each clone of replicated devices.
    clones: Vec<(String, String)>,
    bans: Vec<Ban>,
}

impl Cib {
    /// Reads what `cibadmin --query` prints.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let document = Document::parse(text).context("the CIB is no XML")?;
        let all = |name: &'static str| {
            let elements = document.descendants();
            elements.filter(move |node| node.has_tag_name(name))
        };
        let fences = all("crm_config").flat_map(pairs).all(|(name, value)| {
            let is_switch = matches!(name, "stonith-enabled" | "fencing-enabled");
            !(is_switch && matches!(value, "false" | "no" | "off" | "n" | "0"))
        });
        let names = |node: Node<'_, '_>| node.attribute("uname").map(str::to_owned);
        Ok(Self {
            fences,
            nodes: all("node").filter_map(names).collect(),
            standings: all("node_state")
                .filter_map(|state| Some((names(state)?, standing(state))))
                .collect(),
            clones: all("clone")
                .chain(all("master"))
                .filter_map(clone)
                .collect(),
            bans: all("rsc_location").filter_map(ban).collect(),
        })
    }

    /// The clone that has a resource.
    pub(crate) fn clone_of(&self, resource: &str) -> Option<&str> {
        let found = self.clones.iter().find(|(_, of)| of == resource);
        found.map(|(id, _)| id.as_str())
    }

    /// The other node, when there is exactly one.
    pub(crate) fn only_other(&self, own: &str) -> Option<&str> {
        let mut others = self.nodes.iter().filter(|node| *node != own);
        match (others.next(), others.next()) {
            (Some(other), None) => Some(other),
            _ => None,
        }
    }

    /// Whether a node is one of the cluster.
    pub(crate) fn has_node(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node == name)
    }

    /// What is believed of a node. One that nothing was heard of yet is lost.
    pub(crate) fn standing_of(&self, name: &str) -> Standing {
        let found = self.standings.iter().find(|(node, _)| node == name);
        found.map_or(Standing::Lost, |(_, standing)| *standing)
    }

    /// Our constraint about a resource, if it is there.
    pub(crate) fn ban_of(&self, resource: &str, clone: &str) -> Option<&Ban> {
        let id = ban_id(resource, clone);
        self.bans.iter().find(|ban| ban.id == id)
    }
}

impl Ban {
    /// A new one.
    pub(crate) fn new(resource: &str, clone: &str, only: &str) -> Self {
        Self {
            id: ban_id(resource, clone),
            clone: clone.into(),
            only: only.into(),
        }
    }

    /// As XML for `cibadmin --create`: whoever is not that node may not be promoted.
    pub(crate) fn xml(&self) -> String {
        let [id, clone, only] = [&self.id, &self.clone, &self.only].map(|text| escaped(text));
        format!(
            "<rsc_location rsc=\"{clone}\" id=\"{id}\">\
             <rule role=\"Promoted\" score=\"-INFINITY\" id=\"{id}-rule\">\
             <expression attribute=\"#uname\" operation=\"ne\" value=\"{only}\" id=\"{id}-expr\"/>\
             </rule></rsc_location>"
        )
    }

    /// As XML for `cibadmin --delete`.
    pub(crate) fn xml_to_delete(&self) -> String {
        let [id, clone] = [&self.id, &self.clone].map(|text| escaped(text));
        format!("<rsc_location rsc=\"{clone}\" id=\"{id}\"/>")
    }
}

/// A text as the value of an attribute.
fn escaped(text: &str) -> String {
    let each = text.chars().map(|c| match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '"' => "&quot;".into(),
        // Read as a space otherwise.
        '\t' | '\n' | '\r' => format!("&#{};", u32::from(c)),
        _ => c.into(),
    });
    each.collect()
}

fn ban_id(resource: &str, clone: &str) -> String {
    format!("{PREFIX}-{resource}-{clone}")
}

/// Names and values in an element.
fn pairs<'a>(element: Node<'a, 'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let pairs = element.descendants().filter(|it| it.has_tag_name("nvpair"));
    pairs.filter_map(|pair| Some((pair.attribute("name")?, pair.attribute("value")?)))
}

fn standing(state: Node<'_, '_>) -> Standing {
    let since = |name: &str| {
        !matches!(
            state.attribute(name),
            None | Some("0" | "false" | "offline")
        )
    };
    let expected = state.attribute("expected").unwrap_or("down");
    match (since("in_ccm"), since("crmd")) {
        (true, true) => Standing::Online,
        (_, false) if expected == "down" => Standing::Out,
        _ => Standing::Lost,
    }
}

fn clone(element: Node<'_, '_>) -> Option<(String, String)> {
    let primitive = element
        .descendants()
        .find(|it| it.has_tag_name("primitive"))?;
    let (_, resource) =
        pairs(primitive).find(|(name, _)| matches!(*name, "drbd_resource" | "resource"))?;
    Some((element.attribute("id")?.into(), resource.into()))
}

fn ban(element: Node<'_, '_>) -> Option<Ban> {
    let id = element.attribute("id")?;
    if !id.starts_with(PREFIX) {
        return None;
    }
    let mut inside = element.descendants();
    let expression = inside.find(|it| it.has_tag_name("expression"))?;
    Some(Ban {
        id: id.into(),
        clone: element.attribute("rsc")?.into(),
        only: expression.attribute("value")?.into(),
    })
}

#[cfg(test)]
#[path = "cib_tests.rs"]
mod tests;
