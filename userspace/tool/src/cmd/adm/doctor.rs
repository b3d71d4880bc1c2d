// SPDX-License-Identifier: GPL-2.0

//! `doctor`: looks at everything that a replicated device needs on this node, and says what is
//! wrong in plain words, with what to do. It changes nothing.

use super::{
    adjust,
    lines,
    loaded::Loaded,
    peers,
    steps::Steps,
    Target, //
};
use crate::{
    cli::Doctor,
    cmd::meta,
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model::{
        self,
        Resource, //
    },
    render::words, //
};
use rustix::fs::{
    access,
    Access, //
};
use std::{
    fs,
    net::{
        SocketAddr,
        TcpListener,
        UdpSocket, //
    },
    os::unix::fs::FileTypeExt,
    path::Path, //
};
use tandem_config::{
    Address,
    Volume, //
};

/// What was found.
#[derive(Default)]
struct Report {
    wrong: usize,
}

impl Report {
    fn good(&self, what: &str) {
        println!("ok     {what}");
    }

    fn bad(&mut self, what: &str, hint: &str) {
        self.wrong += 1;
        println!("WRONG  {what}\n       what to do: {hint}");
    }

    fn failure(&mut self, failure: &Failure) {
        self.wrong += 1;
        let text = failure.text();
        let mut lines = text.trim_end().lines();
        println!("WRONG  {}", lines.next().unwrap_or_default());
        for line in lines {
            println!("       {}", line.trim_start());
        }
    }
}

/// Looks at everything. The exit code is 1 if something is wrong.
pub(in crate::cmd) fn run(args: &Doctor) -> Outcome {
    let mut report = Report::default();
    let is_loaded = module(&mut report);
    match Loaded::of_file(args.config_file.clone(), None) {
        Err(failure) => report.failure(&failure),
        Ok(mut loaded) => match loaded.prepare(true, true) {
            Err(failure) => report.failure(&failure),
            Ok(()) => {
                report.good(&format!("{} can be read", loaded.file.display()));
                helper(&mut report, &loaded);
                resources(&mut report, &loaded, is_loaded)?;
                if let Some(file) = &args.peer_config {
                    the_peers(&mut report, &loaded, file);
                }
            }
        },
    }
    match report.wrong {
        0 => {
            println!("nothing is wrong with this node");
            Ok(Exit::Success)
        }
        1 => {
            println!("1 thing is wrong");
            Ok(Exit::Child(1))
        }
        wrong => {
            println!("{wrong} things are wrong");
            Ok(Exit::Child(1))
        }
    }
}

/// The module: whether one is there, and which.
fn module(report: &mut Report) -> bool {
    let modules = fs::read_to_string("/proc/modules").unwrap_or_default();
    let has = |name: &str| {
        modules
            .lines()
            .any(|line| line.split(' ').next() == Some(name))
    };
    let version = fs::read_to_string("/proc/drbd").unwrap_or_default();
    let version = version.lines().next().unwrap_or_default().to_owned();
    if version.is_empty() {
        let hint = "load it: modprobe tandem (or drbd). If that fails, the kernel's log says why: \
                    dmesg | tail";
        report.bad("no kernel module is loaded", hint);
        return false;
    }
    let name = if has("tandem") { "tandem" } else { "drbd" };
    if !version.contains(" 8.4.") {
        report.bad(
            &format!("the module is of another version: {version}"),
            "unload it (rmmod drbd), and load tandem, or the kernel's own drbd 8.4",
        );
        return false;
    }
    match kernel::connect_if_loaded() {
        Ok(Some(_)) => report.good(&format!("the module {name} is loaded ({version})")),
        Ok(None) => report.bad(
            "the module is loaded, but does not answer",
            "see the kernel's log (dmesg), and load it again",
        ),
        Err(failure) => report.failure(&failure),
    }
    true
}

