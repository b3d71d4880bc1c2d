// SPDX-License-Identifier: GPL-2.0

//! `show`: a resource in the form of a configuration file, which `drbdadm adjust` reads.

use crate::{
    intent::show_address,
    model::{
        Device,
        Resource, //
    }, //
};
use tandem_engine::{
    control::{
        AttrIter,
        AttrValue, //
    },
    options::{
        DiskOptions,
        FixedStr,
        NetOptions,
        OptionKind,
        OptionSpec,
        OptionTable,
        OptionValue,
        ResourceOptions, //
    }, //
};

/// Lines with their indentation.
#[derive(Default)]
struct Page {
    text: String,
    depth: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(&"    ".repeat(self.depth));
        self.text.push_str(line);
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
}

/// One resource.
pub(crate) fn text(resource: &Resource, show_defaults: bool) -> String {
    let mut page = Page::default();
    page.open(&format!("resource {}", resource.name));
    section::<ResourceOptions>(&mut page, "options", &resource.settings, show_defaults);
    for connection in &resource.connections {
        section::<NetOptions>(&mut page, "net", &connection.settings, show_defaults);
        if let Some(peer) = connection.peer {
            page.open("_remote_host");
            page.line(&format!("address\t\t\t{};", show_address(peer)));
            page.close();
        }
    }
    page.open("_this_host");
    if let Some(local) = resource.connections.iter().find_map(|each| each.local) {
        page.line(&format!("address\t\t\t{};", show_address(local)));
    }
    for device in &resource.devices {
        volume(&mut page, device, show_defaults);
    }
    page.close();
    page.close();
    page.text
}

fn volume(page: &mut Page, device: &Device, show_defaults: bool) {
    page.open(&format!("volume {}", device.volume));
    page.line(&format!("device\t\t\tminor {};", device.minor));
    if !device.settings.is_empty() {
        let path = |nr| attr::<FixedStr<127>>(&device.settings, nr).unwrap_or_default();
        let (lower, meta) = (path(1), path(2));
        page.line(&format!("disk\t\t\t{};", quoted(lower.as_bytes())));
        let meta = quoted(meta.as_bytes());
        let place = match attr::<i32>(&device.settings, 3) {
            None | Some(-1 | -3) => "internal".to_owned(),
            Some(-2) => meta,
            Some(index) => format!("{meta} [ {index} ]"),
        };
        page.line(&format!("meta-disk\t\t\t{place};"));
        section::<DiskOptions>(page, "disk", &device.settings, show_defaults);
    }
    page.close();
}

fn attr<V: AttrValue>(attrs: &[u8], nr: u16) -> Option<V> {
    AttrIter::new(attrs)
        .filter_map(Result::ok)
        .find(|(candidate, _)| *candidate == nr)
        .and_then(|(_, payload)| V::decode(payload))
}

/// Options of a single attempt to connect: no part of the configuration.
const ONCE: [&str; 2] = ["tentative", "discard-my-data"];

/// A section with its options, if there is one to show.
fn section<T: OptionTable>(page: &mut Page, name: &str, attrs: &[u8], show_defaults: bool) {
    let mut lines = Vec::new();
    for spec in T::TABLE.iter().filter(|spec| !ONCE.contains(&spec.name)) {
        let payload = AttrIter::new(attrs)
            .filter_map(Result::ok)
            .find(|(nr, _)| *nr == spec.nr);
        let Some(Ok(value)) = payload.map(|(_, payload)| spec.decode(payload)) else {
            continue;
        };
        let is_default = value == spec.default_value();
        if is_default && !show_defaults {
            continue;
        }
        lines.push(format!(
            "{:<16}\t{};{}",
            spec.name,
            shown(spec, &value),
            note(spec, is_default)
        ));
    }
    page.open(name);
    for line in &lines {
        page.line(line);
    }
    page.close();
}

/// What stands behind an option.
fn note(spec: &OptionSpec, is_default: bool) -> String {
    let unit = match spec.kind {
        OptionKind::Number { unit, .. } => unit.as_str(),
        _ => "",
    };
    match (is_default, unit) {
        (false, "") => String::new(),
        (false, unit) => format!(" # {unit}"),
        (true, "") => " # default".to_owned(),
        (true, unit) => format!(" # {unit}, default"),
    }
}

fn shown(spec: &OptionSpec, value: &OptionValue) -> String {
    match (value, spec.kind) {
        (OptionValue::Number(number), OptionKind::Number { unit, .. }) => match unit.prefix() {
            '1' => number.to_string(),
            prefix => format!("{number}{prefix}"),
        },
        (OptionValue::Number(number), _) => number.to_string(),
        (OptionValue::Boolean(value), _) => super::words::yes_no(*value).to_owned(),
        (OptionValue::Choice(number), _) => spec
            .word(*number)
            .map_or_else(|| number.to_string(), str::to_owned),
        (OptionValue::Text(text), _) => quoted(text.as_bytes()),
    }
}

/// Text in quotes, as the parser of configuration files takes it.
fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
