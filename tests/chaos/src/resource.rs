// SPDX-License-Identifier: GPL-2.0

//! One of the three resources, and the commands that bring it where a round begins, or mend what a
//! round has broken.

use anyhow::{ensure, Result};
use vm::{
    pair::Pair,
    side::{Protocol, Side},
    states::{self, Volume},
};

use crate::plan::{Node, VOLUMES};

/// Sectors of the part of a data disk that a volume lies on: little to resync and to compare.
pub(crate) const SECTORS: u64 = 32768;

/// Parts of each data disk.
pub(crate) const PARTS: u64 = 3;

/// What runs in the guests.
const PROGRAM: &str = include_str!("../guest/chaos.sh");

/// Where it is there.
const PLACE: &str = "/run/chaos.sh";

/// Options of each disk: given up at its first error, and resynced as quickly as it goes.
const OF_DISKS: &str = "--on-io-error=detach --c-plan-ahead=0 --resync-rate=512M --c-min-rate=0";

/// Options of each connection, beside the protocol: as quick to notice a silent peer as machines of
/// that slowness allow. What has to be the same on both nodes is not changed later, but for the
/// protocol.
fn of_connections(slowness: f64) -> String {
    let scaled = |time: f64| (time * slowness).ceil() as u32;
    format!(
        "--verify-alg=crc32c --ping-int={} --ping-timeout={} --timeout={} --connect-int={} \
         --socket-check-timeout=5",
        scaled(3.0),
        scaled(30.0),
        scaled(20.0),
        scaled(2.0)
    )
}

/// The side of a node.
pub(crate) fn side<'a>(pair: &Pair<'a>, node: Node) -> Side<'a> {
    match node {
        Node::A => pair.a,
        Node::B => pair.b,
    }
}

/// Brings the script to a node, makes the parts with their metadata.
pub(crate) fn prepare(pair: &Pair<'_>) -> Result<()> {
    for node in Node::BOTH {
        let (own, peer) = (side(pair, node), side(pair, node.other()));
        own.write_file(PLACE, PROGRAM.as_bytes())?;
        script(
            &own,
            &format!("prepare {} {} {SECTORS}", own.address(), peer.address()),
        )?;
    }
    Ok(())
}

/// Runs the script of a node.
pub(crate) fn script(side: &Side<'_>, arguments: &str) -> Result<String> {
    side.ok(&script_command(arguments))
}

/// The command that runs it.
pub(crate) fn script_command(arguments: &str) -> String {
    format!("bash {PLACE} {arguments}")
}

/// A resource on both nodes.
#[derive(Clone, Copy)]
pub(crate) struct Resource<'a> {
    pair: &'a Pair<'a>,
    /// 0, 1 or 2.
    pub(crate) index: usize,
}

impl<'a> Resource<'a> {
    pub(crate) fn new(pair: &'a Pair<'a>, index: usize) -> Self {
        Self { pair, index }
    }

