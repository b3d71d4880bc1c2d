// SPDX-License-Identifier: GPL-2.0

//! One node of a pair, spoken to in the words of its tool. Every method fails when the node does
//! not answer, and those that need success also when the command has none.

use std::{fs::File, ops::Deref, process::Command, time::Duration};

use anyhow::{bail, ensure, Context, Result};

use crate::{Driver, Node, Output};

/// How long a state may take to come.
const STATE: Duration = Duration::from_secs(90);

/// The lower device, with internal metadata at its end.
pub const LOWER: &str = "/dev/data1";
/// The replicated device.
pub const DEVICE: &str = "/dev/drbd0";
/// The resource.
pub const RESOURCE: &str = "r0";

/// The protocol of replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A write is done when it is on the own disk, and sent.
    A,
    /// ... and the peer has it.
    B,
    /// ... and it is on the peer's disk.
    C,
}

impl Protocol {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// Its name on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// A node with its tool: `tandem` where our module is, drbd-utils where the C module is.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    node: &'a Node,
}

impl Deref for Side<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node
    }
}

impl<'a> Side<'a> {
    /// The node's side.
    pub fn new(node: &'a Node) -> Self {
        Self { node }
    }

    /// The tool's command with that driver: `setup` or `meta`.
    fn tool(&self, part: &str) -> String {
        match self.node.driver() {
            Driver::Tandem => format!("tandem {part}"),
            Driver::Drbd | Driver::None => format!("drbd{part}"),
        }
    }

    /// Runs a `drbdsetup` command line that must succeed.
    pub fn setup(&self, arguments: &str) -> Result<String> {
        self.node.ok(&format!("{} {arguments}", self.tool("setup")))
    }

    /// Runs a `drbdsetup` command line, whatever comes of it.
    pub fn try_setup(&self, arguments: &str) -> Result<Output> {
        self.node.sh(&format!("{} {arguments}", self.tool("setup")))
    }

    /// Runs a `drbdmeta` command line that must succeed.
    pub fn meta(&self, arguments: &str) -> Result<String> {
        self.node.ok(&format!("{} {arguments}", self.tool("meta")))
    }

    /// Writes fresh internal metadata on the lower device.
    pub fn create_md(&self) -> Result<()> {
        self.create_md_on(LOWER)
    }

    /// Writes fresh internal metadata on another device.
    pub fn create_md_on(&self, lower: &str) -> Result<()> {
        self.meta(&format!("--force 0 v08 {lower} internal create-md"))
            .map(drop)
    }

    /// Makes the resource and its one volume.
    pub fn new_resource(&self) -> Result<()> {
        self.setup(&format!("new-resource {RESOURCE}"))?;
        self.setup(&format!("new-minor {RESOURCE} 0 0")).map(drop)
    }

    /// Attaches the lower device; resync as fast as it goes.
    pub fn attach(&self) -> Result<()> {
        self.attach_to(LOWER, "")
    }

    /// Attaches another device, with further options.
    pub fn attach_to(&self, lower: &str, options: &str) -> Result<()> {
        self.setup(&format!(
            "attach 0 {lower} {lower} internal --c-plan-ahead=0 --resync-rate=512M --c-min-rate=0 \
             --al-extents=67 {options}"
        ))
        .map(drop)
    }

    /// A device that is a part of another one, in sectors of 512 bytes; returns its path.
    pub fn part_of(&self, device: &str, first: u64, sectors: u64) -> Result<String> {
        self.node.ok(&format!(
            "dmsetup create part --table '0 {sectors} linear {device} {first}' && dmsetup mknodes"
        ))?;
        Ok("/dev/mapper/part".into())
    }

    /// Gives the part another size, in sectors, while it is in use.
    pub fn resize_part(&self, device: &str, first: u64, sectors: u64) -> Result<()> {
        self.change_part(&format!("0 {sectors} linear {device} {first}"))
    }

    /// Makes the part something else, in the words of `dmsetup`, while it is in use.
    pub fn change_part(&self, table: &str) -> Result<()> {
        self.node
            .ok(&format!(
                "dmsetup reload part --table '{table}' && dmsetup resume part"
            ))
            .map(drop)
    }

    /// Takes the part away again.
    pub fn no_part(&self) -> Result<()> {
        self.node.ok("dmsetup remove part").map(drop)
    }

    /// Size of the replicated device, in sectors of 512 bytes.
    pub fn sectors(&self) -> Result<u64> {
        Ok(self.node.ok("cat /sys/block/drbd0/size")?.parse()?)
    }

