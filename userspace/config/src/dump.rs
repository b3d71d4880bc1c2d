// SPDX-License-Identifier: GPL-2.0

//! A configuration as text, in the form of `drbdadm dump`; it can be read again.

use crate::{
    lexer::WORD_MAX,
    model::{
        Address,
        Config,
        Global,
        Host,
        Meta,
        Resource,
        Setting,
        Settings,
        Volume, //
    }, //
};
use std::fmt::{
    self,
    Write, //
};

/// A word as it has to be written: in quotes if it has other characters than bare words.
pub fn quoted(text: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if (1..=WORD_MAX).contains(&text.len()) && text.chars().all(is_bare) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A page of sections, indented.
#[derive(Default)]
pub struct Dump {
    text: String,
    depth: usize,
}

/// Columns of one step.
const STEP: usize = 4;

impl Dump {
    /// Everything: the head, and all resources.
    pub fn config(config: &Config, node: &str, is_mine: impl Fn(&Resource) -> bool) -> String {
        let mut dump = Self::default();
        dump.line(&format!("# {}", config.file.display()));
        dump.global(&config.global);
        if let Some(common) = &config.common {
            dump.open("common");
            dump.settings(common);
            dump.close();
            dump.text.push('\n');
        }
        for resource in &config.resources {
            dump.resource(resource, node, is_mine(resource));
        }
        if config.resources.is_empty() {
            dump.line("# no resources configured");
        }
        dump.text
    }

    /// One resource.
    pub fn one(resource: &Resource, node: &str, is_mine: bool) -> String {
        let mut dump = Self::default();
        dump.resource(resource, node, is_mine);
        dump.text
    }

    fn indent(&self) -> String {
        " ".repeat(self.depth * STEP)
    }

    fn line(&mut self, line: &str) {
        self.text += &self.indent();
        self.text += line;
        self.text.push('\n');
    }

    fn open(&mut self, name: &str) {
        self.line(&format!("{name} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }

    /// A name, and a value that begins at the same column in all depths.
    fn pair(&mut self, name: &str, value: &str) {
        let width = 24_usize.saturating_sub(self.depth * STEP);
        self.line(&format!("{name:<width$} {value:>3};"));
    }

    fn global(&mut self, global: &Global) {
        if *global == Global::default() {
            return;
        }
        self.open("global");
        if global.disable_ip_verification {
            self.line("disable-ip-verification;");
        }
        if global.udev_always_use_vnr {
            self.line("udev-always-use-vnr;");
        }
        if let Some(count) = global.minor_count {
            self.line(&format!("minor-count {count};"));
        }
        if let Some(refresh) = global.dialog_refresh {
            self.line(&format!("dialog-refresh {refresh};"));
        }
        if let Some(count) = global.usage_count {
            self.line(&format!("usage-count {};", count.as_str()));
        }
        for (name, value) in ["short", "medium", "long"].iter().zip(global.timeouts) {
            if let Some(value) = value {
                self.line(&format!("cmd-timeout-{name} {value};"));
            }
        }
        self.close();
        self.text.push('\n');
    }

    fn section(&mut self, name: &str, settings: &[Setting]) {
        if settings.is_empty() {
            return;
        }
        self.open(name);
        for setting in settings {
            self.pair(&setting.name, &quoted(&setting.value));
        }
        self.close();
    }

    fn settings(&mut self, settings: &Settings) {
        self.section("options", &settings.options);
        self.section("net", &settings.net);
        self.section("disk", &settings.disk);
        self.startup(settings);
        self.section("handlers", &settings.handlers);
    }

    fn startup(&mut self, settings: &Settings) {
        let hosts = &settings.become_primary_on;
        if settings.startup.is_empty() && hosts.is_empty() && !settings.stacked_timeouts {
            return;
        }
        self.open("startup");
        for setting in &settings.startup {
            self.pair(&setting.name, &quoted(&setting.value));
        }
        if settings.stacked_timeouts {
            self.line("stacked-timeouts;");
        }
        if !hosts.is_empty() {
            let hosts: Vec<_> = hosts.iter().map(|host| quoted(host)).collect();
            self.pair("become-primary-on", &hosts.join(" "));
        }
        self.close();
    }

    fn resource(&mut self, resource: &Resource, node: &str, is_mine: bool) {
        let name = quoted(&resource.name);
        let ignored = if is_mine { "not ignored" } else { "ignored" };
        self.line(&format!(
            "# resource {name} on {node}: {ignored}, not stacked"
        ));
        let place = &resource.place;
        self.line(&format!("# defined at {}:{}", place.file, place.line));
        self.open(&format!("resource {name}"));
        for host in &resource.hosts {
            self.host(host);
        }
        self.settings(&resource.settings);
        self.close();
        self.text.push('\n');
    }

    fn host(&mut self, host: &Host) {
        match &host.address {
            Some(address) if host.floating => {
                self.open(&format!("floating {} {}", address.family, address.end()));
            }
            _ => {
                let names: Vec<_> = host.names.iter().map(|name| quoted(name)).collect();
                self.open(&format!("on {}", names.join(" ")));
            }
        }
        self.section("options", &host.options);
        for volume in &host.volumes {
            self.volume(volume);
        }
        if let Some(address) = host.address.as_ref().filter(|_| !host.floating) {
            self.address(address);
        }
        self.close();
    }

    fn address(&mut self, address: &Address) {
        self.line(&format!(
            "{:<16} {} {};",
            "address",
            address.family,
            address.end()
        ));
    }

    fn volume(&mut self, volume: &Volume) {
        if !volume.implicit {
            self.open(&format!("volume {}", volume.number));
        }
        self.section("disk", &volume.options);
        let width = 19_usize.saturating_sub(self.depth * STEP);
        let mut line = format!("device{:width$}", "");
        if let Some(device) = &volume.device {
            // Writing to a string cannot fail.
            let _: fmt::Result = write!(line, "{} ", quoted(device));
        }
        self.line(&format!("{line}minor {};", volume.minor()));
        self.pair("disk", &quoted(volume.lower()));
        match &volume.meta {
            Some(Meta::Internal) => self.pair("meta-disk", "internal"),
            Some(Meta::Flexible(path)) => {
                self.line(&format!("{:<16} {};", "meta-disk", quoted(path)));
            }
            Some(Meta::Indexed(path, index)) => {
                self.line(&format!("{:<16} {} [{index}];", "meta-disk", quoted(path)));
            }
            None => {}
        }
        if !volume.implicit {
            self.close();
        }
    }
}
