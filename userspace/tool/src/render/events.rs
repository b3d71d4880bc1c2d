// SPDX-License-Identifier: GPL-2.0

//! Lines of `events2`: `ACTION OBJECT key:value...`, in a change only what changed.

use super::words;
use crate::model::{
    context,
    resource_name, //
};
use std::collections::BTreeMap;
use tandem_engine::control::{
    AttrBlock,
    CfgContext,
    Command,
    ConnectionInfo,
    ConnectionStatistics,
    DeviceInfo,
    DeviceStatistics,
    HelperInfo,
    Notification,
    NotificationHeader,
    NotificationType,
    PeerDeviceInfo,
    PeerDeviceStatistics,
    ResourceInfo,
    ResourceStatistics,
    NO_MINOR, //
};
use tandem_netlink::Reply;

/// Key and value; of figures all keys and values that are shown together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    name: &'static str,
    value: String,
    /// What has to differ for the pair to count as changed, beside the value: figures are shown
    /// again when one of them changed that is not shown.
    behind: String,
}

fn pair(name: &'static str, value: impl Into<String>) -> Pair {
    Pair {
        name,
        value: value.into(),
        behind: String::new(),
    }
}

fn figures(name: &'static str, value: String, all: &impl std::fmt::Debug) -> Pair {
    Pair {
        name,
        value,
        behind: format!("{all:?}"),
    }
}

/// Remembers what was printed, so that a change shows what is new.
pub(crate) struct Printer {
    statistics: bool,
    timestamps: bool,
    known: BTreeMap<String, Vec<Pair>>,
}

impl Printer {
    pub(crate) fn new(statistics: bool, timestamps: bool) -> Self {
        Self {
            statistics,
            timestamps,
            known: BTreeMap::new(),
        }
    }

    /// The line after the state of now.
    pub(crate) fn initial_state_done(&self) -> Option<String> {
        Some(self.stamped("exists -".to_owned()))
    }

    /// The line for a message; `None` when there is nothing to say.
    pub(crate) fn line(&mut self, reply: &Reply) -> Option<String> {
        let header: NotificationHeader = reply.block().ok()??;
        let action = Notification::from_number(header.nh_type)?.kind;
        let context = context(reply).ok()?;
        let (object, pairs) = self.describe(reply)?;
        let key = format!("{object}{}", key_text(object, &context, reply.minor()));
        let shown = match action {
            NotificationType::Destroy => {
                self.known.remove(&key);
                Vec::new()
            }
            NotificationType::Call | NotificationType::Response => pairs,
            _ => {
                let before = self.known.insert(key.clone(), pairs.clone());
                match before {
                    Some(before) if action == NotificationType::Change => pairs
                        .into_iter()
                        .filter(|pair| !before.contains(pair))
                        .collect(),
                    _ => pairs,
                }
            }
        };
        if shown.is_empty() && action == NotificationType::Change {
            return None;
        }
        let mut line = format!("{} {key}", action.as_str());
        for Pair { name, value, .. } in shown {
            line += &format!(" {name}:{value}");
        }
        Some(self.stamped(line))
    }

    fn describe(&self, reply: &Reply) -> Option<(&'static str, Vec<Pair>)> {
        Some(match reply.command()? {
            Command::ResourceState => ("resource", self.resource(reply)?),
            Command::DeviceState => ("device", self.device(reply)?),
            Command::ConnectionState => ("connection", self.connection(reply)?),
            Command::PeerDeviceState => ("peer-device", self.peer_device(reply)?),
            Command::Helper => ("helper", helper(reply)?),
            _ => return None,
        })
    }

    fn resource(&self, reply: &Reply) -> Option<Vec<Pair>> {
        let info: ResourceInfo = block(reply)?;
        let mut pairs = vec![
            pair("role", words::role(info.res_role)),
            pair("suspended", words::suspended(&info)),
        ];
        if self.statistics {
            let all: ResourceStatistics = block(reply)?;
            let ordering = words::write_ordering(all.res_stat_write_ordering);
            pairs.push(pair("write-ordering", ordering));
        }
        Some(pairs)
    }

