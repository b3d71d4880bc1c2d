// SPDX-License-Identifier: GPL-2.0

//! The cases: one behaviour per file, named by it. A new file is one more name here.

use crate::case::Case;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// All of them.
        pub(crate) const CASES: &[Case] = &[$($name::CASE),*];

        #[test]
        fn a_case_is_named_as_its_file() {
            $(assert_eq!($name::CASE.name, stringify!($name));)*
        }
    };
}

cases! {
    cut_link_and_resync,
    failover_keeps_fsynced_files,
    initial_sync_from_a,
    initial_sync_from_b,
    replicated_write_is_on_both_disks,
    resync_after_return,
    secondary_refuses_open,
    unload_leaves_nothing,
}