/// The program that the kernel calls for handlers.
fn helper(report: &mut Report, loaded: &Loaded) {
    let parameter = ["tandem", "drbd"].iter().find_map(|module| {
        let path = format!("/sys/module/{module}/parameters/usermode_helper");
        fs::read_to_string(path).ok()
    });
    let Some(helper) = parameter else { return };
    let helper = helper.trim();
    let has_handlers = loaded
        .mine()
        .any(|target| !target.resource.settings.handlers.is_empty());
    if helper == "disabled" {
        if has_handlers {
            report.bad(
                "handlers are configured, but the module calls none (usermode_helper=disabled)",
                "load it without that parameter, or write the path of drbdadm to \
                 /sys/module/tandem/parameters/usermode_helper",
            );
        }
        return;
    }
    match access(Path::new(helper), Access::EXEC_OK) {
        Ok(()) => report.good(&format!("the kernel finds {helper}, which runs handlers")),
        Err(error) => report.bad(
            &format!("the kernel is to call {helper} for handlers, which it cannot: {error}"),
            "install this tool there (a link called drbdadm does), or load the module with \
             usermode_helper=disabled: without an answer a resync may be refused",
        ),
    }
}

fn resources(report: &mut Report, loaded: &Loaded, is_loaded: bool) -> Result<(), Failure> {
    let mut running = Vec::new();
    if is_loaded {
        if let Some(mut kernel) = kernel::connect_if_loaded()? {
            running = model::read(&mut kernel, None)?;
        }
    }
    let mut count = 0;
    for target in loaded.mine() {
        count += 1;
        let name = &target.resource.name;
        let present = running.iter().find(|resource| resource.name == *name);
        println!("resource {name}:");
        network(report, loaded, &target, present);
        for volume in &target.host.volumes {
            disk(report, volume, present);
        }
        match present {
            None => println!("       it is not up ('drbdadm up {name}' does that)"),
            Some(present) => {
                state(report, present);
                differences(report, loaded, &target);
            }
        }
    }
    if count == 0 {
        report.failure(&loaded.nothing_for_this_node());
    }
    Ok(())
}

/// What the peer's configuration says otherwise.
fn the_peers(report: &mut Report, loaded: &Loaded, file: &Path) {
    let read = Loaded::of_file(Some(file.to_owned()), None);
    let peer = read.and_then(|mut peer| peer.prepare(true, false).map(|()| peer.config));
    let peer = match peer {
        Ok(peer) => peer,
        Err(failure) => return report.failure(&failure),
    };
    for target in loaded.mine() {
        let name = &target.resource.name;
        let differences = peers::differences(target.resource, &peer);
        if differences.is_empty() {
            report.good(&format!("{name}: both configurations go together"));
        }
        for what in differences {
            report.bad(
                &format!("{name}: {what}"),
                "make both files equal, then 'drbdadm adjust' on both nodes: until then they do \
                 not connect, or not any more once the connection is lost",
            );
        }
    }
}

fn socket_of(address: &Address) -> Option<SocketAddr> {
    let plain = address.host.split('%').next()?;
    Some(SocketAddr::new(plain.parse().ok()?, address.port))
}

/// Addresses, the way to the peer, the port.
fn network(report: &mut Report, loaded: &Loaded, target: &Target<'_>, present: Option<&Resource>) {
    let Some(own) = &target.host.address else {
        return;
    };
    if !loaded.node.has_address(own) {
        report.bad(
            &format!("{} is no address of this node", own.host),
            "give it to an interface (ip address add), or correct the configuration",
        );
        return;
    }
    report.good(&format!("{} is an address of this node", own.host));
    let connects = present.is_some_and(|present| !present.connections.is_empty());
    if let Some(end) = socket_of(own).filter(|_| !connects) {
        if let Err(error) = TcpListener::bind(end) {
            report.bad(
                &format!("port {} cannot be used: {error}", own.port),
                "another program or resource has it ('ss -ltnp' tells which): choose another port",
            );
        }
    }
    let Ok(peer) = loaded.peer(target, None) else {
        return;
    };
    let ends = peer
        .address
        .as_ref()
        .and_then(socket_of)
        .zip(socket_of(own));
    let Some((to, from)) = ends else { return };
    // This sends nothing: it only asks for the way.
    let route = UdpSocket::bind(SocketAddr::new(from.ip(), 0)).and_then(|end| end.connect(to));
    if let Err(error) = route {
        report.bad(
            &format!("there is no way to the peer, {}: {error}", to.ip()),
            "see 'ip route get' with that address; is the interface up?",
        );
    }
}

