// SPDX-License-Identifier: GPL-2.0

//! `status`: resources as text, or as JSON.

use crate::{
    cli::setup::Status,
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model,
    render::{
        json,
        status::{
            text,
            Style, //
        }, //
    }, //
};
use std::{
    io::{
        self,
        IsTerminal,
        Write, //
    },
    time::{
        Duration,
        Instant, //
    }, //
};
use tandem_netlink::{
    Error,
    Events, //
};

/// Changes that come together are shown together.
const TOGETHER: Duration = Duration::from_millis(100);

/// Moves to the upper left corner and clears what is there.
const REPAINT: &str = "\u{1b}[H\u{1b}[J";

/// Prints all resources, or the one with this name; with `--watch` again and again.
pub(crate) fn run(args: &Status) -> Outcome {
    match args.watch {
        None => show(args).map(|_| Exit::Success),
        Some(seconds) => watch(args, Duration::from_secs(seconds.into())),
    }
}

/// Shows it once; whether anybody reads it.
fn show(args: &Status) -> Result<bool, Failure> {
    let which = args.which.given();
    let resources = model::read(&mut kernel::connect()?, which)?;
    let shown = if args.json {
        format!("{:#}\n", json::resources(&resources))
    } else {
        text(&resources, &style(args))
    };
    let is_read = match io::stdout().lock().write_all(shown.as_bytes()) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
        Err(error) => return Err(Failure::Other(error.into())),
    };
    match which {
        Some(name) if resources.is_empty() => Err(Failure::NoSuchResource(name.to_owned())),
        _ => Ok(is_read),
    }
}

fn style(args: &Status) -> Style {
    Style {
        verbose: args.verbose,
        statistics: args.statistics,
        color: wants_color(args.color.as_deref()),
        width: width(),
    }
}

/// Until nobody reads any more, or the user ends it.
fn watch(args: &Status, pause: Duration) -> Outcome {
    let failed = |error| Failure::netlink("kernel", error);
    kernel::connect()?;
    let mut events = Events::listen().map_err(failed)?;
    let repaints = io::stdout().is_terminal() && !args.json;
    loop {
        let begin = if repaints { REPAINT } else { "" };
        let written = write!(io::stdout(), "{begin}").and_then(|()| io::stdout().flush());
        if written.is_err() {
            return Ok(Exit::Success);
        }
        if !show(args)? || io::stdout().flush().is_err() {
            return Ok(Exit::Success);
        }
        let mut until = Instant::now() + pause;
        loop {
            match events.next(Some(until)) {
                Ok(None) => break,
                Ok(Some(_)) | Err(Error::Overrun) => until = until.min(Instant::now() + TOGETHER),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

/// Whether the output shall have colours.
fn wants_color(asked: Option<&str>) -> bool {
    match asked {
        Some("always") => true,
        Some("auto") => std::io::stdout().is_terminal(),
        _ => false,
    }
}

/// Columns of the terminal; 80 without one.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col != 0 => usize::from(size.ws_col),
        _ => 80,
    }
}
