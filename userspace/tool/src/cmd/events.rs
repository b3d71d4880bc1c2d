// SPDX-License-Identifier: GPL-2.0

//! `events2`: the state of now as events, then every event.

use crate::{
    cli::setup::Events2,
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model::{
        context,
        resource_name, //
    },
    render::{
        events::Printer,
        json, //
    }, //
};
use std::{
    io::{
        ErrorKind,
        Write, //
    }, //
};
use tandem_engine::control::Command;
use tandem_netlink::{
    Error,
    Events,
    Reply,
    Request, //
};

/// Prints events until the output is closed, or with `--now` until the state is complete.
pub(crate) fn run(args: &Events2) -> Outcome {
    let mut kernel = kernel::connect()?;
    let only = args.which.given();
    // Listening comes first: what happens while the state is read is not missed.
    let mut events =
        Events::listen_to(kernel.family()).map_err(|error| Failure::netlink("kernel", error))?;
    let mut printer = Printer::new(args.statistics, args.timestamps);
    let initial = kernel
        .dump(&Request::new(Command::GetInitialState))
        .map_err(|error| Failure::netlink("kernel", error))?;
    let print = |line: Option<String>| match args.json {
        true => print(line.map(|line| json::event(&line, args.timestamps).to_string())),
        false => print(line),
    };
    for reply in initial.iter().filter(|reply| is_wanted(reply, only)) {
        if !print(printer.line(reply))? {
            return Ok(Exit::Success);
        }
    }
    if !print(printer.initial_state_done())? || args.now {
        return Ok(Exit::Success);
    }
    loop {
        let line = match events.next(None) {
            Ok(Some(event)) if is_wanted(&event.reply, only) => printer.line(&event.reply),
            Ok(_) => continue,
            Err(Error::Overrun) => Some("- skipped".to_owned()),
            Err(error) => return Err(Failure::netlink("kernel", error)),
        };
        if !print(line)? {
            return Ok(Exit::Success);
        }
    }
}

fn is_wanted(reply: &Reply, only: Option<&str>) -> bool {
    match only {
        None => true,
        Some(name) => context(reply).is_ok_and(|context| resource_name(&context) == name),
    }
}

/// Prints a line; `false` when nobody reads any more.
fn print(line: Option<String>) -> Result<bool, Failure> {
    let Some(line) = line else {
        return Ok(true);
    };
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Other(error.into())),
    }
}
