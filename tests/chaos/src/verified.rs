// SPDX-License-Identifier: GPL-2.0

//! What verifies found, read from what a kernel has said. Clients begin them at any time, and none
//! may find what is not known to differ.

/// The first block that a verify found to differ, as the kernel told of it. A verify during which a
/// disk fails is not counted: a block that cannot be read differs from every other.
pub(crate) fn first_difference(console: &str, minors: usize) -> Option<String> {
    (0..minors).find_map(|minor| {
        let mark = format!(" drbd{minor}: ");
        let (mut found, mut has_failed) = (None, false);
        for line in console.lines().filter(|line| line.contains(&mark)) {
            if line.contains("-> VerifyS") || line.contains("-> VerifyT") {
                // The end of the last one.
                if found.is_some() && !has_failed {
                    break;
                }
                (found, has_failed) = (None, false);
            }
            has_failed |= ["***Simulating", "-> Failed", "-> Diskless"]
                .iter()
                .any(|text| line.contains(text));
            if line.contains("Out of sync: start") && found.is_none() {
                found = Some(line.to_owned());
            }
        }
        found.filter(|_| !has_failed)
    })
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    const BEGIN: &str = "[ 1.0] drbd r0/1 drbd1: conn( Connected -> VerifyS ) \n";
    const FOUND: &str = "[ 1.1] drbd r0/1 drbd1: Out of sync: start=8, size=8 (sectors)\n";
    const FAILED: &str = "[ 1.1] drbd r0/1 drbd1: disk( UpToDate -> Failed ) \n";
    const OTHER: &str = "[ 1.1] drbd r0/0 drbd0: pdsk( UpToDate -> Failed ) \n";

    fn finds(lines: &[&str]) -> bool {
        first_difference(&lines.concat(), 6).is_some()
    }

    #[test]
    fn what_differs_is_found_in_any_verify() {
        assert!(finds(&[BEGIN, FOUND]));
        assert!(finds(&[BEGIN, FOUND, BEGIN]));
        assert!(finds(&[BEGIN, OTHER, FOUND]));
        assert!(finds(&[BEGIN, FAILED, BEGIN, FOUND]));
        assert!(!finds(&[BEGIN, BEGIN]));
    }

    #[test]
    fn what_a_failed_disk_does_not_tell_is_no_difference() {
        assert!(!finds(&[BEGIN, FAILED, FOUND]));
        assert!(!finds(&[BEGIN, FOUND, FAILED]));
        assert!(!finds(&[BEGIN, FAILED, FOUND, BEGIN]));
    }
}
