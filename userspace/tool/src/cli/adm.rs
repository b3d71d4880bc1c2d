// SPDX-License-Identifier: GPL-2.0

//! The command lines of `drbdadm` 8.4: a table of commands, and options that the commands of
//! `drbdsetup` and `drbdmeta` have.

use super::{
    meta::MetaCommand,
    setup::Setup, //
};
use clap::{
    Arg,
    ArgAction,
    ArgMatches,
    Args,
    Command,
    FromArgMatches,
    Subcommand, //
};
use std::path::PathBuf;

/// What a command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nothing, or all that is configured.
    All,
    /// Whole resources.
    Resources,
    /// Every volume of resources, or single ones.
    Volumes,
    /// One volume.
    OneVolume,
}

/// For whom a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Administrators.
    Normal,
    /// Scripts.
    Shell,
    /// The kernel, which calls handlers.
    Handler,
    /// Those who know what they do.
    Expert,
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdmCommand {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) level: Level,
    pub(crate) scope: Scope,
    /// Whether own addresses have to be this node's.
    pub(crate) checks_address: bool,
    /// Whether it has to be clear which host is the peer.
    pub(crate) needs_peer: bool,
    /// Whether its options are those of the command with this name of `drbdsetup` or `drbdmeta`.
    options: Option<&'static str>,
}

const fn row(name: &'static str, about: &'static str, scope: Scope) -> AdmCommand {
    AdmCommand {
        name,
        about,
        level: Level::Normal,
        scope,
        checks_address: false,
        needs_peer: false,
        options: None,
    }
}

impl AdmCommand {
    const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    const fn options(mut self, of: &'static str) -> Self {
        self.options = Some(of);
        self
    }

    const fn checked(mut self) -> Self {
        self.checks_address = true;
        self
    }

    const fn with_peer(mut self) -> Self {
        self.needs_peer = true;
        self.checked()
    }

    /// Whether it is called by the kernel with a configuration that is remembered.
    pub(crate) fn uses_remembered_file(&self) -> bool {
        self.level == Level::Handler || self.name == "sh-udev"
    }
}

const fn shell(name: &'static str, about: &'static str, scope: Scope) -> AdmCommand {
    row(name, about, scope).level(Level::Shell)
}

const fn handler(name: &'static str, scope: Scope) -> AdmCommand {
    row(name, "Run this handler, as the kernel does", scope).level(Level::Handler)
}

use Scope::{
    All,
    OneVolume,
    Resources,
    Volumes, //
};

