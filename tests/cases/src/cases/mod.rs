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
    bad_packet_ends_only_its_connection,
    commands_survive_failed_allocations,
    corrupt_data_ends_the_connection,
    cut_link_and_resync,
    damaged_superblock_is_refused,
    data_integrity_covers_all_data,
    data_integrity_needs_the_same_algorithm,
    equal_blocks_are_not_resynced,
    failover_keeps_fsynced_files,
    fence_peer_outdates_a_lost_peer,
    fresh_nodes_agree_on_the_smaller_size,
    initial_sync_from_a,
    initial_sync_from_b,
    log_changes_its_shape_online,
    login_lets_the_right_peer_in,
    login_needs_a_known_algorithm,
    login_refuses_a_peer_without_login,
    login_refuses_a_reflected_challenge,
    login_refuses_a_wrong_secret,
    login_waits_for_the_same_algorithm,
    metadata_layouts_are_attached,
    mounted_lower_device_is_refused,
    option_out_of_range_is_refused,
    peer_of_smaller_size_is_refused,
    recorded_run_replays_in_userspace,
    replicated_write_is_on_both_disks,
    resize_is_refused,
    resync_after_return,
    resync_keeps_to_its_rate,
    secondary_refuses_open,
    too_small_lower_device_is_refused,
    unload_leaves_nothing,
    verify_finds_what_differs,
    verify_needs_an_algorithm,
    verify_stops_at_the_stop_sector,
    volume_grows_online,
    volumes_of_one_resource_are_synced_alike,
}
