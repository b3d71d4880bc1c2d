// SPDX-License-Identifier: GPL-2.0

//! The sections `resource` and `common`.

use crate::{
    cursor::Cursor,
    error::{
        Place,
        Problem, //
    },
    host::{
        add_volume,
        address,
        implicit,
        inherit,
        keyword_expected,
        volume_section,
        volume_statement, //
    },
    model::{
        Host,
        Resource,
        Setting,
        Settings,
        Volume, //
    },
    section,
    tree::Statement,
    unique::Unique, //
};
use tandem_engine::options::OptionSpec;

/// What may stand in a resource.
const IN_RESOURCE: &str = "'on', 'floating', 'volume', 'device', 'disk', 'meta-disk', 'net', \
    'options', 'handlers', 'startup', 'syncer' or 'protocol'";

/// Reads one section `resource`.
pub(crate) struct ResourceReader<'a> {
    /// What may be used once in the whole configuration.
    pub(crate) unique: &'a mut Unique,
    /// What is wrong.
    pub(crate) problems: &'a mut Vec<Problem>,
    once: Unique,
}

impl<'a> ResourceReader<'a> {
    pub(crate) fn new(unique: &'a mut Unique, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            unique,
            problems,
            once: Unique::default(),
        }
    }

    /// Reads the body of `resource NAME`. Hosts inherit volumes that are defined before or after
    /// them.
    pub(crate) fn resource(&mut self, name: &str, place: &Place, body: &[Statement]) -> Resource {
        let mut resource = Resource {
            name: name.to_owned(),
            place: place.clone(),
            settings: Settings::default(),
            volumes: Vec::new(),
            hosts: Vec::new(),
        };
        for statement in body {
            let done = self.statement(&mut resource, statement);
            self.problems.extend(done.err());
        }
        self.complete(&mut resource);
        resource
    }

    /// Reads the body of `common`.
    pub(crate) fn common(&mut self, body: &[Statement]) -> Settings {
        let mut settings = Settings::default();
        for statement in body {
            match self.settings(&mut settings, statement) {
                Ok(true) => {}
                Ok(false) => self.problems.push(keyword_expected(
                    statement,
                    "'net', 'disk', 'options', 'handlers', 'startup', 'syncer' or 'protocol'",
                )),
                Err(problem) => self.problems.push(problem),
            }
        }
        settings
    }

    fn statement(&mut self, resource: &mut Resource, statement: &Statement) -> Result<(), Problem> {
        let keyword = statement.words.first().map(|word| word.text.as_str());
        let is_section = statement.body.is_some();
        match keyword {
            Some("on") => resource.hosts.push(self.on(statement)?),
            Some("floating") => resource.hosts.push(self.floating(statement)?),
            Some("volume") => {
                let volume = volume_section(statement, self.problems)?;
                add_volume(&mut resource.volumes, volume)?;
            }
            Some("stacked-on-top-of") => return Err(keyword_expected(
                statement,
                "no stacked resources, which are not supported: use Debian's drbdadm for them; \
                     'on' or 'floating'",
            )),
            Some("proxy") => {
                return Err(keyword_expected(
                    statement,
                    "no DRBD Proxy, which is not supported: use Debian's drbdadm for it; \
                     another section",
                ))
            }
            Some("ignore-on") => {
                let mut cursor = Cursor::after_keyword(statement);
                cursor.text("the name of a host")?;
                cursor.end()?;
            }
            Some("device" | "meta-disk" | "flexible-meta-disk") => {
                self.volume_statement(&mut resource.volumes, statement)?;
            }
            Some("disk") if !is_section => {
                self.volume_statement(&mut resource.volumes, statement)?;
            }
            _ => {
                if !self.settings(&mut resource.settings, statement)? {
                    return Err(keyword_expected(statement, IN_RESOURCE));
                }
            }
        }
        Ok(())
    }

    fn volume_statement(
        &mut self,
        volumes: &mut Vec<Volume>,
        statement: &Statement,
    ) -> Result<(), Problem> {
        let volume = implicit(volumes, statement)?;
        volume_statement(volume, statement, self.problems).map(drop)
    }

    /// Reads a statement that `common` may have, too. `Ok(false)`: it is none.
    fn settings(
        &mut self,
        settings: &mut Settings,
        statement: &Statement,
    ) -> Result<bool, Problem> {
        let Some(word) = statement.words.first() else {
            return Ok(false);
        };
        let name = word.text.as_str();
        let known = [
            "net", "disk", "options", "handlers", "startup", "syncer", "protocol",
        ];
        if !known.contains(&name) {
            return Ok(false);
        }
        self.once.take("section", name, &word.place)?;
        if name == "protocol" {
            let found = section::option("net", section::TABLES[1].1, statement)?;
            settings.net.extend(found);
            return Ok(true);
        }
        let body = Cursor::after_keyword(statement).body()?;
        for each in body {
            let done = match name {
                "startup" => section::startup(settings, each),
                "syncer" => section::syncer(settings, each),
                "handlers" => section::handler(each).map(|found| settings.handlers.push(found)),
                "net" => self.option("net", section::TABLES[1].1, each, &mut settings.net),
                "disk" => self.option("disk", section::TABLES[2].1, each, &mut settings.disk),
                _ => self.option("options", section::TABLES[0].1, each, &mut settings.options),
            };
            self.problems.extend(done.err());
        }
        Ok(true)
    }

    fn option(
        &mut self,
        section: &str,
        table: &[OptionSpec],
        statement: &Statement,
        list: &mut Vec<Setting>,
    ) -> Result<(), Problem> {
        list.extend(section::option(section, table, statement)?);
        Ok(())
    }

    fn on(&mut self, statement: &Statement) -> Result<Host, Problem> {
        let mut cursor = Cursor::after_keyword(statement);
        let place = cursor.place().clone();
        let mut names = Vec::new();
        while names.is_empty() || !cursor.is_at_end() {
            let name = cursor.text("the name of a host")?;
            self.once.take("host section", &name.text, &name.place)?;
            names.push(name.text.clone());
        }
        let body = cursor.body()?;
        let mut host = Host {
            names,
            floating: false,
            place,
            address: None,
            options: Vec::new(),
            volumes: Vec::new(),
        };
        self.host(&mut host, body);
        Ok(host)
    }

    fn floating(&mut self, statement: &Statement) -> Result<Host, Problem> {
        let mut cursor = Cursor::after_keyword(statement);
        let place = cursor.place().clone();
        let address = address(&mut cursor)?;
        self.unique
            .take("address", &address.end(), &place)
            .and_then(|()| self.once.take("host section", &address.end(), &place))?;
        let name = match address.family.as_str() {
            "ipv6" => format!("ipv6 {}", address.end()),
            _ => address.end(),
        };
        let body = match &statement.body {
            Some(_) => cursor.body()?,
            None => {
                cursor.end()?;
                &[]
            }
        };
        let mut host = Host {
            names: vec![name],
            floating: true,
            place,
            address: Some(address),
            options: Vec::new(),
            volumes: Vec::new(),
        };
        self.host(&mut host, body);
        Ok(host)
    }

    fn host(&mut self, host: &mut Host, body: &[Statement]) {
        for statement in body {
            let done = self.host_statement(host, statement);
            self.problems.extend(done.err());
        }
    }

    fn host_statement(&mut self, host: &mut Host, statement: &Statement) -> Result<(), Problem> {
        let keyword = statement.words.first().map(|word| word.text.as_str());
        let mut cursor = Cursor::after_keyword(statement);
        match keyword {
            Some("address") if host.floating => Err(keyword_expected(
                statement,
                "no address: the section 'floating' has it",
            )),
            Some("address") if host.address.is_some() => Err(keyword_expected(
                statement,
                "one address, which is there already",
            )),
            Some("address") => {
                let place = cursor.place().clone();
                let found = address(&mut cursor)?;
                cursor.end()?;
                self.take_address(host, &found, &place)?;
                host.address = Some(found);
                Ok(())
            }
            Some("volume") => {
                let volume = volume_section(statement, self.problems)?;
                add_volume(&mut host.volumes, volume)
            }
            Some("options") => {
                for each in cursor.body()? {
                    let table = section::TABLES[0].1;
                    match section::option("options", table, each) {
                        Ok(found) => host.options.extend(found),
                        Err(problem) => self.problems.push(problem),
                    }
                }
                Ok(())
            }
            Some("device" | "disk" | "meta-disk" | "flexible-meta-disk") => {
                self.volume_statement(&mut host.volumes, statement)
            }
            _ => Err(keyword_expected(
                statement,
                "'address', 'device', 'disk', 'meta-disk', 'volume' or 'options'",
            )),
        }
    }

    /// An address is a node's; one that is local to each node may be every node's.
    fn take_address(
        &mut self,
        host: &Host,
        address: &crate::Address,
        place: &Place,
    ) -> Result<(), Problem> {
        let end = address.end();
        if !address.host.starts_with("127.") && !address.host.starts_with("fe80") {
            return self.unique.take("address", &end, place);
        }
        host.names
            .iter()
            .try_for_each(|name| self.unique.take("address", &format!("{name}:{end}"), place))
    }

    /// Gives hosts what the resource says for all, and looks for what is missing.
    fn complete(&mut self, resource: &mut Resource) {
        for host in &mut resource.hosts {
            inherit(host, &resource.volumes, self.unique, self.problems);
            let mut missing = |place: &Place, what: &str| {
                self.problems.push(Problem::new(
                    place,
                    format!(
                        "resource {}, host {}: expected '{what}', which is missing",
                        resource.name,
                        host.names.join(" ")
                    ),
                ));
            };
            if host.address.is_none() {
                missing(&host.place, "address");
            }
            if host.volumes.is_empty() {
                missing(&host.place, "device");
            }
            let explicit = |volume: &&Volume| !volume.implicit;
            if host.volumes.iter().any(|volume| volume.implicit) {
                if let Some(volume) = host.volumes.iter().find(explicit) {
                    self.problems.push(Problem::new(
                        &volume.place,
                        "a volume is described outside of sections 'volume'; expected no section \
                         'volume'",
                    ));
                }
            }
            let mut missing = |place: &Place, what: &str| {
                self.problems.push(Problem::new(
                    place,
                    format!(
                        "resource {}, host {}: expected '{what}', which is missing",
                        resource.name,
                        host.names.join(" ")
                    ),
                ));
            };
            for volume in &host.volumes {
                let parts = [
                    (volume.minor.is_some(), "device"),
                    (volume.disk.is_some(), "disk"),
                    (volume.meta.is_some(), "meta-disk"),
                ];
                for (_, what) in parts.iter().filter(|(there, _)| !there) {
                    missing(&volume.place, what);
                }
            }
        }
        self.same_volumes(resource);
    }

    fn same_volumes(&mut self, resource: &Resource) {
        let Some((first, others)) = resource.hosts.split_first() else {
            return;
        };
        let numbers = |host: &Host| -> Vec<(u32, bool)> {
            let volumes = host.volumes.iter();
            volumes.map(|each| (each.number, each.implicit)).collect()
        };
        for other in others
            .iter()
            .filter(|other| numbers(other) != numbers(first))
        {
            self.problems.push(Problem::new(
                &other.place,
                format!(
                    "resource {}: host {} has other volumes than host {}; expected the same",
                    resource.name,
                    other.names.join(" "),
                    first.names.join(" ")
                ),
            ));
        }
    }
}