/// All commands.
pub(crate) const COMMANDS: &[AdmCommand] = &[
    row("up", "Create, attach and connect", Volumes).with_peer(),
    row("down", "Take down completely", Resources),
    row(
        "adjust",
        "Make what runs equal to the configuration",
        Resources,
    )
    .with_peer(),
    row(
        "adjust-with-progress",
        "The same, and show each step",
        Resources,
    )
    .with_peer(),
    row("primary", "Become Primary", Volumes).options("primary"),
    row("secondary", "Become Secondary", Volumes),
    row("attach", "Attach the lower device", Volumes).options("attach"),
    row("detach", "Detach the lower device", Volumes).options("detach"),
    row("disk-options", "Change options of the disk", Volumes).options("disk-options"),
    row("connect", "Connect to the peer", Resources)
        .with_peer()
        .options("connect"),
    row("disconnect", "End the connection", Resources).options("disconnect"),
    row("net-options", "Change options of the connection", Resources)
        .with_peer()
        .options("net-options"),
    row(
        "resource-options",
        "Change options of the resource",
        Resources,
    )
    .options("resource-options"),
    row("invalidate", "Resync the local data from the peer", Volumes),
    row(
        "invalidate-remote",
        "Resync the peer's data from here",
        Volumes,
    )
    .checked(),
    row("outdate", "Mark the local data as outdated", Volumes),
    row("resize", "Take in a new size of the lower device", Volumes)
        .checked()
        .options("resize"),
    row("verify", "Compare the disks of both nodes", Volumes)
        .checked()
        .options("verify"),
    row("pause-sync", "Pause the resync", Volumes).checked(),
    row("resume-sync", "Let the resync go on", Volumes).checked(),
    row("wait-connect", "Wait until connected", Volumes).checked(),
    row("wait-sync", "Wait until connected and in sync", Volumes).checked(),
    row("wait-con-int", "Wait for all, and let the user end it", All).checked(),
    row("status", "Show the state", Resources).options("status"),
    row("role", "Show the roles of both nodes", Volumes),
    row("cstate", "Show the state of the connection", Volumes),
    row("dstate", "Show the states of both disks", Volumes),
    row("dump", "Print the configuration", Resources).checked(),
    row("dump-xml", "Print the configuration as XML", Resources).checked(),
    row("create-md", "Write new metadata", Volumes).options("create-md"),
    row("show-gi", "Show the data generations, explained", Volumes),
    row("get-gi", "Show the data generations on a line", Volumes),
    row("dump-md", "Print the metadata", Volumes),
    row("wipe-md", "Destroy the metadata", Volumes).options("wipe-md"),
    row("apply-al", "Take the activity log into the bitmap", Volumes),
    row(
        "hidden-commands",
        "List the commands for scripts and experts",
        All,
    ),
    shell("sh-nop", "Read the configuration, and do nothing", All),
    shell("sh-resources", "Names of all resources of this node", All),
    shell("sh-resource", "Name of the resource", Resources),
    shell("sh-mod-parms", "Parameters for the module", All),
    shell("sh-dev", "Path of the device", Volumes),
    shell("sh-udev", "Variables for udev", OneVolume),
    shell("sh-minor", "Minor number", Volumes),
    shell("sh-ll-dev", "Path of the lower device", Volumes),
    shell("sh-md-dev", "Path of the device with the metadata", Volumes),
    shell("sh-md-idx", "Place of the metadata on it", Volumes),
    shell("sh-ip", "Own address", Volumes),
    shell("sh-lr-of", "Lower resource (of stacked ones only)", Volumes),
    shell(
        "sh-b-pri",
        "Become Primary if the configuration says so",
        Volumes,
    ),
    shell("sh-status", "State as shell variables", All),
    shell("new-resource", "Create the resource", Resources),
    handler("before-resync-target", OneVolume),
    handler("after-resync-target", OneVolume),
    handler("before-resync-source", OneVolume),
    handler("pri-on-incon-degr", OneVolume),
    handler("pri-lost-after-sb", OneVolume),
    handler("fence-peer", Resources),
    handler("unfence-peer", Resources),
    handler("local-io-error", OneVolume),
    handler("pri-lost", OneVolume),
    handler("initial-split-brain", OneVolume),
    handler("split-brain", OneVolume),
    handler("out-of-sync", OneVolume),
    row("new-minor", "Create the volume", Volumes).level(Level::Expert),
    row("sh-new-minor", "Create the volume", Volumes).level(Level::Expert),
    row("suspend-io", "Hold I/O of applications back", Volumes).level(Level::Expert),
    row("resume-io", "Let I/O of applications go on", Volumes).level(Level::Expert),
    row("set-gi", "Set the data generations", OneVolume).level(Level::Expert),
    row("new-current-uuid", "Start a new data generation", OneVolume)
        .level(Level::Expert)
        .options("new-current-uuid"),
    row("check-resize", "Look for a new size before attach", Volumes).level(Level::Expert),
];

/// Options of all commands.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct General {
    /// Print commands instead of running them
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) dry_run: u8,
    /// Print commands before they run
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Configuration; "-": standard input
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// A second file to read, to test it (dump and sh-nop only)
    #[arg(short = 't', long, global = true, value_name = "FILE")]
    pub(crate) config_to_test: Option<PathBuf>,
    /// Program to run instead of 'tandem setup'
    #[arg(short = 's', long, global = true, value_name = "PROGRAM")]
    pub(crate) drbdsetup: Option<String>,
    /// Program to run instead of 'tandem meta'
    #[arg(short = 'm', long, global = true, value_name = "PROGRAM")]
    pub(crate) drbdmeta: Option<String>,
    /// Print the resource as this shell variable before each command
    #[arg(short = 'n', long, global = true, value_name = "NAME", value_parser = variable)]
    pub(crate) sh_varname: Option<String>,
    /// Which host is the peer, where there are several
    #[arg(short = 'P', long, global = true, value_name = "HOST")]
    pub(crate) peer: Option<String>,
    /// Work on stacked resources; they are not supported
    #[arg(short = 'S', long, global = true)]
    pub(crate) stacked: bool,
    /// An argument for the command that is run
    #[arg(
        short = 'W',
        long,
        global = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENT"
    )]
    pub(crate) setup_option: Vec<String>,
    /// Print versions as shell variables
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
}

fn variable(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.is_empty() && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err("expected letters, digits and '_'".into())
}

/// `drbdadm`.
#[derive(Clone, Debug)]
pub(crate) struct Adm {
    pub(crate) general: General,
    /// Which command; none only with `--version`.
    pub(crate) command: Option<&'static AdmCommand>,
    /// Resources, `resource/volume`, `minor-N`, or `all`.
    pub(crate) names: Vec<String>,
    /// Arguments for the commands that are run.
    pub(crate) passed: Vec<String>,
}

impl Adm {
    /// `status` and `dump` are about everything when no resource is named.
    fn may_name_nothing(command: &AdmCommand) -> bool {
        matches!(command.name, "status" | "dump" | "dump-xml")
    }
}