/// The lower device of a volume, and its metadata if nobody uses it.
fn disk(report: &mut Report, volume: &Volume, present: Option<&Resource>) {
    let (lower, number) = (volume.lower(), volume.number);
    let is_block = fs::metadata(lower).map(|found| found.file_type().is_block_device());
    match is_block {
        Err(error) => {
            report.bad(
                &format!("volume {number}: there is no {lower}: {error}"),
                "correct 'disk' in the configuration, or bring the device up; lsblk lists them",
            );
            return;
        }
        Ok(false) => {
            report.bad(
                &format!("volume {number}: {lower} is no block device"),
                "give a disk, partition, logical volume or loop device (losetup)",
            );
            return;
        }
        Ok(true) => {}
    }
    let is_attached = present.is_some_and(|present| {
        let mut devices = present.devices.iter();
        devices.any(|device| device.volume == number && !device.settings.is_empty())
    });
    if is_attached {
        return;
    }
    let (path, place) = lines::meta_of(volume);
    match meta::fault_of(Path::new(path), &place) {
        Some(failure) => report.failure(&failure),
        None => report.good(&format!("volume {number}: {path} has metadata")),
    }
}

/// States that somebody should know of.
fn state(report: &mut Report, resource: &Resource) {
    let name = &resource.name;
    let suspended = words::suspended(&resource.info);
    if suspended != "no" {
        report.bad(
            &format!("I/O is frozen, because of: {suspended}"),
            "user: 'drbdadm resume-io'. no-data: connect to a peer with good data. fencing: see \
             why the handler fence-peer failed, or 'drbdadm resume-io' if the peer is surely down",
        );
    }
    for connection in &resource.connections {
        let ended = resource.reasons.iter().find(|r| r.subject == "connection");
        let ended = ended.map_or_else(String::new, |reason| {
            format!(
                "; the connection ended {} s ago: {}",
                reason.seconds, reason.text
            )
        });
        match words::connection(connection.info.conn_connection_state) {
            "StandAlone" => report.bad(
                &format!("it is StandAlone: it does not look for its peer{ended}"),
                "the kernel's log says more. Settings that differ: make both files equal ('tandem \
                 doctor --peer-config' compares them), then \
                 'drbdadm adjust'. Split brain: choose whose data is to go, and there 'drbdadm \
                 connect --discard-my-data'; 'drbdadm connect' on the other",
            ),
            "Connected" => report.good("it is connected"),
            other => report.bad(
                &format!("it is not connected: {other}{ended}"),
                "is the peer up? Do both files have the same addresses? Does a firewall stop the \
                 port? Try from the peer: nc -vz ADDRESS PORT while this node is waiting",
            ),
        }
    }
    for device in &resource.devices {
        let volume = device.volume;
        let hint = match words::disk(device.info.dev_disk_state) {
            "UpToDate" => {
                report.good(&format!("volume {volume}: the local data is up to date"));
                continue;
            }
            "Diskless" => "attach its disk: 'drbdadm attach'; the kernel's log says why it is off",
            "Inconsistent" => {
                "it becomes good by a resync from a peer; if both are new, 'drbdadm primary \
                 --force' on the one whose data is to be taken"
            }
            "Outdated" | "Consistent" => "connect it to the peer, which has newer data",
            _ => "wait a moment and look again",
        };
        let disk = words::disk(device.info.dev_disk_state);
        report.bad(
            &format!("volume {volume} of {name}: its disk is {disk}"),
            hint,
        );
    }
}

/// Whether what runs is what is configured.
fn differences(report: &mut Report, loaded: &Loaded, target: &Target<'_>) {
    let ends = loaded
        .peer(target, None)
        .and_then(|peer| lines::ends(target, peer));
    let mut steps = Steps::default();
    let planned = ends.and_then(|ends| adjust::plan(&mut steps, target, &ends, loaded));
    match (planned, steps.commands().as_slice()) {
        (Err(failure), _) => report.failure(&failure),
        (Ok(()), []) => report.good("what runs is what is configured"),
        (Ok(()), commands) => {
            let name = &target.resource.name;
            report.bad(
                &format!(
                    "what runs differs from the configuration: {}",
                    commands.join(", ")
                ),
                &format!("'drbdadm -d adjust {name}' shows what would change; without -d it does"),
            );
        }
    }
}