    /// Waits until the replicated device has so many sectors of 512 bytes.
    pub fn await_sectors(&self, sectors: u64) -> Result<()> {
        self.await_in_file("/sys/block/drbd0/size", &format!("^{sectors}$"))
            .map(drop)
    }

    /// Both addresses of the connection, as commands about it name it.
    fn addresses(&self, peer: &Side<'_>) -> String {
        let (own, peer) = (self.address(), peer.address());
        format!("ipv4:{own}:7789 ipv4:{peer}:7789")
    }

    /// Starts to look for the peer; protocol C and quick to notice a silent one.
    pub fn connect(&self, peer: &Side<'_>, options: &str) -> Result<()> {
        self.setup(&self.connect_command(peer, options)).map(drop)
    }

    /// As [`Side::connect`], whatever comes of it.
    pub fn try_connect(&self, peer: &Side<'_>, options: &str) -> Result<Output> {
        self.try_setup(&self.connect_command(peer, options))
    }

    fn connect_command(&self, peer: &Side<'_>, options: &str) -> String {
        format!(
            "connect {RESOURCE} {} --protocol=C --max-buffers=20000 --ping-int=2 --ping-timeout=30 \
             --socket-check-timeout=5 \
             --timeout=20 --connect-int=2 {options}",
            self.addresses(peer)
        )
    }

    /// Leaves the peer.
    pub fn disconnect(&self, peer: &Side<'_>) -> Result<()> {
        self.setup(&format!("disconnect {}", self.addresses(peer)))
            .map(drop)
    }

    /// Changes options of the connection.
    pub fn net_options(&self, peer: &Side<'_>, options: &str) -> Result<()> {
        let output = self.try_net_options(peer, options)?;
        if !output.success() {
            bail!("node {}: net-options {options}: {output:?}", self.name());
        }
        Ok(())
    }

    /// As [`Side::net_options`], whatever comes of it.
    pub fn try_net_options(&self, peer: &Side<'_>, options: &str) -> Result<Output> {
        self.try_setup(&format!("net-options {} {options}", self.addresses(peer)))
    }

    /// Makes the way to the peer as slow as `rate` says, in the words of `tc`. The way back is not
    /// changed. What may be sent at once is more than the longest frame: that would get lost.
    pub fn slow_link(&self, peer: &Side<'_>, rate: &str) -> Result<()> {
        self.traffic(
            peer,
            &format!("add dev $dev root tbf rate {rate} burst 64k limit 96k"),
        )
    }

    /// Nothing that goes to the peer arrives there. The way back is not changed.
    pub fn mute(&self, peer: &Side<'_>) -> Result<()> {
        self.bad_link(peer, "loss 100%")
    }

    /// What goes to the peer is lost, late, twice or spoiled as it says, in the words of `tc
    /// netem`. The way back is not changed.
    pub fn bad_link(&self, peer: &Side<'_>, how: &str) -> Result<()> {
        self.traffic(peer, &format!("add dev $dev root netem {how}"))
    }

    /// The way to the peer is as quick and as good as ever.
    pub fn quick_link(&self, peer: &Side<'_>) -> Result<()> {
        self.traffic(peer, "del dev $dev root")
    }

    fn traffic(&self, peer: &Side<'_>, what: &str) -> Result<()> {
        self.node
            .ok(&format!(
                "dev=$(ip -o route get {} | sed 's/.* dev \\([^ ]*\\).*/\\1/') && tc qdisc {what}",
                peer.address()
            ))
            .map(drop)
    }

    /// Takes the role Primary.
    pub fn primary(&self) -> Result<()> {
        self.setup("primary 0").map(drop)
    }

    /// Takes the role Primary although the data may be bad.
    pub fn primary_force(&self) -> Result<()> {
        self.setup("primary 0 --force").map(drop)
    }

    /// Takes the role Secondary.
    pub fn secondary(&self) -> Result<()> {
        self.setup("secondary 0").map(drop)
    }

    /// Waits for an event or the present state.
    pub fn await_event(&self, regex: &str) -> Result<String> {
        self.node.await_event(regex, STATE)
    }

    /// Waits until the kernel has logged a text; what it said since the case began counts.
    pub fn await_log(&self, text: &str) -> Result<String> {
        self.await_log_within(text, STATE)
    }

