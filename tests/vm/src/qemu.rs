// SPDX-License-Identifier: GPL-2.0

//! The command line of one machine.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{bail, Context, Result};

use crate::{accel::Accel, spec::Spec, tsc};

/// Processor features that cost emulation much and a guest nothing when they are missing.
const TCG_CPU: &str = "max,-avx,-avx2,-f16c,-fma,-smap,-smep,-pku,-la57";

/// What every guest's kernel is told. Messages below "notice" reach the console from the start;
/// the guest's init raises that before the driver comes, and starts the other processors after.
const KERNEL: &str = "console=ttyS0 panic=-1 oops=panic loglevel=5 net.ifnames=0 mitigations=off \
    tsc=reliable nokaslr norandmaps init_on_alloc=0 hardened_usercopy=off \
    randomize_kstack_offset=off transparent_hugepage=never audit=0 lsm=capability \
    random.trust_cpu=1 cryptomgr.notests maxcpus=1";

/// A cable from this node to another.
#[derive(Clone, Debug)]
pub(crate) struct Cable {
    /// Identifier of the card in the machine.
    pub(crate) card: String,
    /// The card's own address.
    pub(crate) mac: String,
    /// This end's socket.
    pub(crate) here: PathBuf,
    /// The other end's socket; it may come and go.
    pub(crate) there: PathBuf,
}

/// All that a machine is started with.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) accel: Accel,
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) disks: [PathBuf; 2],
    /// Where what is written to them is logged, if they have a cache that a power cut empties.
    pub(crate) logs: Option<[PathBuf; 2]>,
    /// The disk that it shares with others; a machine with one has a watchdog, too.
    pub(crate) shared: Option<PathBuf>,
    pub(crate) cables: Vec<Cable>,
    pub(crate) console: PathBuf,
    pub(crate) monitor: PathBuf,
    /// Sockets of the agents that serve the harness and people.
    pub(crate) agents: [PathBuf; 2],
    pub(crate) pid_file: PathBuf,
}

