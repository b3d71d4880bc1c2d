// SPDX-License-Identifier: GPL-2.0

//! Which accelerator machines run with: KVM when a guest really boots under it, else TCG.

use std::{
    env, fs,
    fs::OpenOptions,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

use anyhow::Result;

use crate::{cpio::Archive, image::Image, paths::runs};

/// How guests' instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accel {
    /// By the host's processor.
    Kvm,
    /// By translation.
    Tcg,
}

/// Seconds that a guest which does nothing may take under KVM.
const PROBE_SECONDS: &str = "10";

/// What the probe's guest says.
const PROBE_MARK: &str = "tandem-probe-alive";

/// Held while it is found out: nodes boot at the same time.
static ASKING: Mutex<()> = Mutex::new(());

/// Finds out what works here, once per boot of the host. `TANDEM_ACCEL=kvm|tcg` decides instead.
pub(crate) fn choose(image: &Image) -> Result<Accel> {
    let _asking = ASKING.lock();
    match env::var("TANDEM_ACCEL").as_deref() {
        Ok("kvm") => return Ok(Accel::Kvm),
        Ok("tcg") => return Ok(Accel::Tcg),
        _ => {}
    }
    if OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(Accel::Tcg);
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    fs::create_dir_all(runs())?;
    let note = runs().join(".accel");
    if let Ok(text) = fs::read_to_string(&note) {
        if let Some((known, answer)) = text.split_once(' ') {
            if known == boot.trim() {
                return Ok(if answer.trim() == "kvm" {
                    Accel::Kvm
                } else {
                    Accel::Tcg
                });
            }
        }
    }
    let works = kvm_boots(
        image,
        &note.with_extension(format!("{}", std::process::id())),
    )?;
    let answer = if works { "kvm" } else { "tcg" };
    if !works {
        eprintln!("tandem: /dev/kvm is there but no guest boots with it; using emulation");
    }
    fs::write(&note, format!("{} {answer}\n", boot.trim()))?;
    Ok(if works { Accel::Kvm } else { Accel::Tcg })
}

/// Boots the guests' kernel under KVM up to its first program.
fn kvm_boots(image: &Image, scratch: &Path) -> Result<bool> {
    let mut archive = Archive::default();
    let init = format!("#!/busybox sh\n/busybox echo {PROBE_MARK}\n/busybox poweroff -f\n");
    archive.file("busybox", 0o755, &image.busybox()?);
    archive.file("init", 0o755, init.as_bytes());
    archive.folder("dev");
    fs::write(scratch, archive.finish())?;
    let output = Command::new("timeout")
        .args([
            PROBE_SECONDS,
            "qemu-system-x86_64",
            "-accel",
            "kvm",
            "-cpu",
            "host",
        ])
        .args([
            "-m",
            "256",
            "-nodefaults",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
        ])
        .args(["-append", "console=ttyS0 panic=-1 quiet", "-kernel"])
        .arg(image.stock_kernel())
        .arg("-initrd")
        .arg(scratch)
        .stdin(Stdio::null())
        .output();
    fs::remove_file(scratch)?;
    Ok(String::from_utf8_lossy(&output?.stdout).contains(PROBE_MARK))
}
