// SPDX-License-Identifier: GPL-2.0

//! Every option of disks, connections and resources is set to its default, its least and its
//! greatest value, and to each of its words; both modules show the same then. One value beyond the
//! greatest is refused by ours. The options are those of the engine's tables.

use std::fmt::Write;

use anyhow::Result;
use tandem_engine::engine::options::{
    DiskOptions, NetOptions, OptionKind, OptionSpec, OptionTable, ResourceOptions,
};

use crate::{
    alike::{self, Known},
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("options_are_taken_alike", run)
    .pairs(&[TANDEM_DRBD])
    .limit(300);

const CONNECTION: &str = "ipv4:$OWN:7789 ipv4:$PEER:7790";

/// Options that exclude each other's words or values: each has its own commands.
const APART: &[&str] = &[
    "protocol",
    "on-congestion",
    "allow-two-primaries",
    "fencing",
    // Can only be said once, at the begin.
    "tentative",
    "discard-my-data",
    "size",
    "max-bio-bvecs",
    // A minor's number, which has to be there.
    "resync-after",
];

/// What is set at the begin of a disk or a connection only, and what depends on each other.
const BY_HAND: &str = "
drbdsetup net-options CONNECTION --set-defaults --protocol=A --on-congestion=pull-ahead
drbdsetup net-options CONNECTION --on-congestion=disconnect
drbdsetup net-options CONNECTION --protocol=B
drbdsetup net-options CONNECTION --on-congestion=block --protocol=B
drbdsetup net-options CONNECTION --allow-two-primaries
drbdsetup net-options CONNECTION --allow-two-primaries --protocol=C
drbdsetup net-options CONNECTION --allow-two-primaries=no --protocol=A
drbdsetup disk-options 0 --fencing=resource-only
drbdsetup disk-options 0 --fencing=resource-and-stonith
drbdsetup net-options CONNECTION --protocol=C
drbdsetup disk-options 0 --fencing=resource-and-stonith
drbdsetup net-options CONNECTION --protocol=A
drbdsetup show r0
drbdsetup net-options CONNECTION --tentative
drbdsetup net-options CONNECTION --discard-my-data
drbdsetup net-options CONNECTION --cram-hmac-alg=sha256 --shared-secret=secret
drbdsetup net-options CONNECTION --cram-hmac-alg=nothing
drbdsetup net-options CONNECTION --verify-alg=nothing
drbdsetup net-options CONNECTION --csums-alg=nothing
drbdsetup net-options CONNECTION --data-integrity-alg=nothing
drbdsetup net-options CONNECTION --verify-alg=sha1 --csums-alg=crc32c --data-integrity-alg=sha256
drbdsetup show r0
drbdsetup net-options CONNECTION --shared-secret=TEXT64
drbdsetup net-options CONNECTION --shared-secret=TEXT63
drbdsetup net-options CONNECTION --set-defaults
drbdsetup disk-options 0 --set-defaults
drbdsetup resource-options r0 --cpu-mask=1
drbdsetup show r0
drbdsetup resource-options r0 --cpu-mask=zz
drbdsetup resource-options r0 --cpu-mask=ffffffff,ffffffff,ffffffff1
drbdsetup disk-options 0 --max-bio-bvecs=1
drbdsetup disk-options 0 --size=10M
drbdsetup disk-options 0 --resync-after=1048576
drbdsetup disk-options 0 --resync-after=1048575
drbdsetup disk-options 0 --resync-after=0
drbdsetup detach 0
~drbdmeta 0 v08 /dev/data1 internal apply-al
drbdsetup attach 0 /dev/data1 /dev/data1 internal --size=2199023255552s
drbdsetup attach 0 /dev/data1 /dev/data1 internal --max-bio-bvecs=128 --size=1M
drbdsetup show r0
cat /sys/block/drbd0/queue/max_segments
drbdsetup disconnect CONNECTION
drbdsetup connect r0 CONNECTION --tentative --discard-my-data --timeout=60
drbdsetup show r0
drbdsetup down r0
drbdsetup new-resource r0 --on-no-data-accessible=suspend-io --cpu-mask=3
drbdsetup show r0
drbdsetup down r0
";

/// What differs on purpose.
const DIFFERENT: &[Known] = &[
    Known {
        command: "--",
        ours: "Failure: (126)",
        theirs: "exit 0",
        why: "values out of range are refused, whoever sends them",
    },
    Known {
        command: "--",
        ours: "additional info from kernel:",
        theirs: "Failure: (132)",
        why: "the reply says what the range is",
    },
    Known {
        command: "--",
        ours: "invalid attribute value: ",
        theirs: "",
        why: "the reply says what the range is",
    },
    Known {
        command: "--",
        ours: "exit 10",
        theirs: "",
        why: "values out of range are refused",
    },
    Known {
        command: "-alg=nothing",
        ours: "the kernel has no such digest",
        theirs: "",
        why: "the reply says what to do",
    },
    Known {
        command: "",
        ours: " oos:1024",
        theirs: " oos:768",
        why: "the C module forgets 64 bits of its bitmap when it makes a volume smaller",
    },
    Known {
        command: "--cpu-mask=zz",
        ours: "Failure: (162)",
        theirs: "exit 0",
        why: "the C module looks at the mask only where there are several CPUs",
    },
    Known {
        command: "--cpu-mask=zz",
        ours: "cpu-mask: not a hexadecimal mask",
        theirs: "",
        why: "the reply says why",
    },
];

fn run(pair: &Pair<'_>) -> Result<()> {
    let transcripts = alike::alone(pair.a, pair.b, &commands())?;
    alike::compare(CASE.name, &transcripts, DIFFERENT)
}

/// All commands.
fn commands() -> String {
    let mut all = format!(
        "drbdsetup new-resource r0\n\
         drbdsetup new-minor r0 0 0\n\
         ~drbdmeta --force 0 v08 /dev/data1 internal create-md >/dev/null\n\
         drbdsetup attach 0 /dev/data1 /dev/data1 internal\n\
         drbdsetup connect r0 {CONNECTION}\n\
         drbdsetup show r0 --show-defaults\n"
    );
    of_table(&mut all, "disk-options 0", DiskOptions::TABLE);
    of_table(
        &mut all,
        &format!("net-options {CONNECTION}"),
        NetOptions::TABLE,
    );
    of_table(&mut all, "resource-options r0", ResourceOptions::TABLE);
    all + BY_HAND
        .trim_start()
        .replace("CONNECTION", CONNECTION)
        .replace("TEXT63", &"x".repeat(63))
        .replace("TEXT64", &"x".repeat(64))
        .as_str()
}

/// Each option's values, as few commands as it takes.
fn of_table(all: &mut String, command: &str, table: &[OptionSpec]) {
    let table: Vec<_> = table
        .iter()
        .filter(|spec| !APART.contains(&spec.name))
        .collect();
    for round in 0.. {
        let mut line = String::new();
        for spec in &table {
            if let Some(value) = value(&spec.kind, round) {
                let _ = write!(line, " --{}={value}", spec.name);
            }
        }
        if line.is_empty() {
            break;
        }
        let _ = writeln!(all, "drbdsetup {command}{line}\ndrbdsetup show r0");
    }
    for spec in &table {
        if let OptionKind::Number { max, .. } = spec.kind {
            let beyond = max + 1;
            let suffix = if spec.kind.to_string().contains("sectors") {
                "s"
            } else {
                ""
            };
            let _ = writeln!(all, "drbdsetup {command} --{}={beyond}{suffix}", spec.name);
        }
    }
    let _ = writeln!(all, "drbdsetup {command} --set-defaults\ndrbdsetup show r0");
}

/// The value of a round: least, greatest, or one word after the other.
fn value(kind: &OptionKind, round: usize) -> Option<String> {
    match kind {
        OptionKind::Number { min, max, .. } => [min, max].get(round).map(ToString::to_string),
        OptionKind::Boolean { .. } => ["no", "yes"].get(round).map(ToString::to_string),
        OptionKind::Choice { words, .. } => words.get(round).map(|(word, _)| word.to_string()),
        OptionKind::Text { .. } => None,
    }
}