impl Args for Adm {
    fn augment_args(command: Command) -> Command {
        let command = General::augment_args(command).args_conflicts_with_subcommands(false);
        command.subcommands(COMMANDS.iter().map(subcommand))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Adm {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let general = General::from_arg_matches(matches)?;
        let missing =
            |what: &str| clap::Error::raw(clap::error::ErrorKind::MissingSubcommand, what);
        let Some((name, inner)) = matches.subcommand() else {
            if general.version {
                return Ok(Self {
                    general,
                    command: None,
                    names: Vec::new(),
                    passed: Vec::new(),
                });
            }
            return Err(missing("no command given; 'help' lists them\n"));
        };
        let command = named(name).ok_or_else(|| missing("no such command; 'help' lists them\n"))?;
        let mut passed = Vec::new();
        for arg in command.options.iter().flat_map(|of| options_of(of)) {
            let id = arg.get_id().as_str();
            let Ok(Some(values)) = inner.try_get_raw(id) else {
                continue;
            };
            if inner.value_source(id) != Some(clap::parser::ValueSource::CommandLine) {
                continue;
            }
            let long = arg.get_long().unwrap_or(id);
            let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
            let place = inner.index_of(id);
            passed.push((
                place,
                match values.first() {
                    Some(value) if arg.get_action().takes_values() && value != ABSENT => {
                        format!("--{long}={value}")
                    }
                    _ if arg.get_action().takes_values() || inner.get_flag(id) => {
                        format!("--{long}")
                    }
                    _ => continue,
                },
            ));
        }
        passed.sort_by_key(|(place, _)| *place);
        let names = inner.get_many::<String>("resource");
        Ok(Self {
            command: Some(command),
            names: names.map_or_else(Vec::new, |names| names.cloned().collect()),
            passed: passed
                .into_iter()
                .map(|(_, text)| text)
                .chain(general.setup_option.iter().cloned())
                .collect(),
            general,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Stands for an option without its value.
const ABSENT: &str = "\u{0}";

fn named(name: &str) -> Option<&'static AdmCommand> {
    COMMANDS.iter().find(|command| command.name == name)
}

fn subcommand(command: &'static AdmCommand) -> Command {
    let mut found = Command::new(command.name)
        .about(command.about)
        .hide(command.level != Level::Normal);
    if command.scope != All {
        let help = match command.scope {
            Resources => "Resources, or \"all\"",
            OneVolume => "RESOURCE/VOLUME or minor-N; RESOURCE if it has one unnumbered volume",
            _ => "Resources, RESOURCE/VOLUME, minor-N, or \"all\"",
        };
        found = found.arg(
            Arg::new("resource")
                .help(help)
                .num_args(1..)
                .required(!Adm::may_name_nothing(command)),
        );
    } else {
        found = found.arg(Arg::new("resource").num_args(0..).hide(true));
    }
    found
        .next_line_help(command.options.is_some())
        // Made when this command is the one that was given: it takes all of the other tools.
        .defer(|found| {
            let of = named(found.get_name()).and_then(|command| command.options);
            found.args(of.into_iter().flat_map(options_of))
        })
}

/// The options of a command of `drbdsetup` or `drbdmeta`, without short names; their values are
/// looked at where the command runs.
fn options_of(name: &str) -> Vec<Arg> {
    let setup = Setup::augment_subcommands(Command::new("setup"));
    let meta = MetaCommand::augment_subcommands(Command::new("meta"));
    let of = |tool: &Command| tool.find_subcommand(name).cloned();
    let (mut command, extra) = match of(&setup) {
        Some(command) => (command, &[][..]),
        None => (
            of(&meta).unwrap_or_default(),
            &["force", "ignore-sanity-checks"][..],
        ),
    };
    command.build();
    let flags = extra.iter().map(|name| {
        Arg::new(*name)
            .long(*name)
            .action(ArgAction::SetTrue)
            .help("As for drbdmeta")
    });
    let mut found: Vec<_> = flags.collect();
    let general = General::augment_args(Command::new("adm"));
    for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
        let taken = |other: &Arg| other.get_long() == arg.get_long();
        if arg.get_id() == "help" || general.get_arguments().any(taken) {
            continue;
        }
        found.push(passed_on(arg));
    }
    found
}

fn passed_on(arg: &Arg) -> Arg {
    let id = arg.get_id().as_str().to_owned();
    let long = arg.get_long().unwrap_or(&id).to_owned();
    let mut copy = Arg::new(id).long(long);
    if let Some(help) = arg.get_help() {
        copy = copy.help(help.clone());
    }
    if !arg.get_action().takes_values() {
        return copy.action(ArgAction::SetTrue);
    }
    copy = copy
        .action(ArgAction::Set)
        .overrides_with(arg.get_id().as_str().to_owned())
        .allow_hyphen_values(true);
    if let Some(names) = arg.get_value_names() {
        copy = copy.value_names(names.to_vec());
    }
    let optional = arg
        .get_num_args()
        .is_some_and(|range| range.min_values() == 0);
    match optional {
        true => copy
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(ABSENT),
        false => copy,
    }
}
