// SPDX-License-Identifier: GPL-2.0

//! A configuration, as it is written.

use crate::error::Place;
use std::{
    fmt,
    path::PathBuf, //
};

/// All that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it began with.
    pub file: PathBuf,
    /// The section `global`.
    pub global: Global,
    /// The section `common`: what holds for every resource that says nothing else.
    pub common: Option<Settings>,
    /// All resources, in the order of the files.
    pub resources: Vec<Resource>,
}

/// The section `global`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Global {
    /// `minor-count`: memory to reserve when the module is loaded.
    pub minor_count: Option<u32>,
    /// `dialog-refresh`: seconds between two looks of `wait-con-int`.
    pub dialog_refresh: Option<u32>,
    /// `disable-ip-verification`: addresses need not be this node's.
    pub disable_ip_verification: bool,
    /// `udev-always-use-vnr`: names of links have the volume's number even if there is only one.
    pub udev_always_use_vnr: bool,
    /// `usage-count`; nothing is ever sent anywhere.
    pub usage_count: Option<UsageCount>,
    /// `cmd-timeout-short`, `-medium`, `-long`, in seconds.
    pub timeouts: [Option<u32>; 3],
}

/// What `usage-count` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageCount {
    /// `yes`
    Yes,
    /// `no`
    No,
    /// `ask`
    Ask,
}

impl UsageCount {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Ask => "ask",
        }
    }
}

/// An option with its value.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name today; old names are translated.
    pub name: String,
    /// Its value as it is written; `yes` or `no` of those that may stand alone.
    pub value: String,
    /// Where it is set.
    pub place: Place,
}

/// The sections that `common` and every resource may have.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Section `options`.
    pub options: Vec<Setting>,
    /// Section `net`, and `protocol`.
    pub net: Vec<Setting>,
    /// Section `disk`.
    pub disk: Vec<Setting>,
    /// Section `startup`, but for what is below.
    pub startup: Vec<Setting>,
    /// `become-primary-on`: names of hosts, or `both`.
    pub become_primary_on: Vec<String>,
    /// `stacked-timeouts`.
    pub stacked_timeouts: bool,
    /// Section `handlers`.
    pub handlers: Vec<Setting>,
}

/// The value of an option in a list, if it is set. Of several the last one counts.
pub(crate) fn find<'a>(settings: &'a [Setting], name: &str) -> Option<&'a Setting> {
    settings.iter().rev().find(|setting| setting.name == name)
}

impl Settings {
    /// The command of a handler; of several the first, as with `drbdadm`.
    pub fn handler(&self, name: &str) -> Option<&str> {
        let mut found = self.handlers.iter().filter(|setting| setting.name == name);
        found.next().map(|setting| setting.value.as_str())
    }
}

/// A resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Where its section begins.
    pub place: Place,
    /// Its options.
    pub settings: Settings,
    /// Volumes that hold for all hosts, with what hosts do not say themselves.
    pub volumes: Vec<Volume>,
    /// Its hosts.
    pub hosts: Vec<Host>,
}

/// A host section.
#[derive(Clone, Debug)]
pub struct Host {
    /// Names of the nodes; of a floating one its address.
    pub names: Vec<String>,
    /// Whether the node is known by its address (`floating`).
    pub floating: bool,
    /// Where the section begins.
    pub place: Place,
    /// Its address.
    pub address: Option<Address>,
    /// Its own section `options`.
    pub options: Vec<Setting>,
    /// Its volumes, by number; complete.
    pub volumes: Vec<Volume>,
}

/// An end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `ipv4`, `ipv6`, `sdp` or `ssocks`.
    pub family: String,
    /// The address alone.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// The address with its port; of IPv6 in brackets.
    pub fn end(&self) -> String {
        match self.family.as_str() {
            "ipv6" => format!("[{}]:{}", self.host, self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

/// As `drbdsetup` takes it: `ipv4:10.0.0.1:7788`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.end())
    }
}

/// A volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Its number.
    pub number: u32,
    /// Whether no section `volume` names it.
    pub implicit: bool,
    /// Where it begins.
    pub place: Place,
    /// Path of the device, if it is written.
    pub device: Option<String>,
    /// Minor number.
    pub minor: Option<u32>,
    /// Lower device.
    pub disk: Option<String>,
    /// Place of its metadata.
    pub meta: Option<Meta>,
    /// Its own section `disk`.
    pub options: Vec<Setting>,
}

impl Volume {
    /// The minor; volumes of hosts always have one.
    pub fn minor(&self) -> u32 {
        self.minor.unwrap_or(0)
    }

    /// Path of the device, written or not.
    pub fn device_path(&self) -> String {
        self.device
            .clone()
            .unwrap_or_else(|| format!("/dev/drbd{}", self.minor()))
    }

    /// The lower device; volumes of hosts always have one.
    pub fn lower(&self) -> &str {
        self.disk.as_deref().unwrap_or("")
    }

    /// The value of a disk option, if it is set.
    pub fn option(&self, name: &str) -> Option<&str> {
        find(&self.options, name).map(|setting| setting.value.as_str())
    }
}

/// Where metadata is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meta {
    /// At the end of the lower device.
    Internal,
    /// On a device of its own, all of it.
    Flexible(String),
    /// On a device of its own, in one of its slots.
    Indexed(String, u32),
}