    pub(crate) fn side(&self, node: Node) -> Side<'a> {
        side(self.pair, node)
    }

    /// The minor number of a volume.
    pub(crate) fn minor(&self, volume: usize) -> usize {
        self.index * VOLUMES + volume
    }

    /// The minor numbers of all its volumes.
    pub(crate) fn minors(&self) -> impl Iterator<Item = usize> {
        let first = self.minor(0);
        first..first + VOLUMES
    }

    /// Both addresses of the connection, as a node's commands about it name it.
    fn addresses(&self, node: Node) -> String {
        let (own, peer) = (self.side(node), self.side(node.other()));
        let port = 7790 + self.index;
        format!(
            "ipv4:{}:{port} ipv4:{}:{port}",
            own.address(),
            peer.address()
        )
    }

    /// Makes it on both nodes, connected, with disks that are known to be equal: they are empty.
    pub(crate) fn make(&self) -> Result<()> {
        for node in Node::BOTH {
            let side = self.side(node);
            side.setup(&format!("new-resource r{}", self.index))?;
            for volume in 0..VOLUMES {
                let minor = self.minor(volume);
                side.setup(&format!("new-minor r{} {minor} {volume}", self.index))?;
                ensure!(self.attach(node, volume)?, "minor {minor} is not attached");
            }
        }
        for node in Node::BOTH {
            let connected = self.connect(node, Protocol::C)?;
            ensure!(connected, "r{} does not connect", self.index);
        }
        for minor in self.minors() {
            let meets = format!(" {minor}: cs:Connected .* ds:Inconsistent/Inconsistent");
            for node in Node::BOTH {
                self.side(node).await_proc(&meets)?;
            }
            self.side(Node::A)
                .setup(&format!("new-current-uuid {minor} --clear-bitmap"))?;
            for node in Node::BOTH {
                let equal = format!(" {minor}: cs:Connected .* ds:UpToDate/UpToDate");
                self.side(node).await_proc(&equal)?;
            }
        }
        Ok(())
    }

    /// What a node says of its volumes.
    pub(crate) fn states(&self, node: Node) -> Result<Vec<Volume>> {
        let mut all = states::volumes(&self.side(node).proc()?);
        all.retain(|volume| self.minors().any(|minor| volume.minor as usize == minor));
        ensure!(
            all.len() == VOLUMES,
            "node {node} lacks volumes of r{}: {all:?}",
            self.index
        );
        Ok(all)
    }

    /// What both nodes say of them.
    pub(crate) fn look(&self) -> Result<[Vec<Volume>; 2]> {
        Ok([self.states(Node::A)?, self.states(Node::B)?])
    }

    /// Whether both nodes see a volume connected, with two good disks.
    pub(crate) fn is_in_sync(&self, volume: usize) -> Result<bool> {
        let all = self.look()?;
        Ok(all.iter().all(|states| states[volume].is_in_sync()))
    }

    /// Whether both nodes see all its volumes so.
    pub(crate) fn is_all_in_sync(&self) -> Result<bool> {
        Ok(self.look()?.iter().flatten().all(Volume::is_in_sync))
    }

    /// A command about one volume; whether it was done.
    pub(crate) fn of_volume(&self, node: Node, command: &str, volume: usize) -> Result<bool> {
        let line = format!("{command} {}", self.minor(volume));
        Ok(self.side(node).try_setup(&line)?.success())
    }

    /// Gives a node that role, for one volume after the other; whether all have it.
    pub(crate) fn role(&self, node: Node, role: &str) -> Result<bool> {
        let mut all = true;
        for volume in 0..VOLUMES {
            all &= self.of_volume(node, role, volume)?;
        }
        Ok(all)
    }

    /// Looks for the peer.
    pub(crate) fn connect(&self, node: Node, protocol: Protocol) -> Result<bool> {
        let line = format!(
            "connect r{} {} {} --protocol={}",
            self.index,
            self.addresses(node),
            of_connections(self.pair.spec().time_scale()),
            protocol.as_str()
        );
        Ok(self.side(node).try_setup(&line)?.success())
    }

    /// Leaves the peer.
    pub(crate) fn disconnect(&self, node: Node) -> Result<bool> {
        let line = format!("disconnect {}", self.addresses(node));
        Ok(self.side(node).try_setup(&line)?.success())
    }

    /// Goes on with another protocol.
    pub(crate) fn protocol(&self, node: Node, protocol: Protocol) -> Result<bool> {
        let line = format!(
            "net-options {} --protocol={}",
            self.addresses(node),
            protocol.as_str()
        );
        Ok(self.side(node).try_setup(&line)?.success())
    }

    /// Attaches a disk as `drbdadm` does; whether that was done.
    pub(crate) fn attach(&self, node: Node, volume: usize) -> Result<bool> {
        let (side, minor) = (self.side(node), self.minor(volume));
        let part = format!("/dev/mapper/part{minor}");
        // Of a disk that was never given up, nothing is to be applied.
        side.sh(&format!("tandem meta {minor} v08 {part} internal apply-al"))?;
        let line = format!("attach {minor} {part} {part} internal {OF_DISKS} --al-extents=67");
        Ok(side.try_setup(&line)?.success())
    }

    /// From now on the disk answers everything with an error, or it is well again.
    pub(crate) fn spoil(&self, node: Node, volume: usize, is_bad: bool) -> Result<()> {
        let minor = self.minor(volume);
        let table = match is_bad {
            true => format!("echo 0 {SECTORS} error"),
            false => format!("cat /run/chaos/table.{minor}"),
        };
        let load = format!("{table} | dmsetup load part{minor} && dmsetup resume part{minor}");
        self.side(node).ok(&load).map(drop)
    }

    /// From now on the module takes these operations of the disk for failed; 0: none.
    pub(crate) fn inject(&self, node: Node, volume: usize, kinds: u32) -> Result<()> {
        let only = 1_u32 << self.minor(volume);
        self.side(node)
            .ok(&format!(
                "cd /sys/module/tandem/parameters && echo {only} >fault_devs && \
                 echo 100 >fault_rate && echo {kinds} >enable_faults"
            ))
            .map(drop)
    }

    /// Resyncs go on and are quick, I/O goes on: whatever clients had wished last.
    pub(crate) fn forget_wishes(&self, node: Node) -> Result<()> {
        let commands: Vec<_> = self
            .minors()
            .flat_map(|minor| {
                [
                    format!("resume-io {minor}"),
                    format!("resume-sync {minor}"),
                    format!(
                        "disk-options {minor} --c-plan-ahead=0 --resync-rate=512M --c-min-rate=0"
                    ),
                ]
            })
            .map(|command| format!("tandem setup {command}"))
            .collect();
        // Some are refused, where there is nothing to resume, or no disk that has options.
        self.side(node).sh(&commands.join("; ")).map(drop)
    }

    /// Begins to write to all volumes; goes on until [`Resource::quiet`].
    pub(crate) fn write(&self, node: Node) -> Result<()> {
        for minor in self.minors() {
            script(&self.side(node), &format!("write {minor}"))?;
        }
        Ok(())
    }

    /// Ends that; false if something is written still.
    pub(crate) fn quiet(&self, node: Node) -> Result<bool> {
        let mut all = true;
        for minor in self.minors() {
            let command = script_command(&format!("quiet {minor}"));
            all &= self.side(node).sh(&command)?.success();
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn volumes_of_all_resources_have_each_a_part() {
        use super::{PARTS, VOLUMES};
        use crate::plan::RESOURCES;
        assert_eq!(RESOURCES * VOLUMES, 2 * PARTS as usize);
    }
}
