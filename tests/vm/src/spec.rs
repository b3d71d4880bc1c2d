// SPDX-License-Identifier: GPL-2.0

//! What a cluster shall look like.

use std::{env, fmt, str::FromStr};

use anyhow::{anyhow, bail, Result};
use serde::{Deserialize, Serialize};

/// The replication driver of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// The module of this checkout.
    Tandem,
    /// The stock kernel's C module.
    Drbd,
    /// None is loaded.
    None,
}

impl Driver {
    /// The name on command lines and in the guest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tandem => "tandem",
            Self::Drbd => "drbd",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Driver {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "tandem" => Ok(Self::Tandem),
            "drbd" => Ok(Self::Drbd),
            "none" => Ok(Self::None),
            _ => bail!("unknown driver '{text}': there are tandem, drbd and none"),
        }
    }
}

/// Which driver which node has: a default and exceptions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Drivers {
    default: Driver,
    exceptions: Vec<(String, Driver)>,
}

impl Drivers {
    /// The same driver on all nodes.
    pub fn all(driver: Driver) -> Self {
        Self {
            default: driver,
            exceptions: Vec::new(),
        }
    }

    /// One driver for node a, one for node b.
    pub fn pair(a: Driver, b: Driver) -> Self {
        Self {
            default: a,
            exceptions: vec![("b".into(), b)],
        }
    }

    /// Reads `tandem`, `drbd`, `a=tandem,b=drbd`; nodes that are not named get tandem.
    ///
    /// # Errors
    ///
    /// An unknown driver.
    pub fn parse(text: &str) -> Result<Self> {
        let mut drivers = Self::all(Driver::Tandem);
        for part in text.split(',').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((node, driver)) => drivers.exceptions.push((node.into(), driver.parse()?)),
                None => drivers.default = part.parse()?,
            }
        }
        Ok(drivers)
    }

    /// The driver of one node.
    pub fn of(&self, node: &str) -> Driver {
        self.exceptions
            .iter()
            .find(|(name, _)| name == node)
            .map_or(self.default, |(_, driver)| *driver)
    }
}

/// The kernel of all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// The unmodified packaged kernel.
    Stock,
    /// One of our own with the kernel's checkers on.
    Debug,
}

/// Lets the debug kernel search for memory that nothing points to any more, as `/payload/leaks`
/// asks it to. Everything takes three times as long.
pub const FIND_LEAKS: &str = "kmemleak=on";

impl Kernel {
    /// How much longer everything may take than with the stock kernel.
    const fn slowness(self) -> f64 {
        match self {
            Self::Stock => 1.0,
            Self::Debug => 4.0,
        }
    }

    /// The least memory of a node in MiB: the checkers keep books of all of it.
    const fn least_mem_mib(self) -> u32 {
        match self {
            Self::Stock => 256,
            Self::Debug => 1024,
        }
    }
}

impl FromStr for Kernel {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "stock" => Ok(Self::Stock),
            "debug" => Ok(Self::Debug),
            _ => bail!("unknown kernel '{text}': there are stock and debug"),
        }
    }
}

/// A cluster's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spec {
    /// Number of nodes, 1 to 6.
    pub nodes: usize,
    /// The kernel of all nodes.
    pub kernel: Kernel,
    /// But nodes with the C module have the stock kernel: what checkers say of it is not ours to
    /// mend.
    #[serde(default)]
    pub stock_for_drbd: bool,
    /// The driver of each node.
    pub drivers: Drivers,
    /// Module parameters, given when the driver is loaded.
    pub driver_args: String,
    /// Virtual processors of a node.
    pub cpus: u32,
    /// Memory of a node in MiB.
    pub mem_mib: u32,
    /// Guest time counts instructions; one processor, repeatable.
    pub icount: bool,
    /// Where QEMU's own random numbers begin when instructions are counted.
    #[serde(default)]
    pub seed: u32,
    /// Size of each of the two data disks, in bytes.
    pub disk_bytes: u64,
    /// The host may lose what the guest flushed (quicker; only where a test asks for it).
    pub unsafe_disks: bool,
    /// The data disks have a write cache that a power cut empties: what was not flushed is lost.
    #[serde(default)]
    pub volatile_disks: bool,
    /// The first so many nodes are servers: they boot into systemd from the image with a cluster
    /// manager, keep on data disk 2 what they write to their root, have a watchdog that resets
    /// them, and share a small disk.
    #[serde(default)]
    pub servers: usize,
    /// The nodes boot from the image with PostgreSQL.
    #[serde(default)]
    pub databases: bool,
    /// Further kernel parameters.
    pub append: String,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            nodes: 2,
            kernel: Kernel::Stock,
            stock_for_drbd: false,
            drivers: Drivers::all(Driver::Tandem),
            driver_args: String::new(),
            cpus: 2,
            mem_mib: 1024,
            icount: false,
            seed: 1,
            disk_bytes: 1 << 30,
            unsafe_disks: false,
            volatile_disks: false,
            servers: 0,
            databases: false,
            append: String::new(),
        }
    }
}

