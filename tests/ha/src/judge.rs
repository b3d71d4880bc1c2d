// SPDX-License-Identifier: GPL-2.0

//! What has to be so after every story.

use std::collections::BTreeMap;

use anyhow::{ensure, Result};

use crate::{
    client::Accepted,
    servers::{await_that, is_primary},
    stage::Stage,
};

/// A mail that was accepted so shortly before a power cut may be delivered once more afterwards:
/// Postfix delivers again what it does not know to be delivered. In seconds.
const IN_FLIGHT: f64 = 5.0;

/// Every accepted mail is there, once; both disks are equal; one server is Primary.
pub(crate) fn judge(stage: &mut Stage<'_>) -> Result<()> {
    stage.client.pause()?;
    let (active, standby) = stage.servers.active_and_standby()?;
    await_that("the mail queue is empty", || {
        // What could not be delivered while services began is tried again now, not in minutes. A
        // mail that the client was just sending is not complete (Postfix marks what is by its
        // mode), nor accepted.
        let queue = "postqueue -f; find /srv/mail/spool/maildrop /srv/mail/spool/incoming \
            /srv/mail/spool/active /srv/mail/spool/deferred -type f -perm /u+x | wc -l";
        Ok(active.ok(queue)? == "0")
    })?;
    let accepted = stage.client.accepted()?;
    let stored = stage.client.read()?;
    let lost = missing(&accepted, stored);
    ensure!(
        lost.is_empty(),
        "{} accepted mails are not in the mailbox, first number {}",
        lost.len(),
        lost[0].number
    );
    let twice = twice(&accepted, stored);
    let excused = |mail: &&Accepted| {
        let mut cuts = stage.cuts.iter();
        cuts.any(|cut| (cut - IN_FLIGHT..=*cut).contains(&mail.at))
    };
    let wrong: Vec<_> = twice.iter().filter(|mail| !excused(mail)).collect();
    ensure!(
        wrong.is_empty(),
        "{} mails are in the mailbox twice, first number {}",
        wrong.len(),
        wrong[0].number
    );
    let (of, in_box) = (accepted.len(), stored.len());
    stage.servers.verify()?;
    ensure!(!is_primary(standby)?, "both servers are Primary");
    stage.say(&format!(
        "all {of} accepted mails are there ({in_box} in the mailbox, {} twice); both disks are \
         equal; {} is active, and nobody else",
        twice.len(),
        active.name()
    ));
    stage.client.resume()
}

/// Accepted mails that are not stored.
fn missing(accepted: &[Accepted], stored: &BTreeMap<u64, u32>) -> Vec<Accepted> {
    let lost = accepted
        .iter()
        .filter(|mail| !stored.contains_key(&mail.number));
    lost.copied().collect()
}

/// Accepted mails that are stored more than once.
fn twice(accepted: &[Accepted], stored: &BTreeMap<u64, u32>) -> Vec<Accepted> {
    let found = accepted
        .iter()
        .filter(|mail| stored.get(&mail.number).is_some_and(|times| *times > 1));
    found.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_mail_and_one_that_is_there_twice_are_found() {
        let mail = |number| Accepted { at: 1.0, number };
        let accepted = [mail(1), mail(2), mail(3)];
        // Number 4 was stored without its acknowledgement: that is allowed.
        let stored = BTreeMap::from([(1, 1), (3, 2), (4, 1)]);
        assert_eq!(missing(&accepted, &stored), [mail(2)]);
        assert_eq!(twice(&accepted, &stored), [mail(3)]);
    }
}
