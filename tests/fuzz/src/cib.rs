// SPDX-License-Identifier: GPL-2.0

//! What Pacemaker's `cibadmin` prints: XML that the cluster's administrators have a part in.

use crate::Target;

#[path = "../../../userspace/tool/src/pacemaker/cib.rs"]
#[expect(dead_code, reason = "the tool asks more of it")]
mod parser;

use parser::{Ban, Cib};

pub(crate) const TARGET: Target = Target {
    name: "cib",
    run,
    seeds,
};

/// Names that inputs have.
const RESOURCE: &str = "r0";
const NODE: &str = "a";

/// A constraint that is found is written and read back the same.
fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(cib) = Cib::parse(&text) else {
        return;
    };
    cib.standing_of(NODE);
    if let Some(other) = cib.only_other(NODE) {
        assert!(other != NODE && cib.has_node(other), "{text}");
    }
    let clone = cib.clone_of(RESOURCE).unwrap_or("disk-clone");
    read_back(&Ban::new(
        RESOURCE,
        clone,
        cib.only_other(NODE).unwrap_or(NODE),
    ));
    if let Some(ban) = cib.ban_of(RESOURCE, clone) {
        // Its id is ours, whatever else it has.
        read_back(&Ban {
            id: Ban::new(RESOURCE, clone, NODE).id,
            ..ban.clone()
        });
    }
}

fn read_back(ban: &Ban) {
    let again = Cib::parse(&format!("<cib>{}</cib>", ban.xml()));
    let again = again.unwrap_or_else(|error| panic!("{error:#}: {}", ban.xml()));
    let clone = ban.id.strip_prefix("drbd-fence-by-handler-r0-");
    assert_eq!(again.ban_of(RESOURCE, clone.unwrap_or("")), Some(ban));
}

fn seeds() -> Vec<Vec<u8>> {
    let whole = [
        include_str!("../../../userspace/tool/tests/data/cib-online.xml"),
        include_str!("../../../userspace/tool/tests/data/cib-lost.xml"),
        include_str!("../../../userspace/tool/tests/data/cib-fenced.xml"),
    ];
    let clone =
        "<clone id='c'><primitive id='p'><instance_attributes><nvpair name='drbd_resource' \
                 value='r0'/></instance_attributes></primitive></clone>";
    let small = [
        "<cib><node uname='a'/><node uname='b'/><node_state uname='b' in_ccm='1' crmd='2'/></cib>"
            .to_owned(),
        "<cib><crm_config><nvpair name='stonith-enabled' value='off'/></crm_config></cib>".into(),
        format!("<cib><node uname='b&quot;&lt;&#9;'/>{clone}</cib>"),
        format!("<cib>{clone}{}</cib>", Ban::new(RESOURCE, "c", "b").xml()),
        clone.replace("'c'", "'&amp;&#10;'"),
    ];
    let whole = whole.into_iter().map(str::to_owned);
    whole.chain(small).map(String::into_bytes).collect()
}
