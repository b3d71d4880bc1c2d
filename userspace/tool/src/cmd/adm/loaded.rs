// SPDX-License-Identifier: GPL-2.0

//! The configuration of this node.

use super::Target;
use crate::{
    cli::adm::{
        Adm,
        AdmCommand, //
    },
    failure::Failure,
    registry, //
};
use std::{
    io::IsTerminal,
    net::{
        IpAddr,
        UdpSocket, //
    },
    path::{
        Path,
        PathBuf, //
    }, //
};
use tandem_config::{
    Address,
    Config,
    Files,
    Host,
    Node,
    PeerError,
    Problem, //
};

/// Where a configuration is looked for; the first that is there counts.
const FILES: [&str; 5] = [
    "/etc/drbd-84.conf",
    "/etc/drbd-83.conf",
    "/etc/drbd-82.conf",
    "/etc/drbd-08.conf",
    "/etc/drbd.conf",
];

/// Name of a configuration that came through a pipe.
const STDIN: &str = "STDIN";

/// A configuration, and the node that it is read on.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) node: Node,
    /// The file, with its whole path.
    pub(super) file: PathBuf,
    /// Whether the kernel's calls shall find this file again.
    pub(super) is_remembered: bool,
}

impl Loaded {
    /// Reads the configuration that a command is to use.
    pub(super) fn read(adm: &Adm, command: &AdmCommand) -> Result<Self, Failure> {
        let general = &adm.general;
        if general.config_to_test.is_some()
            && !matches!(command.name, "dump" | "dump-xml" | "sh-nop")
        {
            return Err(Failure::call(
                "only the commands dump and sh-nop take the option --config-to-test (-t)",
                "use it with 'dump'",
            ));
        }
        let remembered = || {
            let name = adm.names.first()?;
            command
                .uses_remembered_file()
                .then(|| registry::file_of(name))?
        };
        let file = general.config_file.clone().or_else(remembered);
        let also = general.config_to_test.as_deref();
        let mut loaded = Self::of_file(file, also)?;
        loaded.is_remembered &= general.dry_run == 0;
        Ok(loaded)
    }

    /// Reads a file, or the usual one.
    pub(super) fn of_file(file: Option<PathBuf>, also: Option<&Path>) -> Result<Self, Failure> {
        let file = file.map_or_else(default_file, Ok)?;
        let is_piped = file == Path::new("-");
        let whole = file.canonicalize().unwrap_or_else(|_| file.clone());
        let path = if is_piped { &file } else { &whole };
        let mut config = tandem_config::read(path, also, &mut Files).map_err(Failure::Config)?;
        let file = if is_piped { STDIN.into() } else { whole };
        config.file = file.clone();
        Ok(Self {
            config,
            node: this_node(),
            file,
            is_remembered: !is_piped,
        })
    }

    /// Takes options over from `common`, and finds what names stand for.
    pub(super) fn prepare(&mut self, expands: bool, resolves: bool) -> Result<(), Failure> {
        self.check_hosts()?;
        if expands {
            self.config.expand();
        }
        if !resolves {
            return Ok(());
        }
        let nobody_looks = !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal();
        let notes = tandem_config::resolve(&mut self.config, &self.node, nobody_looks)
            .map_err(|problem| Failure::Config(vec![problem]))?;
        for note in notes {
            eprintln!("{note}");
        }
        Ok(())
    }

    /// A node with two sections in one resource would not know which is its own.
    fn check_hosts(&self) -> Result<(), Failure> {
        for resource in &self.config.resources {
            let both = resource
                .settings
                .become_primary_on
                .iter()
                .any(|on| on == "both");
            let mut net = resource.settings.net.iter();
            let common = self.config.common.as_ref();
            let mut for_all = common.iter().flat_map(|common| &common.net);
            let two = |setting: &tandem_config::Setting| setting.name == "allow-two-primaries";
            if both && !net.any(two) && !for_all.any(two) {
                return Err(Failure::Config(vec![problem(
                    &resource.place,
                    format!(
                        "in resource {}: become-primary-on is set to both, but \
                         allow-two-primaries is not set; expected both or none",
                        resource.name
                    ),
                )]));
            }
        }
        Ok(())
    }

    /// The resources of this node.
    pub(super) fn mine(&self) -> impl Iterator<Item = Target<'_>> {
        self.config.resources.iter().filter_map(|resource| {
            let host = self.node.host_of(resource)?;
            Some(Target {
                resource,
                host,
                volume: None,
            })
        })
    }

    /// The peer's section.
    pub(super) fn peer<'a>(
        &self,
        target: &Target<'a>,
        wanted: Option<&str>,
    ) -> Result<&'a Host, Failure> {
        self.node.peer_of(target.resource, wanted).map_err(|error| {
            let (what, hint) = match error {
                PeerError::Missing => (
                    "missing section 'on PEER { ... }'",
                    "add the peer's section to the configuration",
                ),
                PeerError::Several => (
                    "there are multiple host sections for the peer node",
                    "use the --peer option to select which peer section to use",
                ),
                PeerError::NoMatch => (
                    "no host ('on' or 'floating') section matches --peer, or several do",
                    "name one of the other hosts with --peer",
                ),
            };
            let resource = target.resource;
            Failure::Unfit {
                what: format!("{}: in resource {}: {what}", resource.place, resource.name),
                hint: hint.into(),
            }
        })
    }

    /// That no resource is for this node.
    pub(super) fn nothing_for_this_node(&self) -> Failure {
        if self.config.resources.is_empty() {
            return Failure::call("no resources defined!", "define one in the configuration");
        }
        Failure::call(
            format!(
                "no normal resources defined for this host ({})!?",
                self.node.name()
            ),
            "is the name of the local machine misspelled behind the 'on' keyword? 'uname -n' \
             prints it",
        )
    }
}

fn problem(place: &tandem_config::Place, what: String) -> Problem {
    Problem::at(place, what)
}

fn default_file() -> Result<PathBuf, Failure> {
    let found = FILES.iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned).ok_or_else(|| Failure::Unfit {
        what: "there is no /etc/drbd.conf".into(),
        hint: "write one, or name another file with --config-file".into(),
    })
}

/// This node, by its name and its addresses.
pub(super) fn this_node() -> Node {
    let name = std::env::var("__DRBD_NODE__")
        .ok()
        .filter(|name| !name.is_empty());
    if let Some(name) = &name {
        eprintln!("tandem: found __DRBD_NODE__ in environment; pretending that I am {name}");
    }
    let uname = || {
        let name = rustix::system::uname();
        name.nodename().to_string_lossy().into_owned()
    };
    Node::new(&name.unwrap_or_else(uname), is_own)
}

/// Whether an address is one of this node: then, and only then, a socket can have it.
pub(super) fn is_own(address: &Address) -> bool {
    let (host, scope) = match address.host.split_once('%') {
        Some((host, scope)) => (host, Some(scope)),
        None => (address.host.as_str(), None),
    };
    let Ok(ip) = host.parse::<IpAddr>() else {
        return false;
    };
    let mut end = std::net::SocketAddr::new(ip, 0);
    if let (std::net::SocketAddr::V6(end), Some(scope)) = (&mut end, scope) {
        end.set_scope_id(scope_id(scope));
    }
    UdpSocket::bind(end).is_ok()
}

/// The number of an interface.
fn scope_id(name: &str) -> u32 {
    let number = |text: String| text.trim().parse().ok();
    let of_name = || {
        let path = Path::new("/sys/class/net").join(name).join("ifindex");
        std::fs::read_to_string(path).ok().and_then(number)
    };
    name.parse().ok().or_else(of_name).unwrap_or(0)
}
