// SPDX-License-Identifier: GPL-2.0

//! What a guest boots: the cached image, and the part of this checkout that is handed over at boot.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{bail, Context, Result};

use crate::{
    cpio::Archive,
    paths::repository,
    spec::{Driver, Kernel, Spec},
};

/// The folders that `scripts/guest-image` and `scripts/debug-kernel` made.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    folder: PathBuf,
    /// Kernel and modules that take the place of the image's own.
    debug: Option<PathBuf>,
}

impl Image {
    /// Finds a node's image and kernel, making them when there are none yet.
    pub(crate) fn ensure(spec: &Spec, node: &str) -> Result<Self> {
        let kind = match (spec.servers, spec.databases) {
            (0, false) => "plain",
            (0, true) => "database",
            _ => "cluster",
        };
        Ok(Self {
            folder: made_by("scripts/guest-image", Some(kind))?,
            debug: match spec.kernel_of(node) {
                Kernel::Stock => None,
                Kernel::Debug => Some(made_by("scripts/debug-kernel", None)?),
            },
        })
    }

    /// The root disk, shared and read-only.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root.raw")
    }

    /// The kernel that guests boot.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.debug.as_ref().unwrap_or(&self.folder).join("kernel")
    }

    /// The stock kernel, whatever guests boot.
    pub(crate) fn stock_kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }

    /// The guests' first program.
    pub(crate) fn busybox(&self) -> Result<Vec<u8>> {
        read(&self.folder.join("early/busybox"))
    }

    /// The first file system of one node's boot: reaches the root disk, and carries the payload.
    pub(crate) fn initrd(&self, config: &str, driver: Driver, stripped: &Path) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        archive.file("init", 0o755, include_bytes!("../guest/early.sh"));
        archive.file("busybox", 0o755, &self.busybox()?);
        match &self.debug {
            None => add_files(&mut archive, "early", &self.folder.join("early"), ".ko")?,
            Some(debug) => add_files(&mut archive, "payload/modules", &debug.join("modules"), "")?,
        }
        archive.file("payload/config", 0o644, config.as_bytes());
        archive.file("payload/init", 0o755, include_bytes!("../guest/init.sh"));
        for (path, script) in [
            (
                "payload/load-driver",
                &include_bytes!("../guest/load-driver.sh")[..],
            ),
            ("payload/one-cpu", include_bytes!("../guest/one-cpu.sh")),
            ("payload/reset", include_bytes!("../guest/reset.sh")),
            ("payload/serve", include_bytes!("../guest/serve.sh")),
            ("payload/leaks", include_bytes!("../guest/leaks.sh")),
            (
                "payload/bin/await-event",
                include_bytes!("../guest/await-event.sh"),
            ),
        ] {
            archive.file(path, 0o755, script);
        }
        let flavour = match self.debug {
            None => "cloud-amd64",
            Some(_) => "debug",
        };
        let module = repository().join(format!("target/module/{flavour}/tandem.ko"));
        if module.exists() {
            archive.file("payload/tandem.ko", 0o644, &strip(&module, stripped)?);
        } else if driver == Driver::Tandem {
            bail!(
                "there is no {}: run 'make module-{flavour}', or choose --driver drbd",
                module.display()
            );
        }
        let tool = repository().join("target/release/tandem");
        if tool.exists() {
            archive.file("payload/bin/tandem", 0o755, &strip(&tool, stripped)?);
        }
        Ok(archive.finish())
    }
}

/// The folder that a script prints, made by it when there is none yet.
fn made_by(script: &str, argument: Option<&str>) -> Result<PathBuf> {
    let output = Command::new(repository().join(script))
        .args(argument)
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {script}"))?;
    if !output.status.success() {
        bail!("{script} failed; its messages are above");
    }
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

/// Adds what is in a folder of the host, and in the folders below, as far as names end so.
fn add_files(archive: &mut Archive, to: &str, from: &Path, end: &str) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let to = format!("{to}/{name}");
        if entry.file_type()?.is_dir() {
            add_files(archive, &to, &entry.path(), end)?;
        } else if name.ends_with(end) {
            archive.file(&to, 0o644, &read(&entry.path())?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A binary without its debugging sections, which are most of it and useless in the guest.
/// `scratch` is a file that may be written.
///
/// # Errors
///
/// It cannot be read.
pub fn strip(path: &Path, scratch: &Path) -> Result<Vec<u8>> {
    let status = Command::new("strip")
        .arg("-g")
        .arg("-o")
        .arg(scratch)
        .arg(path)
        .status();
    match status {
        Ok(status) if status.success() => {
            let bytes = read(scratch)?;
            fs::remove_file(scratch)?;
            Ok(bytes)
        }
        // Bigger and slower, but as good.
        _ => read(path),
    }
}
