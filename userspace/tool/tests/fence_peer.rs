// SPDX-License-Identifier: GPL-2.0

//! `fence-peer` and `unfence-peer` beside a Pacemaker that is played by scripts.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    time::Instant, //
};

const ONLINE: &str = include_str!("data/cib-online.xml");
const LOST: &str = include_str!("data/cib-lost.xml");
const FENCED: &str = include_str!("data/cib-fenced.xml");

/// `cibadmin`: shows `cib`, and writes down what it is to create or delete. While there is a file
/// `later`, the next questions are answered by that.
const CIBADMIN: &str = "#!/bin/sh
cd \"$(dirname \"$0\")\"
case $1 in
--query) cat cib; [ -e later ] && mv later cib; exit 0 ;;
*) echo \"$@\" >>changes ;;
esac
";

/// A cluster in a folder.
struct Cluster {
    folder: PathBuf,
    own: String,
}

impl Cluster {
    /// `cib` has nodes a and b; this machine takes the place of b.
    fn new(name: &str, cib: &str, disks: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("tandem-fence-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let own = rustix::system::uname();
        let cluster = Self {
            folder,
            own: own.nodename().to_string_lossy().into_owned(),
        };
        cluster.write("cib", &cluster.with_own(cib));
        let line = format!(" 0: cs:WFConnection ro:Primary/Unknown ds:{disks} C r-----\n");
        cluster.write("states", &line);
        cluster.script("cibadmin", CIBADMIN);
        cluster.script("crmadmin", "#!/bin/sh\nexit 1\n");
        cluster
    }

    fn with_own(&self, cib: &str) -> String {
        let own = format!("uname=\"{}\"", self.own);
        cib.replace("uname=\"b\"", &own)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        self.write(name, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.folder.join(name), mode).unwrap();
    }

    /// The exit code of a handler that is called as the kernel's helper calls it.
    fn call(&self, handler: &str, timeout: &str) -> i32 {
        let path = format!(
            "{}:{}",
            self.folder.display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command
            .arg(handler)
            .arg("--states")
            .arg(self.folder.join("states"))
            .env("PATH", path)
            .env("DRBD_RESOURCE", "r0")
            .env("DRBD_MINOR", "0")
            .env("DRBD_PEER", "a");
        if handler == "fence-peer" {
            command.args(["--timeout", timeout]);
        }
        let output = command.output().unwrap();
        output.status.code().unwrap()
    }

    fn changes(&self) -> String {
        fs::read_to_string(self.folder.join("changes")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A constraint that leaves only one node, and the end of all constraints.
fn ban(only: &str) -> String {
    format!(
        "<rsc_location id=\"drbd-fence-by-handler-r0-disk-clone\" rsc=\"disk-clone\"><rule>\
         <expression value=\"{only}\"/></rule></rsc_location></constraints>"
    )
}

#[test]
fn a_fenced_peer_is_7_at_once_and_may_not_be_promoted() {
    let cluster = Cluster::new("fenced", FENCED, "UpToDate/DUnknown");
    let begin = Instant::now();
    assert_eq!(cluster.call("fence-peer", "60"), 7);
    assert!(begin.elapsed().as_secs() < 5);
    let changes = cluster.changes();
    assert!(
        changes.starts_with("--create --scope constraints"),
        "{changes}"
    );
    assert!(changes.contains("drbd-fence-by-handler-r0-disk-clone"));
    assert!(changes.contains(&format!("operation=\"ne\" value=\"{}\"", cluster.own)));
}

#[test]
fn a_fenced_peer_is_5_without_good_data_here_and_nothing_is_changed() {
    let cluster = Cluster::new("consistent", FENCED, "Consistent/DUnknown");
    assert_eq!(cluster.call("fence-peer", "60"), 5);
    assert_eq!(cluster.changes(), "");
}

#[test]
fn a_peer_that_is_online_and_answers_is_4() {
    let cluster = Cluster::new("online", ONLINE, "UpToDate/DUnknown");
    cluster.script("crmadmin", "#!/bin/sh\necho 'Controller on a: ok'\n");
    assert_eq!(cluster.call("fence-peer", "60"), 4);
    assert!(cluster.changes().contains("--create"));
}

#[test]
fn a_peer_of_no_use_is_3() {
    let cluster = Cluster::new("useless", ONLINE, "UpToDate/Inconsistent");
    assert_eq!(cluster.call("fence-peer", "60"), 3);
    assert_eq!(cluster.changes(), "");
}

#[test]
fn a_constraint_of_the_peer_is_6_and_one_of_our_own_4() {
    let own = rustix::system::uname();
    let own = own.nodename().to_string_lossy().into_owned();
    for (only, code) in [("a", 6), (own.as_str(), 4)] {
        let cib = ONLINE.replace("</constraints>", &ban(only));
        let cluster = Cluster::new(&format!("ban-{code}"), &cib, "UpToDate/DUnknown");
        assert_eq!(cluster.call("fence-peer", "60"), code, "{only}");
        assert_eq!(cluster.changes(), "");
    }
}

#[test]
fn a_peer_that_is_being_fenced_is_waited_for() {
    let cluster = Cluster::new("later", LOST, "UpToDate/DUnknown");
    cluster.write("later", &cluster.with_own(FENCED));
    assert_eq!(cluster.call("fence-peer", "60"), 7);
}

#[test]
fn without_word_of_the_fencing_everything_stays_frozen() {
    let cluster = Cluster::new("never", LOST, "UpToDate/DUnknown");
    assert_eq!(cluster.call("fence-peer", "1"), 1);
    assert_eq!(cluster.changes(), "");
}

#[test]
fn without_fencing_a_lost_peer_is_5() {
    let off = "name=\"stonith-enabled\" value=\"false\"";
    let cib = LOST.replace("name=\"stonith-enabled\" value=\"true\"", off);
    let cluster = Cluster::new("no-fencing", &cib, "UpToDate/DUnknown");
    assert_eq!(cluster.call("fence-peer", "1"), 5);
    assert!(cluster.changes().contains("--create"));
}

#[test]
fn without_a_cluster_everything_stays_frozen() {
    let cluster = Cluster::new("none", ONLINE, "UpToDate/DUnknown");
    cluster.script(
        "cibadmin",
        "#!/bin/sh\necho 'cannot connect' >&2\nexit 102\n",
    );
    assert_eq!(cluster.call("fence-peer", "1"), 1);
}

#[test]
fn the_constraint_goes_when_both_disks_are_good() {
    let cib = ONLINE.replace("</constraints>", &ban("a"));
    let good = Cluster::new("unfence", &cib, "UpToDate/UpToDate");
    assert_eq!(good.call("unfence-peer", ""), 0);
    let delete = "--delete --xml-text <rsc_location rsc=\"disk-clone\"";
    assert!(good.changes().starts_with(delete), "{}", good.changes());
    let bad = Cluster::new("unfence-bad", &cib, "UpToDate/Inconsistent");
    assert_ne!(bad.call("unfence-peer", ""), 0);
    assert_eq!(bad.changes(), "");
}
