// SPDX-License-Identifier: GPL-2.0

//! What a guest's programs report on its console, outside of the machine: it is known there when
//! the machine has lost its power.

/// All reports that begin with a mark and are whole, in their order. A guest writes each as one
/// line `MARK... .` to `/dev/kmsg`; one without its end was cut.
pub fn reports<'t>(console: &'t str, mark: &'t str) -> impl Iterator<Item = &'t str> {
    console
        .lines()
        .filter_map(move |line| line.split_once(mark)?.1.strip_suffix(" ."))
}

#[cfg(test)]
mod tests {
    use super::reports;

    #[test]
    fn a_report_counts_only_when_it_is_whole() {
        let console = "[ 1.0] job: did 1 .\n[ 1.1] drbd: something else\n[ 1.2] job: did 2";
        assert_eq!(reports(console, "job: did ").collect::<Vec<_>>(), ["1"]);
    }
}
