// SPDX-License-Identifier: GPL-2.0

//! A configuration as XML, in the form of `drbdadm dump-xml`.

use crate::model::{
    Config,
    Host,
    Meta,
    Resource,
    Setting,
    Settings,
    Volume, //
};

/// A page of elements, indented.
#[derive(Default)]
pub struct Xml {
    text: String,
    depth: usize,
}

/// Text between elements, or in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl Xml {
    /// Everything: the head, and all resources.
    pub fn config(config: &Config) -> String {
        let mut xml = Self::default();
        let file = config.file.display().to_string();
        xml.open("config", &format!(" file=\"{}\"", escaped(&file)));
        let global = &config.global;
        if global.disable_ip_verification
            || global.minor_count.is_some()
            || global.dialog_refresh.is_some()
        {
            xml.open("global", "");
            if global.disable_ip_verification {
                xml.line("<disable-ip-verification/>");
            }
            if let Some(count) = global.minor_count {
                xml.line(&format!("<minor-count count=\"{count}\"/>"));
            }
            if let Some(refresh) = global.dialog_refresh {
                xml.line(&format!("<dialog-refresh refresh=\"{refresh}\"/>"));
            }
            xml.close("global");
        }
        if let Some(common) = &config.common {
            xml.open("common", "");
            xml.settings(common);
            xml.close("common");
        }
        for resource in &config.resources {
            xml.resource(resource);
        }
        xml.close("config");
        xml.text
    }

    /// One resource.
    pub fn one(resource: &Resource) -> String {
        let mut xml = Self::default();
        xml.resource(resource);
        xml.text
    }

    fn line(&mut self, line: &str) {
        self.text += &" ".repeat(self.depth * 4);
        self.text += line;
        self.text.push('\n');
    }

    fn open(&mut self, name: &str, attributes: &str) {
        self.line(&format!("<{name}{attributes}>"));
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.line(&format!("</{name}>"));
    }

    fn option(&mut self, name: &str, value: Option<&str>) {
        let value = value.map_or_else(String::new, |value| {
            format!(" value=\"{}\"", escaped(value))
        });
        self.line(&format!("<option name=\"{name}\"{value}/>"));
    }

    fn section(&mut self, name: &str, settings: &[Setting]) {
        if settings.is_empty() {
            return;
        }
        self.open("section", &format!(" name=\"{name}\""));
        for setting in settings {
            self.option(&setting.name, Some(&setting.value));
        }
        self.close("section");
    }

    fn settings(&mut self, settings: &Settings) {
        self.section("options", &settings.options);
        self.section("net", &settings.net);
        self.section("disk", &settings.disk);
        let hosts = &settings.become_primary_on;
        if !settings.startup.is_empty() || !hosts.is_empty() || settings.stacked_timeouts {
            self.open("section", " name=\"startup\"");
            for setting in &settings.startup {
                self.option(&setting.name, Some(&setting.value));
            }
            if settings.stacked_timeouts {
                self.option("stacked-timeouts", None);
            }
            if !hosts.is_empty() {
                self.option("become-primary-on", Some(&hosts.join(" ")));
            }
            self.close("section");
        }
        self.section("handlers", &settings.handlers);
    }

    fn resource(&mut self, resource: &Resource) {
        let place = &resource.place;
        self.open(
            "resource",
            &format!(
                " name=\"{}\" conf-file-line=\"{}:{}\"",
                escaped(&resource.name),
                escaped(&place.file),
                place.line
            ),
        );
        for host in &resource.hosts {
            self.host(host);
        }
        self.settings(&resource.settings);
        self.close("resource");
    }

    fn host(&mut self, host: &Host) {
        if host.floating {
            self.open("host", " floating=\"1\"");
        } else {
            let names = escaped(&host.names.join(" "));
            self.open("host", &format!(" name=\"{names}\""));
        }
        self.section("options", &host.options);
        for volume in &host.volumes {
            self.volume(volume);
        }
        if let Some(address) = &host.address {
            self.line(&format!(
                "<address family=\"{}\" port=\"{}\">{}</address>",
                address.family, address.port, address.host
            ));
        }
        self.close("host");
    }

    fn volume(&mut self, volume: &Volume) {
        self.open("volume", &format!(" vnr=\"{}\"", volume.number));
        self.section("disk", &volume.options);
        self.line(&format!(
            "<device minor=\"{}\">{}</device>",
            volume.minor(),
            escaped(volume.device.as_deref().unwrap_or_default())
        ));
        self.line(&format!("<disk>{}</disk>", escaped(volume.lower())));
        self.line(&match &volume.meta {
            Some(Meta::Flexible(path)) => format!("<meta-disk>{}</meta-disk>", escaped(path)),
            Some(Meta::Indexed(path, index)) => {
                format!("<meta-disk index=\"{index}\">{}</meta-disk>", escaped(path))
            }
            Some(Meta::Internal) | None => "<meta-disk>internal</meta-disk>".to_owned(),
        });
        self.close("volume");
    }
}