    /// As [`Side::await_log`], with a time limit.
    pub fn await_log_within(&self, text: &str, limit: Duration) -> Result<String> {
        let escaped: String = text
            .chars()
            .flat_map(|c| {
                let special = "\\^$.|?*+()[]{}".contains(c);
                special.then_some('\\').into_iter().chain([c])
            })
            .collect();
        self.node.await_in("dmesg --follow", &escaped, limit)
    }

    /// Waits until the kernel has logged a line that matches an extended regular expression.
    pub fn await_log_like(&self, regex: &str) -> Result<String> {
        self.node.await_in("dmesg --follow", regex, STATE)
    }

    /// Fails if the kernel has logged a line since the case began that matches an extended regular
    /// expression.
    pub fn expect_not_logged(&self, regex: &str) -> Result<()> {
        let found = self
            .node
            .ok(&format!("dmesg | grep -E -- '{regex}' || true"))?;
        if !found.is_empty() {
            bail!("node {}: the log says\n{found}", self.name());
        }
        Ok(())
    }

    /// Waits until the connection is lost.
    pub fn await_apart(&self) -> Result<()> {
        let lost = "connection:(Connecting|NetworkFailure|Unconnected|BrokenPipe|Timeout)";
        self.await_event(lost).map(drop)
    }

    /// Whether it does not look for its peer.
    pub fn is_alone(&self) -> Result<bool> {
        Ok(self.proc()?.contains("cs:StandAlone"))
    }

    /// Waits until both disks are known to be good, here.
    pub fn await_in_sync(&self) -> Result<()> {
        self.await_event("^[a-z]+ device .* disk:UpToDate")?;
        self.await_event("replication:Established .*peer-disk:UpToDate")?;
        let all = self.proc()?;
        if !all.contains("ds:UpToDate/UpToDate") {
            bail!(
                "node {}: in sync by its events, but /proc/drbd says\n{all}",
                self.name()
            );
        }
        Ok(())
    }

    /// `/proc/drbd`.
    pub fn proc(&self) -> Result<String> {
        self.node.ok("cat /proc/drbd")
    }

    /// Waits until a line of `/proc/drbd` matches: for what no event tells.
    pub fn await_proc(&self, regex: &str) -> Result<String> {
        self.await_in_file("/proc/drbd", regex)
    }

    /// The same for any file.
    pub fn await_in_file(&self, path: &str, regex: &str) -> Result<String> {
        // The pause is for the machine that is waited for: it has little else to run on.
        let reads = format!("sh -c 'while cat {path}; do sleep 0.05; done'");
        self.node.await_in(&reads, regex, STATE)
    }

    /// Fails unless `/proc/drbd` has a text in it.
    pub fn expect_proc(&self, text: &str) -> Result<()> {
        let all = self.proc()?;
        if !all.contains(text) {
            bail!("node {}: /proc/drbd lacks '{text}':\n{all}", self.name());
        }
        Ok(())
    }

    /// Checksum of the replicated part of the lower device, read past all caches of the guest: from
    /// the file behind it, where the host is the quicker one.
    pub fn lower_sum(&self) -> Result<String> {
        let bytes = self.sectors()? * 512;
        let disk = File::open(self.node.disk_path(1))?;
        let output = Command::new("sh")
            .args(["-c", &format!("head --bytes {bytes} | sha256sum")])
            .stdin(disk)
            .output()
            .context("cannot run sha256sum")?;
        ensure!(output.status.success(), "sha256sum: {output:?}");
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Checksum of the replicated part of another lower device, in the same form.
    pub fn sum_of(&self, lower: &str) -> Result<String> {
        let sectors = self.sectors()?;
        self.node.ok(&format!(
            "dd if={lower} iflag=direct,count_bytes bs=1M count=$(({sectors}*512)) status=none | \
             sha256sum"
        ))
    }

    /// Checksum of a part of the device, in MiB from its begin, read past all caches.
    pub fn sum_mib(&self, at: u32, count: u32) -> Result<String> {
        self.node.ok(&format!(
            "dd if={DEVICE} iflag=direct bs=1M skip={at} count={count} status=none | sha256sum"
        ))
    }

    /// Writes random bytes to the device, in MiB from its begin; returns when they are durable.
    pub fn write_mib(&self, at: u32, count: u32) -> Result<()> {
        self.node
            .ok(&format!(
                "dd if=/dev/urandom of={DEVICE} oflag=direct conv=notrunc,fsync bs=1M seek={at} \
                 count={count} status=none"
            ))
            .map(drop)
    }
}