    fn device(&self, reply: &Reply) -> Option<Vec<Pair>> {
        let info: DeviceInfo = block(reply)?;
        let mut pairs = vec![pair("disk", words::disk(info.dev_disk_state))];
        if self.statistics {
            let all: DeviceStatistics = block(reply)?;
            let text = format!(
                "{} read:{} written:{} al-writes:{} bm-writes:{} upper-pending:{} \
                 lower-pending:{}",
                all.dev_size / 2,
                all.dev_read / 2,
                all.dev_write / 2,
                all.dev_al_writes,
                all.dev_bm_writes,
                all.dev_upper_pending,
                all.dev_lower_pending,
            );
            let blocked = words::blocked(all.dev_upper_blocked, all.dev_lower_blocked);
            pairs.push(figures("size", text, &all));
            pairs.push(pair("al-suspended", words::yes_no(all.dev_al_suspended)));
            pairs.push(pair("blocked", blocked));
        }
        Some(pairs)
    }

    fn connection(&self, reply: &Reply) -> Option<Vec<Pair>> {
        let info: ConnectionInfo = block(reply)?;
        let state = words::connection(info.conn_connection_state);
        let mut pairs = vec![
            pair("connection", state),
            pair("role", words::role(info.conn_role)),
        ];
        if self.statistics {
            let all: ConnectionStatistics = block(reply)?;
            pairs.push(pair("congested", words::yes_no(all.conn_congested)));
        }
        Some(pairs)
    }

    fn peer_device(&self, reply: &Reply) -> Option<Vec<Pair>> {
        let info: PeerDeviceInfo = block(reply)?;
        let mut pairs = vec![
            pair("replication", words::replication(info.peer_repl_state)),
            pair("peer-disk", words::disk(info.peer_disk_state)),
            pair("resync-suspended", words::resync_suspended(&info)),
        ];
        if self.statistics {
            let all: PeerDeviceStatistics = block(reply)?;
            let text = format!(
                "{} sent:{} out-of-sync:{} pending:{} unacked:{}",
                all.peer_dev_received / 2,
                all.peer_dev_sent / 2,
                all.peer_dev_out_of_sync / 2,
                all.peer_dev_pending,
                all.peer_dev_unacked,
            );
            pairs.push(figures("received", text, &all));
        }
        Some(pairs)
    }

    fn stamped(&self, line: String) -> String {
        if !self.timestamps {
            return line;
        }
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        format!("{} {line}", timestamp(now.tv_sec, now.tv_nsec))
    }
}

/// Seconds and nanoseconds since 1970 as `YYYY-MM-DDTHH:MM:SS.uuuuuu+00:00`.
pub(super) fn timestamp(seconds: i64, nanoseconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}+00:00",
        second / 3600,
        second / 60 % 60,
        second % 60,
        nanoseconds / 1000,
    )
}

/// Year, month and day of a day number, counted from 1970-01-01. Years begin in March here, so
/// that the leap day is the last one.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn block<B: AttrBlock>(reply: &Reply) -> Option<B> {
    reply.block().ok()?
}

fn helper(reply: &Reply) -> Option<Vec<Pair>> {
    let info: HelperInfo = block(reply)?;
    let header: NotificationHeader = block(reply)?;
    let name = String::from_utf8_lossy(info.helper_name.as_bytes()).into_owned();
    let mut pairs = vec![pair("helper", name)];
    let kind = Notification::from_number(header.nh_type)?.kind;
    if kind == NotificationType::Response {
        pairs.push(pair("status", info.helper_status.to_string()));
    }
    Some(pairs)
}

/// What the event is about.
fn key_text(object: &str, context: &CfgContext, minor: u32) -> String {
    let mut key = String::new();
    if context.ctx_resource_name.is_some() {
        key += &format!(" name:{}", resource_name(context));
    }
    // There is one peer, and it has this name; other fields of it are of no use to listeners.
    if object == "connection" || object == "peer-device" {
        key += " peer-node-id:0";
        if context.ctx_peer_addr.is_some() {
            key += " conn-name:peer";
        }
    }
    if let Some(volume) = context.ctx_volume {
        key += &format!(" volume:{volume}");
    }
    if minor != NO_MINOR && object == "device" {
        key += &format!(" minor:{minor}");
    }
    key
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