impl Machine<'_> {
    /// Starts the machine in the background; its sockets listen when this returns.
    pub(crate) fn start(&self) -> Result<()> {
        for cable in &self.cables {
            // A socket of an earlier life is in the way.
            let _ = std::fs::remove_file(&cable.here);
        }
        let output = self
            .command()
            .output()
            .context("cannot run qemu-system-x86_64; run scripts/install-deps")?;
        if !output.status.success() {
            bail!(
                "the machine does not start: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        let mut add = |option: &str, value: String| {
            command.arg(option).arg(value);
        };
        self.processor(&mut add);
        add("-m", self.spec.mem_mib.to_string());
        add("-kernel", self.kernel.display().to_string());
        add("-initrd", self.initrd.display().to_string());
        let clock = self.clock();
        add("-append", format!("{KERNEL}{clock} {}", self.spec.append));
        add("-pidfile", self.pid_file.display().to_string());
        add(
            "-qmp",
            format!("unix:{},server=on,wait=off", show(&self.monitor)),
        );
        add(
            "-chardev",
            format!("file,id=console,append=on,path={}", show(&self.console)),
        );
        add("-serial", "chardev:console".into());
        self.storage(&mut add);
        for cable in &self.cables {
            let (id, here, there) = (&cable.card, show(&cable.here), show(&cable.there));
            add(
                "-netdev",
                format!(
                    "dgram,id=net-{id},local.type=unix,local.path={here},\
                     remote.type=unix,remote.path={there}"
                ),
            );
            add(
                "-device",
                // Large frames: emulated machines pay by the packet, the cable takes them whole.
                format!(
                    "virtio-net-pci,netdev=net-{id},id={id},mac={},host_mtu=32000",
                    cable.mac
                ),
            );
        }
        add("-device", "virtio-serial-pci".into());
        for (name, path) in ["harness", "people"].iter().zip(&self.agents) {
            add(
                "-chardev",
                format!("socket,id={name},path={},server=on,wait=off", show(path)),
            );
            add(
                "-device",
                format!("virtserialport,chardev={name},name=tandem.{name}"),
            );
        }
        add("-device", "virtio-rng-pci".into());
        command
            .args(["-machine", "q35,usb=off,vmport=off,smbus=off"])
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-daemonize"])
            .args(["-display", "none"]);
        command
    }

    /// What the kernel is told of the rate of its time stamp counter.
    fn clock(&self) -> String {
        match (self.spec.icount, self.accel, tsc::khz()) {
            // Its ticks are the host's, and it could not find out by itself how fast they are.
            (false, Accel::Tcg, Some(khz)) => format!(" tsc_early_khz={khz}"),
            _ => String::new(),
        }
    }

    fn processor(&self, add: &mut impl FnMut(&str, String)) {
        let cpus = self.spec.cpus.to_string();
        if self.spec.icount {
            add("-accel", "tcg,thread=single".into());
            add("-icount", "shift=0,sleep=off".into());
            add("-seed", self.spec.seed.to_string());
            add("-rtc", "base=2026-01-01,clock=vm".into());
            add("-cpu", "max".into());
            add("-smp", "1".into());
            return;
        }
        match self.accel {
            Accel::Kvm => {
                add("-accel", "kvm".into());
                add("-cpu", "host".into());
            }
            Accel::Tcg => {
                add("-accel", "tcg,thread=multi,tb-size=256".into());
                add("-cpu", TCG_CPU.into());
            }
        }
        add("-smp", cpus);
    }

    fn storage(&self, add: &mut impl FnMut(&str, String)) {
        add(
            "-drive",
            format!(
                "if=none,id=root,format=raw,readonly=on,file.locking=off,file={}",
                show(&self.root)
            ),
        );
        add("-device", "virtio-blk-pci,drive=root".into());
        // The host's page cache outlives the machine, so a killed machine loses only what its own
        // kernel had not yet sent; a flush of the guest's reaches the host's file.
        let cache = if self.spec.unsafe_disks {
            "unsafe"
        } else {
            "writeback"
        };
        for (index, disk) in self.disks.iter().enumerate() {
            let id = format!("data{}", index + 1);
            let file = show(disk);
            match &self.logs {
                None => add(
                    "-drive",
                    format!("if=none,id={id},format=raw,cache={cache},discard=unmap,file={file}"),
                ),
                Some(logs) => logged_disk(add, &id, &file, &show(&logs[index])),
            }
            add("-device", format!("virtio-blk-pci,drive={id},serial={id}"));
        }
        if let Some(shared) = &self.shared {
            let file = show(shared);
            add(
                "-blockdev",
                format!("driver=file,node-name=shared-file,locking=off,filename={file}"),
            );
            add(
                "-blockdev",
                "driver=raw,node-name=shared,file=shared-file".into(),
            );
            add(
                "-device",
                "virtio-blk-pci,drive=shared,share-rw=on,serial=shared".into(),
            );
            add("-device", "i6300esb".into());
            add("-action", "watchdog=reset".into());
        }
    }
}

/// A disk whose writes and flushes are logged in the order of their ends. The host need not flush:
/// what a power cut leaves is made from the log.
fn logged_disk(add: &mut impl FnMut(&str, String), id: &str, file: &str, log: &str) {
    for (part, path) in [("file", file), ("log", log)] {
        add(
            "-blockdev",
            format!(
                "driver=file,node-name={id}-{part},discard=unmap,cache.no-flush=on,filename={path}"
            ),
        );
    }
    add(
        "-blockdev",
        format!(
            "driver=blklogwrites,node-name={id},discard=unmap,log-sector-size=512,\
             file={id}-file,log={id}-log"
        ),
    );
}

/// A path as QEMU's options want it: a comma is doubled.
fn show(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
