// SPDX-License-Identifier: GPL-2.0

//! What all stories came to.

use vm::Driver;

use crate::timeline::Parts;

/// What one story came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// When the mischief was done, in seconds of the host's clock.
    pub(crate) begin: f64,
    /// The longest time without an accepted mail since then, in seconds.
    pub(crate) gap: f64,
    /// Where the time of a take-over went.
    pub(crate) parts: Option<Parts>,
    /// Seconds from the mischief until both disks were up to date again.
    pub(crate) healed: Option<f64>,
    /// A machine lost its power: the mail that was on its way may be there twice.
    pub(crate) power_lost: bool,
}

/// All rows.
pub(crate) struct Table {
    driver: Driver,
    rows: Vec<(String, Row)>,
}

impl Table {
    pub(crate) fn new(driver: Driver) -> Self {
        Self {
            driver,
            rows: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, name: &str, row: Row) {
        self.rows.push((name.into(), row));
    }

    /// In seconds, a dash where there was nothing to take the time of.
    pub(crate) fn print(&self) {
        println!();
        println!("Seconds, with the driver {}:", self.driver);
        println!(
            "{:<15} {:>7}  {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}  {:>7}",
            "story",
            "no mail",
            "detect",
            "fence",
            "decide",
            "promote",
            "mount",
            "services",
            "healed"
        );
        for (name, row) in &self.rows {
            let part = |of: fn(&Parts) -> f64| show(row.parts.as_ref().map(of));
            println!(
                "{:<15} {:>7}  {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}  {:>7}",
                name,
                show(Some(row.gap)),
                part(|parts| parts.detect),
                part(|parts| parts.fence),
                part(|parts| parts.decide),
                part(|parts| parts.promote),
                part(|parts| parts.mount),
                part(|parts| parts.services),
                show(row.healed)
            );
        }
    }
}

/// Says what the columns mean.
pub(crate) fn explain() {
    println!();
    println!("  no mail   longest time between two accepted mails");
    println!("  detect    from the cut until the survivor knows that it is alone");
    println!("  fence     until the other is known to be switched off");
    println!("  decide    until the cluster orders the promotion");
    println!("  promote   agent, fence-peer handler and the change of the role");
    println!("  mount     until the file system is mounted, its journal replayed");
    println!("  services  address and mail server, until the first mail");
    println!("  healed    until both disks are up to date again, and either may be promoted");
}

/// Puts the times with several drivers side by side; nothing when there is only one.
pub(crate) fn compare(tables: &[Table]) {
    let [first, others @ ..] = tables else {
        return;
    };
    for other in others {
        println!();
        println!("Seconds, {} beside {}:", first.driver, other.driver);
        println!("{:<15} {:>17}  {:>17}", "story", "no mail", "promote");
        for ((name, ours), (_, theirs)) in first.rows.iter().zip(&other.rows) {
            let promote = |row: &Row| show(row.parts.as_ref().map(|parts| parts.promote));
            println!(
                "{name:<15} {:>8} {:>8}  {:>8} {:>8}",
                show(Some(ours.gap)),
                show(Some(theirs.gap)),
                promote(ours),
                promote(theirs)
            );
        }
    }
}

fn show(seconds: Option<f64>) -> String {
    seconds.map_or("-".into(), |seconds| format!("{seconds:.1}"))
}
