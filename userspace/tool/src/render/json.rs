// SPDX-License-Identifier: GPL-2.0

//! `status --json`, with the names that `drbdsetup` 9 uses.

use super::{
    status::percent_in_sync,
    words, //
};
use crate::model::{
    Connection,
    Device,
    PeerDevice,
    Resource, //
};
use crate::reasons::Reason;
use serde_json::{
    json,
    Map,
    Value, //
};

/// All resources, as an array.
pub(crate) fn resources(resources: &[Resource]) -> Value {
    resources.iter().map(resource).collect()
}

fn resource(resource: &Resource) -> Value {
    json!({
        "name": resource.name,
        "role": words::role(resource.info.res_role),
        "suspended": words::suspended(&resource.info) != "no",
        "suspended-by": words::suspended(&resource.info),
        "write-ordering": words::write_ordering(resource.statistics.res_stat_write_ordering),
        "devices": resource.devices.iter().map(device).collect::<Value>(),
        "connections": resource
            .connections
            .iter()
            .map(|peer| connection(peer, resource))
            .collect::<Value>(),
        "reasons": resource.reasons.iter().map(reason).collect::<Value>(),
    })
}

fn reason(reason: &Reason) -> Value {
    json!({
        "subject": reason.subject,
        "seconds": reason.seconds,
        "text": reason.text,
    })
}

fn device(device: &Device) -> Value {
    let figures = &device.statistics;
    json!({
        "volume": device.volume,
        "minor": device.minor,
        "disk-state": words::disk(device.info.dev_disk_state),
        "client": false,
        "quorum": true,
        "size": figures.dev_size / 2,
        "read": figures.dev_read / 2,
        "written": figures.dev_write / 2,
        "al-writes": figures.dev_al_writes,
        "bm-writes": figures.dev_bm_writes,
        "upper-pending": figures.dev_upper_pending,
        "lower-pending": figures.dev_lower_pending,
        "al-suspended": figures.dev_al_suspended,
        "blocked": words::blocked(figures.dev_upper_blocked, figures.dev_lower_blocked),
    })
}

fn connection(connection: &Connection, resource: &Resource) -> Value {
    let end = |address: Option<_>| address.map(crate::intent::show_endpoint);
    json!({
        "peer-node-id": 0,
        "name": "peer",
        "local": end(connection.local),
        "peer": end(connection.peer),
        "connection-state": words::connection(connection.info.conn_connection_state),
        "congested": connection.statistics.conn_congested,
        "peer-role": words::role(connection.info.conn_role),
        "peer_devices": connection
            .devices
            .iter()
            .map(|peer| peer_device(peer, resource))
            .collect::<Value>(),
    })
}

fn peer_device(peer: &PeerDevice, resource: &Resource) -> Value {
    let figures = &peer.statistics;
    json!({
        "volume": peer.volume,
        "replication-state": words::replication(peer.info.peer_repl_state),
        "peer-disk-state": words::disk(peer.info.peer_disk_state),
        "peer-client": false,
        "resync-suspended": words::resync_suspended(&peer.info),
        "received": figures.peer_dev_received / 2,
        "sent": figures.peer_dev_sent / 2,
        "out-of-sync": figures.peer_dev_out_of_sync / 2,
        "pending": figures.peer_dev_pending,
        "unacked": figures.peer_dev_unacked,
        "has-sync-details": words::is_sync(peer.info.peer_repl_state),
        "has-online-verify-details": words::is_verify(peer.info.peer_repl_state),
        "percent-in-sync": percent_in_sync(peer, resource),
    })
}

/// A line of `events2` as an object: the same keys; numbers are numbers.
pub(crate) fn event(line: &str, has_timestamp: bool) -> Value {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let mut object = Map::new();
    let mut put = |key: &str, word: Option<&str>| {
        if let Some(word) = word {
            object.insert(key.to_owned(), word.into());
        }
    };
    if has_timestamp {
        put("timestamp", words.next());
    }
    put("action", words.next());
    put("object", words.next().filter(|object| *object != "-"));
    for word in words {
        let Some((key, value)) = word.split_once(':') else {
            continue;
        };
        let number = value.parse::<u64>().ok().filter(|_| key != "name");
        let value = number.map_or_else(|| value.into(), Value::from);
        object.insert(key.to_owned(), value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_keys_of_its_line() {
        let line = "2026-11-23T09:15:33.000001+00:00 change device name:7 volume:0 minor:3 \
                    disk:UpToDate size:1000 read:5";
        assert_eq!(
            event(line, true).to_string(),
            "{\"timestamp\":\"2026-11-23T09:15:33.000001+00:00\",\"action\":\"change\",\
             \"object\":\"device\",\"name\":\"7\",\"volume\":0,\"minor\":3,\
             \"disk\":\"UpToDate\",\"size\":1000,\"read\":5}"
        );
        assert_eq!(
            event("exists -", false).to_string(),
            "{\"action\":\"exists\"}"
        );
    }
}
