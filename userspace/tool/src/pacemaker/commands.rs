// SPDX-License-Identifier: GPL-2.0

//! Pacemaker's own commands, and the system's log.

use super::cib::{
    Ban,
    Cib, //
};
use anyhow::{
    anyhow,
    bail,
    Context,
    Result, //
};
use std::{
    os::unix::net::UnixDatagram,
    process::{
        Command,
        Output, //
    },
};

/// Seconds that the cluster may take to answer one question.
const ANSWER: &str = "5";

/// The CIB as the cluster's coordinator has it.
pub(crate) fn query() -> Result<Cib> {
    let output = run("cibadmin", &["--query", "--timeout", ANSWER])?;
    Cib::parse(&String::from_utf8_lossy(&output.stdout))
}

/// Places a constraint.
pub(crate) fn place(ban: &Ban) -> Result<()> {
    let xml = ban.xml();
    let scope = ["--create", "--scope", "constraints", "--xml-text", &xml];
    run("cibadmin", &scope).map(drop)
}

/// Takes a constraint away.
pub(crate) fn remove(ban: &Ban) -> Result<()> {
    run(
        "cibadmin",
        &["--delete", "--xml-text", &ban.xml_to_delete()],
    )
    .map(drop)
}

/// Whether the cluster's controller on another node answers.
pub(crate) fn answers(node: &str) -> bool {
    let answer = run("crmadmin", &["--status", node, "--timeout", "2s"]);
    answer.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("ok"))
}

fn run(program: &str, arguments: &[&str]) -> Result<Output> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {program}: is Pacemaker installed?"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it said nothing");
        bail!(anyhow!("{program} ended with {}: {said}", output.status));
    }
    Ok(output)
}

/// Says something where it will be found: nobody sees what a handler prints.
pub(crate) fn log(text: &str) {
    eprintln!("{text}");
    let line = format!("<29>tandem[{}]: {text}", std::process::id());
    // There may be no log; the exit code says the same.
    let _ = UnixDatagram::unbound().and_then(|log| log.send_to(line.as_bytes(), "/dev/log"));
}