impl Spec {
    /// The nodes' names, in order.
    pub fn names(&self) -> Vec<String> {
        ('a'..='f').take(self.nodes).map(String::from).collect()
    }

    /// The kernel of one node.
    pub fn kernel_of(&self, node: &str) -> Kernel {
        if self.stock_for_drbd && self.drivers.of(node) == Driver::Drbd {
            Kernel::Stock
        } else {
            self.kernel
        }
    }

    /// Whether a node is a server.
    pub fn is_server(&self, node: &str) -> bool {
        self.names()
            .iter()
            .take(self.servers)
            .any(|name| name == node)
    }

    /// How much longer than usual everything may take on these machines.
    pub fn time_scale(&self) -> f64 {
        time_scale() * self.kernel.slowness()
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong and what is possible.
    pub fn check(&self) -> Result<()> {
        if !(1..=6).contains(&self.nodes) {
            bail!("{} nodes: between 1 and 6 are possible", self.nodes);
        }
        let least = self.kernel.least_mem_mib();
        if self.cpus == 0 || self.mem_mib < least {
            bail!("a node needs at least one processor and {least} MiB with this kernel");
        }
        if self.disk_bytes < 1 << 20 || self.disk_bytes % 512 != 0 {
            bail!("a data disk has at least 1 MiB, in whole sectors of 512 bytes");
        }
        if self.unsafe_disks && self.volatile_disks {
            bail!("disks that forget what was not flushed have to be told of flushes");
        }
        if self.databases && self.servers > 0 {
            bail!("the image of servers has no PostgreSQL");
        }
        Ok(())
    }
}

/// Reads a size with an optional suffix: `512M`, `1G`, `4096`.
pub fn parse_size(text: &str) -> Result<u64> {
    let wrong = || anyhow!("'{text}' is no size: write for example 512M or 1G");
    let (digits, shift) = match text.chars().last() {
        Some('K' | 'k') => (&text[..text.len() - 1], 10),
        Some('M' | 'm') => (&text[..text.len() - 1], 20),
        Some('G' | 'g') => (&text[..text.len() - 1], 30),
        Some('T' | 't') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// How much longer than usual everything may take here: `TANDEM_TIME_SCALE`, 1 if unset.
pub fn time_scale() -> f64 {
    env::var("TANDEM_TIME_SCALE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_name_a_default_and_exceptions() {
        let drivers = Drivers::parse("a=tandem,b=drbd").unwrap();
        assert_eq!(drivers.of("a"), Driver::Tandem);
        assert_eq!(drivers.of("b"), Driver::Drbd);
        assert_eq!(Drivers::parse("drbd").unwrap().of("c"), Driver::Drbd);
        assert!(Drivers::parse("a=ext4").is_err());
    }

    #[test]
    fn servers_are_the_first_nodes() {
        let spec = Spec {
            nodes: 3,
            servers: 2,
            ..Spec::default()
        };
        assert!(spec.is_server("a") && spec.is_server("b") && !spec.is_server("c"));
    }

    #[test]
    fn the_c_module_is_not_watched_where_that_is_not_asked_for() {
        let mut spec = Spec {
            kernel: Kernel::Debug,
            drivers: Drivers::pair(Driver::Tandem, Driver::Drbd),
            ..Spec::default()
        };
        assert_eq!(spec.kernel_of("b"), Kernel::Debug);
        spec.stock_for_drbd = true;
        assert_eq!(spec.kernel_of("a"), Kernel::Debug);
        assert_eq!(spec.kernel_of("b"), Kernel::Stock);
    }

    #[test]
    fn sizes_have_suffixes() {
        assert_eq!(parse_size("1G").unwrap(), 1 << 30);
        assert_eq!(parse_size("512").unwrap(), 512);
        assert!(parse_size("G").is_err());
        assert!(parse_size("99999999999T").is_err());
    }
}
