// SPDX-License-Identifier: GPL-2.0

//! What commands do. Each file makes the requests of one group of commands.

mod adm;
mod configure;
mod down;
mod events;
mod fence;
mod generate;
mod generations;
mod lower;
mod meta;
mod old_events;
mod sh_status;
mod show;
mod state;
mod status;
mod wait;
mod xml_help;

use crate::{
    cli::{
        setup::Setup,
        Tool, //
    },
    failure::Outcome, //
};

/// Does what was asked for.
pub(crate) fn run(tool: Tool) -> Outcome {
    match tool {
        Tool::Setup(command) => setup(command),
        Tool::Meta(meta) => meta::run(&meta),
        Tool::Adm(adm) => adm::run(&adm),
        Tool::Status(args) => status::run(&args),
        Tool::FencePeer(args) => fence::fence(&args),
        Tool::UnfencePeer(which) => fence::unfence(&which),
        Tool::Doctor(args) => adm::doctor::run(&args),
        Tool::Generate(what) => generate::run(&what),
    }
}

fn setup(command: Setup) -> Outcome {
    match command {
        Setup::Role(minor) => state::show(minor.minor, state::Part::Role),
        Setup::Cstate(minor) => state::show(minor.minor, state::Part::Connection),
        Setup::Dstate(minor) => state::show(minor.minor, state::Part::Disk),
        Setup::ShowGi(minor) => generations::show(minor.minor),
        Setup::GetGi(minor) => generations::get(minor.minor),
        Setup::Show {
            which,
            show_defaults,
        } => show::run(which.given(), show_defaults),
        Setup::Status(args) => status::run(&args),
        Setup::ShStatus(which) => sh_status::run(which.given()),
        Setup::Events2(events) => events::run(&events),
        Setup::Events(which) => old_events::run(which.given()),
        Setup::CheckResize(minor) => lower::check_resize(minor.minor),
        Setup::Udev(minor) => lower::udev(minor.minor),
        Setup::XmlHelp { command } => xml_help::run(&command),
        Setup::WaitConnect(wait) => wait::run(&wait, wait::Goal::Connected),
        Setup::WaitSync(wait) => wait::run(&wait, wait::Goal::Synced),
        Setup::Down { resource, force } => down::run(&resource, force.given() == Some(true)),
        change => configure::run(&change),
    }
}
