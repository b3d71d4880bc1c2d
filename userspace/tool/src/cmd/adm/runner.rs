// SPDX-License-Identifier: GPL-2.0

//! Runs lines: in this process, or by another program; or only prints them.

use super::lines::{
    For,
    Line, //
};
use crate::{
    cli::{
        self,
        adm::General, //
    },
    failure::Failure, //
};
use std::{
    ffi::OsString,
    process::{
        Command,
        Stdio, //
    },
    sync::mpsc,
    time::Duration, //
};

/// How long a program may take. It is left running then, as `drbdadm` does: ending it would not
/// end what it began.
const PATIENCE: Duration = Duration::from_secs(600);

/// Exit code of a program that could not be run, or did not end.
const NOT_RUN: u8 = 20;

/// How to run lines.
pub(super) struct Runner {
    pub(super) dry_run: bool,
    verbose: bool,
    variable: Option<String>,
    setup: Option<String>,
    meta: Option<String>,
}

/// How a line ended, and what is to be said about it.
pub(super) struct Ended {
    pub(super) code: u8,
    said: Option<Failure>,
}

impl Ended {
    /// Says what there is to say.
    pub(super) fn report(&self) {
        if let Some(failure) = &self.said {
            failure.report();
        }
    }
}

impl Runner {
    pub(super) fn new(general: &General) -> Self {
        Self {
            dry_run: general.dry_run > 0,
            verbose: general.verbose > 0,
            variable: general.sh_varname.clone(),
            setup: general.drbdsetup.clone(),
            meta: general.drbdmeta.clone(),
        }
    }

    /// Whether lines are printed.
    pub(super) fn shows_lines(&self) -> bool {
        self.dry_run || self.verbose
    }

    /// Runs a line and says why it failed; returns the exit code.
    pub(super) fn run(&self, resource: &str, line: &Line) -> u8 {
        let ended = self.run_quietly(resource, line);
        ended.report();
        if ended.code != 0 && !self.dry_run {
            eprintln!(
                "Command '{}' terminated with exit code {}",
                self.words(line).join(" "),
                ended.code
            );
        }
        ended.code
    }

    /// Runs a line.
    pub(super) fn run_quietly(&self, resource: &str, line: &Line) -> Ended {
        if self.dry_run || self.verbose {
            if let Some(variable) = &self.variable {
                println!("{variable}={}", shell_escaped(resource));
            }
            let words: Vec<_> = self
                .words(line)
                .iter()
                .map(|word| shell_escaped(word))
                .collect();
            println!("{}", words.join(" "));
        }
        if self.dry_run {
            return Ended {
                code: 0,
                said: None,
            };
        }
        match (line.tool, &self.setup, &self.meta) {
            (For::Setup, None, _) => here("setup", line),
            (For::Meta, _, None) => here("meta", line),
            _ => Ended {
                code: elsewhere(&self.words(line), resource),
                said: None,
            },
        }
    }

    fn words(&self, line: &Line) -> Vec<String> {
        let program = |other: &Option<String>, name: &str| {
            vec![other.clone().unwrap_or_else(|| name.to_owned())]
        };
        let mut words = match line.tool {
            For::Setup => program(&self.setup, "drbdsetup"),
            For::Meta => program(&self.meta, "drbdmeta"),
            For::Shell => vec!["/bin/sh".to_owned(), "-c".to_owned()],
        };
        words.extend(line.words.iter().cloned());
        words
    }
}

/// Runs a line in this process.
fn here(tool: &str, line: &Line) -> Ended {
    let args = ["tandem", tool].into_iter().map(OsString::from);
    let args = args.chain(line.words.iter().map(OsString::from));
    match cli::parse(args).and_then(crate::cmd::run) {
        Ok(exit) => Ended {
            code: exit.number(),
            said: None,
        },
        Err(failure) => Ended {
            code: failure.exit().number(),
            said: Some(failure),
        },
    }
}

/// Runs a program.
fn elsewhere(words: &[String], resource: &str) -> u8 {
    let Some((program, arguments)) = words.split_first() else {
        return NOT_RUN;
    };
    let child = Command::new(program)
        .args(arguments)
        .env("DRBD_RESOURCE", resource)
        .stdin(Stdio::inherit())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            eprintln!("tandem: cannot run {program}: {error}");
            return NOT_RUN;
        }
    };
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait()));
    match ended.recv_timeout(PATIENCE) {
        Ok(Ok(status)) => status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(NOT_RUN),
        Ok(Err(error)) => {
            eprintln!("tandem: {program}: {error}");
            NOT_RUN
        }
        Err(_) => {
            eprintln!(
                "tandem: {program} did not end within {} s; it goes on",
                PATIENCE.as_secs()
            );
            NOT_RUN
        }
    }
}

/// A word as a shell takes it.
pub(super) fn shell_escaped(word: &str) -> String {
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '%' | '+' | '-' | '.' | '/' | ':' | '=' | '@' | '_')
    };
    let mut escaped = String::new();
    for c in word.chars() {
        if !is_plain(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
