// SPDX-License-Identifier: GPL-2.0

//! Booting one machine up to the point where it answers with its driver loaded.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail, Context, Result};

use crate::{
    accel,
    cluster::{link_state, others},
    console,
    image::Image,
    monitor::Link,
    node::Node,
    paths::runs,
    process,
    qemu::{Cable, Machine},
    write_cache,
};

/// How long a machine may take from power on to its first answer.
const BOOT: Duration = Duration::from_secs(90);

/// Boots that end before the driver is loaded are tried again this often: emulated processors
/// sometimes fail while the kernel patches its own text, long before anything of ours runs.
const RETRIES: u32 = 2;

/// Where boots that were tried again are counted, below the folder of all runs.
const RETRY_LOG: &str = "boot-retries.log";

/// A node's address on the replication network: a is 10.99.0.1, b 10.99.0.2, ...
pub(crate) fn address(name: &str) -> String {
    format!("10.99.0.{}", index(name) + 1)
}

/// The card of this node that leads to another.
pub(crate) fn card(other: &str) -> String {
    format!("to-{other}")
}

fn index(name: &str) -> u32 {
    name.chars()
        .next()
        .map_or(0, |letter| (letter as u32).wrapping_sub('a' as u32))
}

/// Boots a node that is off.
pub(crate) fn start(node: &Node) -> Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let before = node.console()?.len();
        let error = match boot_once(node) {
            Ok(()) => break,
            Err(error) => error,
        };
        let console = node.console()?;
        let output = console.get(before..).unwrap_or_default();
        let power = if node.is_on() { "hangs" } else { "stopped" };
        if let Some(pid) = node.pid() {
            process::kill(pid)?;
        }
        if console::reached_driver(output) || attempt > RETRIES {
            return Err(error.context(format!(
                "node {} does not boot ({power}); end of its console:\n{}\n",
                node.name,
                console::tail(output, 25)
            )));
        }
        note_retry(node, power, output)?;
    }
    let status = node.ok("cat /run/load-driver.status")?;
    if status != "0" {
        let said = node.ok("cat /run/load-driver.log; dmesg | tail -n 15")?;
        bail!(
            "node {}: the driver {} does not load (status '{status}'):\n{said}",
            node.name,
            node.driver()
        );
    }
    Ok(())
}

/// Tells people, and counts in a file; the console goes there too.
fn note_retry(node: &Node, power: &str, output: &str) -> Result<()> {
    let line = format!(
        "boot of {} {power} before the driver was loaded; trying again",
        node.name
    );
    eprintln!("tandem: {line}");
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(runs().join(RETRY_LOG))?;
    writeln!(
        log,
        "{}: {line}\n{}\n",
        node.places.run.display(),
        console::tail(output, 40)
    )?;
    // A complaint of the failed boot is not one of the run.
    let kept = node.console()?;
    let kept = kept.strip_suffix(output).unwrap_or_default();
    fs::write(node.console_path(), kept)?;
    Ok(())
}

fn boot_once(node: &Node) -> Result<()> {
    let image = Image::ensure(&node.spec, &node.name)?;
    let accel = accel::choose(&image)?;
    let initrd = node.places.run.join(format!("{}.initrd", node.name));
    let scratch = initrd.with_extension("stripped");
    let archive = image.initrd(&config(node), node.driver(), &scratch)?;
    fs::write(&initrd, archive).with_context(|| format!("cannot write {}", initrd.display()))?;
    let disks = [node.disk_path(1), node.disk_path(2)];
    let logs = match node.spec.volatile_disks {
        true => Some([
            write_cache::begin(&disks[0])?,
            write_cache::begin(&disks[1])?,
        ]),
        false => None,
    };
    Machine {
        spec: &node.spec,
        accel,
        kernel: image.kernel(),
        initrd: initrd.clone(),
        root: image.root(),
        disks,
        logs,
        shared: (node.spec.is_server(&node.name)).then(|| node.shared_disk()),
        cables: cables(node),
        console: node.console_path(),
        monitor: node.socket("qmp"),
        agents: [node.socket("harness"), node.socket("people")],
        pid_file: node.pid_file(),
    }
    .start()?;
    fs::remove_file(&initrd)?;
    for other in others(&node.spec, &node.name) {
        if link_state(&node.places.run, &node.name, &other)? == Link::Down {
            node.set_card(&card(&other), Link::Down)?;
        }
    }
    let limit = BOOT.mul_f64(node.spec.time_scale());
    node.connect(Instant::now() + limit)
        .map_err(|error| anyhow!("it did not answer: {error:#}"))
}

fn cables(node: &Node) -> Vec<Cable> {
    let socket = |from: &str, to: &str| node.places.sockets.join(format!("{from}-{to}"));
    let mine = index(&node.name);
    others(&node.spec, &node.name)
        .into_iter()
        .map(|other| Cable {
            card: card(&other),
            mac: format!("52:54:00:99:{:02x}:{:02x}", mine + 1, index(&other) + 1),
            here: socket(&node.name, &other),
            there: socket(&other, &node.name),
        })
        .collect()
}

/// What the guest's init reads: shell variables.
fn config(node: &Node) -> String {
    let names = node.spec.names();
    let hosts: Vec<String> = names
        .iter()
        .map(|name| format!("{name}:{}", address(name)))
        .collect();
    let links: Vec<String> = others(&node.spec, &node.name)
        .iter()
        .enumerate()
        .map(|(card, other)| format!("eth{card}:{}", address(other)))
        .collect();
    let server = match node.spec.is_server(&node.name) {
        true => "yes",
        false => "",
    };
    let mut text = String::new();
    for (key, value) in [
        ("NODE", node.name.as_str()),
        ("ADDRESS", &node.address()),
        ("HOSTS", &hosts.join(" ")),
        ("LINKS", &links.join(" ")),
        ("DRIVER", node.driver().as_str()),
        ("DRIVER_ARGS", &node.spec.driver_args),
        ("SERVER", server),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key}='{}'", value.replace('\'', r"'\''"));
    }
    text
}
