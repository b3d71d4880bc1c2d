// SPDX-License-Identifier: GPL-2.0

//! What a guest boots: the cached image, and the part of this checkout that is handed over at boot.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{bail, Context, Result};

use crate::{cpio::Archive, paths::repository, spec::Driver};

/// The folder that `scripts/guest-image` made.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    folder: PathBuf,
}

impl Image {
    /// Finds the image, making it when there is none yet.
    pub(crate) fn ensure() -> Result<Self> {
        let script = repository().join("scripts/guest-image");
        let output = Command::new(&script)
            .stderr(std::process::Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", script.display()))?;
        if !output.status.success() {
            bail!("the guests' image could not be made; the messages are above");
        }
        let folder = String::from_utf8(output.stdout)?.trim().into();
        Ok(Self { folder })
    }

    /// The root disk, shared and read-only.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root.raw")
    }

    /// The stock kernel.
    pub(crate) fn kernel(&self) -> PathBuf {
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
        for entry in fs::read_dir(self.folder.join("early"))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".ko") {
                archive.file(&format!("early/{name}"), 0o644, &read(&entry.path())?);
            }
        }
        archive.file("payload/config", 0o644, config.as_bytes());
        archive.file("payload/init", 0o755, include_bytes!("../guest/init.sh"));
        for (path, script) in [
            (
                "payload/load-driver",
                &include_bytes!("../guest/load-driver.sh")[..],
            ),
            ("payload/reset", include_bytes!("../guest/reset.sh")),
            (
                "payload/bin/await-event",
                include_bytes!("../guest/await-event.sh"),
            ),
        ] {
            archive.file(path, 0o755, script);
        }
        let module = repository().join("target/module/cloud-amd64/tandem.ko");
        if module.exists() {
            archive.file("payload/tandem.ko", 0o644, &strip(&module, stripped)?);
        } else if driver == Driver::Tandem {
            bail!(
                "there is no {}: run 'make module', or choose --driver drbd",
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

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A binary without its debugging sections, which are most of it and useless in the guest.
fn strip(path: &Path, scratch: &Path) -> Result<Vec<u8>> {
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
